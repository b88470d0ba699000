/**
 * A slow, readable twin of what peers send each other: plain arrays and the noble libraries, written
 * from docs/protocol-2.md ("Between peers") and not from lib/.
 *
 * @module
 */

import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { hex } from "./bytes.ts";
import { bigEndian, fromBigEndian } from "./twins.ts";
import {
  type TwinCandidate,
  twinCandidate,
  twinHeader,
  twinReadHeader,
  twinSeal,
  twinUnseal,
} from "./wgsig2_twin.ts";

/** What one side sends with. */
export interface TwinSide {
  readonly key: Uint8Array;
  readonly tag: number;
}

/** A probe's fields. */
export interface TwinProbe {
  readonly flags: number;
  readonly counter: number;
  readonly token: readonly number[];
}

/** An echo's fields. */
export interface TwinEcho {
  readonly flags: number;
  readonly token: readonly number[];
  readonly seen: TwinCandidate;
}

/** What the holder of a private key sends with, and what the other side does. */
export function twinPair(
  own: Uint8Array,
  peer: Uint8Array,
): { own: TwinSide; peer: TwinSide } | undefined {
  const mine = x25519.getPublicKey(own);
  if (hex(mine) === hex(peer)) return undefined;
  let shared;
  try {
    shared = x25519.getSharedSecret(own, peer);
  } catch {
    return undefined;
  }
  const isSmaller = hex(mine) < hex(peer);
  const letters = Array.from("wgsig 2 pair", (letter) => letter.charCodeAt(0));
  const sorted = isSmaller ? [...mine, ...peer] : [...peer, ...mine];
  const keys = hkdf(sha256, shared, undefined, Uint8Array.from([...letters, ...sorted]), 72);
  const side = (i: number): TwinSide => ({
    key: keys.slice(32 * i, 32 * i + 32),
    tag: Number(fromBigEndian(keys.slice(64 + 4 * i, 68 + 4 * i))),
  });
  return isSmaller ? { own: side(0), peer: side(1) } : { own: side(1), peer: side(0) };
}

function padded(bytes: readonly number[]): number[] {
  return [...bytes, ...new Uint8Array(28 - bytes.length)];
}

/** What a probe has sealed. */
export function twinProbePayload({ flags, counter, token }: TwinProbe): number[] {
  return padded([flags, ...bigEndian(counter, 8), ...token]);
}

/** What an echo has sealed. */
export function twinEchoPayload({ flags, token, seen }: TwinEcho): number[] {
  return padded([flags, ...token, ...twinCandidate(seen)]);
}

/** A whole probe or echo. `asked` is the nonce of the probe that an echo belongs to. */
export function twinBetweenPeers(
  type: number,
  { key, tag }: TwinSide,
  nonce: Uint8Array,
  payload: readonly number[],
  asked?: Uint8Array,
): Uint8Array {
  return twinSeal(key, twinHeader(type, tag, nonce), payload, asked);
}

/** The type of a datagram and the tag that it is marked with; undefined where it is none. */
export function twinProbeHead(datagram: Uint8Array): { type: number; tag: number } | undefined {
  const head = twinReadHeader(datagram);
  if (head === undefined || datagram.length !== 76) return undefined;
  if (head.type !== 5 && head.type !== 6) return undefined;
  if ([1, 2, 3, 4].includes(datagram[0]!)) return undefined;
  return { type: head.type, tag: head.group };
}

/** What was sealed in a datagram, or undefined where it doesn't open. */
export function twinOpen({ key }: TwinSide, datagram: Uint8Array, asked?: Uint8Array) {
  return twinUnseal(key, datagram, asked);
}
