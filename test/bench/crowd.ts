/**
 * A crowd of peers for benches: who they are, and what those say to each other that seed a registry's
 * state with it, play it and look at the registry meanwhile.
 *
 * Their public keys are made of their numbers and nobody knows the private ones: what a peer shares
 * with the registry is computed with the registry's private key, which the bench has made. So a million
 * of them take no time to be made.
 *
 * @module
 */

import type { Host } from "../../lib/host/host.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { CANDIDATE, type CandidateList } from "../../lib/wire/wgsig2/candidate.ts";

/** Sockets that the crowd asks a registry through: each is in a network of its own. */
export const NETWORKS = 40;
/** Followers whose pushes are measured, each with a peer that it follows. */
export const FOLLOWERS = 16;

/** What the crowd does. */
export interface CrowdJob {
  /** Registries, ADDRESS:PORT; peers are dealt to them in turn. */
  readonly registries: readonly string[];
  /** Their processes, as far as they are here: memory and CPU time are read. */
  readonly pids: readonly number[];
  /** Peers that speak wgsig 2, and after those others that speak the first protocol. */
  readonly peers: number;
  readonly first: number;
  /** Questions a second. */
  readonly rate: number;
  /** The part of the peers that move in a minute. */
  readonly moving: number;
  /** How long each part is measured, in seconds. */
  readonly seconds: number;
  /** How long, at most, is waited until all are known. */
  readonly warmUp: number;
  /** Peers that have changes of another one pushed, beside {@linkcode FOLLOWERS}. */
  readonly subscribers: number;
  /** Newcomers a second while joins are measured. */
  readonly joins: number;
  /** Files of 32 bytes: the group's secret in hexadecimal digits, the registry's key in base64. */
  readonly secret: string;
  readonly key: string;
}

/** Where a crowd's state is written to. */
export interface SeedJob {
  readonly peers: number;
  readonly first: number;
  readonly secret: string;
  readonly key: string;
  readonly state: string;
}

/** A probe of how long a registry lets somebody wait. */
export interface ProbeJob {
  /** ADDRESS:PORT. */
  readonly registry: string;
  readonly secret: string;
}

const MAX_FILE = 1000;
const HEX_SIZE = 64;
const id = new WireBuffer(32);

/** Writes the public key of a peer of a crowd: 32 bytes. */
export function writeCrowdId(peer: number, to: WireBuffer, at: number): void {
  let x = Math.imul(peer + 1, 0x9e37_79b1);
  for (let i = 0; i < 32; i += 4) {
    x = (x + 0x6d2b_79f5) | 0;
    let word = Math.imul(x ^ (x >>> 15), x | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    to.view.setInt32(at + i, word ^ (word >>> 14));
  }
  // No two are the same.
  to.view.setInt32(at + 8, peer);
}

/** The first 8 bytes of that. */
export function writeCrowdPrefix(peer: number, to: WireBuffer, at: number): void {
  writeCrowdId(peer, id, 0);
  to.view.setInt32(at, id.view.getInt32(0));
  to.view.setInt32(at + 4, id.view.getInt32(4));
}

/** Where a peer says that it is: on its LAN and behind a mapping. */
export function setCrowdPlaces(peer: number, { slots }: CandidateList): number {
  [CANDIDATE.lan, CANDIDATE.mapped].forEach((kind, i) => {
    const slot = slots[i]!;
    slot.kind = kind;
    slot.port = 1024 + peer % 60_000;
    slot.address.bytes.fill(0);
    slot.address.bytes[10] = slot.address.bytes[11] = 255;
    slot.address.view.setInt32(12, (i === 0 ? 0x0a00_0000 : 0x5000_0000) + peer);
  });
  return 2;
}

/** The address of a network of the crowd's, as a number and as text: on loopback. */
export function crowdAddress(network: number): number {
  return 0x7f4d_0001 + network * 256;
}

/** See {@linkcode crowdAddress}. */
export function crowdAddressText(network: number): string {
  return `127.77.${network}.1`;
}

/** Fields of a job, which are on the command line as JSON. */
export function readCrowdJob<T>(text: string | undefined): T {
  return JSON.parse(text ?? "{}");
}

/** 32 bytes of a file: hexadecimal digits, or base64. */
export async function readKey(host: Pick<Host, "readFile">, path: string): Promise<Uint8Array> {
  const { bytes } = await host.readFile(path, MAX_FILE);
  const text = new TextDecoder().decode(bytes).trim();
  if (text.length !== HEX_SIZE) return Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0));
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
