/**
 * DNS responses for tests: dns-packet writes them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import dnsPacket from "dns-packet";
import { decodeBase64 } from "@std/encoding/base64";
import { encodeBase32 } from "../../lib/wire/bytes/base32.ts";
import { idOf } from "./fake_random.ts";
import { formatKey } from "../../lib/core/net/peer_key.ts";

/** Flags of a response. */
export const FLAGS = { aa: 0x0400, tc: 0x0200, rd: 0x0100, ra: 0x0080 } as const;

/** A record as dns-packet takes it. */
export interface TestRecord {
  readonly type: string;
  readonly name: string;
  readonly class?: string;
  readonly data?: unknown;
}

/** A response to write. */
export interface TestResponse {
  readonly id?: number;
  /** Flags without QR, RCODE among them. */
  readonly flags?: number;
  readonly questions?: readonly { name: string; type: string; class: string }[];
  readonly answers?: readonly TestRecord[];
  readonly authorities?: readonly TestRecord[];
  readonly additionals?: readonly TestRecord[];
}

/** The bytes of a response. */
export function dnsResponse(response: TestResponse): Uint8Array {
  const { id = 0, flags = FLAGS.aa, questions = [] } = response;
  const { answers = [], authorities = [], additionals = [] } = response;
  return Uint8Array.from(dnsPacket.encode({
    type: "response",
    id,
    flags,
    questions: [...questions],
    answers: [...answers],
    authorities: [...authorities],
    additionals: [...additionals],
  }));
}

/** What a question asks. */
export interface AskedQuestion {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly class: string;
  /** The UDP payload that its OPT names, or 0 without one. */
  readonly payload: number;
  readonly isRecursive: boolean;
}

/** Takes a question apart. */
export function readQuestion(bytes: Uint8Array): AskedQuestion {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const counts = [4, 6, 8].map((at) => view.getUint16(at));
  const opts = view.getUint16(10);
  if (counts.join() !== "1,0,0" || opts > 1) throw new Error(`no question: ${counts}, ${opts}`);
  const { name, type, class: klass } = dnsPacket.question.decode(Buffer.from(bytes), 12);
  const end = 12 + name.length + 2 + 4;
  if (bytes.length !== end + 11 * opts) throw new Error("a question with something after it");
  return {
    id: view.getUint16(0),
    name,
    type,
    class: klass,
    payload: opts === 0 ? 0 : view.getUint16(end + 3),
    isRecursive: view.getUint16(2) === FLAGS.rd,
  };
}

/** The public key of a peer's number, in base64. */
export function keyOf(peer: number): string {
  return formatKey(idOf(peer));
}

/** The name of a peer's instance, by its key in base64. */
export function instanceOf(publicKey: string, zone: string): string {
  return `${encodeBase32(decodeBase64(publicKey))}._wireguard._udp.${zone}`;
}
