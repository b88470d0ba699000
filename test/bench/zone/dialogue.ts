/**
 * What the load asks of a zone, signed or not, and whether an answer is right. Runs anywhere.
 *
 * @module
 */

import { encodeBase32 } from "../../../lib/wire/bytes/base32.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { encodeQuestion, type QuestionType } from "../../../lib/wire/dns/message.ts";
import {
  DNS_HEADER_SIZE,
  FLAG_AUTHORITATIVE,
  FLAG_RESPONSE,
  FLAG_TRUNCATED,
  OPT_SIZE,
} from "../../../lib/wire/dns/query.ts";
import type { Dialogue } from "../dialogue.ts";
import { askForSignatures, SERVICE } from "../dns_questions.ts";
import { portOf, writeId } from "../requests.ts";
import type { ZoneJob, ZoneKind } from "./job.ts";

/** The bits of an ID that say which client asks. */
const CLIENT_BITS = 6;
const CLIENTS = 1 << CLIENT_BITS;
/** The load is slower than the server with a socket for each. */
const PER_SOCKET = 16;
/** So many PTRs a list has at least: Knot DNS signs 64 KB of them, with names that aren't compressed. */
export const LISTED = 450;

const ANSWERS_AT = 6;
const AUTHORITIES_AT = 8;
const RCODE_BITS = 15;
const SERVFAIL = 2;
const NXDOMAIN = 3;
/** From a record's owner, a pointer, to the port in an SRV: fields, priority, weight. */
const SRV_PORT = 2 + 10 + 4;
/** So many characters of a name that nobody has are random: 60 bits. */
const RANDOM_CHARACTERS = 12;
const BASE32 = new TextEncoder().encode("abcdefghijklmnopqrstuvwxyz234567");

const TYPES: Readonly<Record<ZoneKind, QuestionType>> = {
  srv: "SRV",
  a: "A",
  txt: "TXT",
  ptr: "PTR",
  nobody: "SRV",
  first: "SRV",
};

/** The clients' part of a load. */
export class ZoneDialogue implements Dialogue {
  readonly size: number;
  readonly perSocket: number = PER_SOCKET;
  /** Answers without a record, because too much was to be signed. */
  limited = 0;
  /** How many questions there were. */
  asked = 0;
  readonly #kind: ZoneKind;
  readonly #signed: boolean;
  readonly #questions: readonly Uint8Array[];
  readonly #ids = new Uint16Array(CLIENTS);
  readonly #peers = new Uint32Array(CLIENTS);

  constructor({ kind, signed, peers }: ZoneJob) {
    this.#kind = kind;
    this.#signed = signed;
    const isOne = kind === "ptr" || kind === "nobody";
    this.#questions = Array.from(
      { length: isOne ? 1 : peers },
      (_, peer) => question(kind === "ptr" ? SERVICE : instanceOf(peer), TYPES[kind], signed),
    );
    this.size = this.#questions[0]!.length;
  }

  /** See {@linkcode Dialogue.clientOf}. */
  clientOf(answers: WireBuffer, at: number, length: number): number {
    return length < 2 ? 0 : answers.view.getUint16(at) % CLIENTS;
  }

  /** See {@linkcode Dialogue.ask}. */
  ask(client: number, out: WireBuffer, at: number): number {
    const { length } = this.#questions;
    const peer = this.#kind === "first" ? this.asked % length : Math.floor(Math.random() * length);
    this.asked++;
    this.#peers[client] = peer;
    const id = Math.floor(Math.random() * (0x10000 / CLIENTS)) * CLIENTS + client;
    this.#ids[client] = id;
    out.bytes.set(this.#questions[peer]!, at);
    out.view.setUint16(at, id);
    if (this.#kind === "nobody") writeRandom(out.bytes, at + DNS_HEADER_SIZE + 1);
    return this.size;
  }

  /** See {@linkcode Dialogue.isAnswer}. */
  isAnswer(client: number, { view }: WireBuffer, at: number, length: number): boolean {
    if (length < DNS_HEADER_SIZE || view.getUint16(at) !== this.#ids[client]) return false;
    const flags = view.getUint16(at + 2);
    if ((flags & FLAG_RESPONSE) === 0) return false;
    const count = view.getUint16(at + ANSWERS_AT);
    const rcode = flags & RCODE_BITS;
    if ((flags & FLAG_TRUNCATED) !== 0 || rcode === SERVFAIL) {
      this.limited++;
      return this.#signed && count === 0;
    }
    if ((flags & FLAG_AUTHORITATIVE) === 0) return false;
    if (this.#kind === "nobody") {
      // Compact denial says that the name is there, and of no type. SOA and NSEC are signed each.
      const denied = rcode === NXDOMAIN || (this.#signed && rcode === 0);
      return denied && count === 0 && view.getUint16(at + AUTHORITIES_AT) >= (this.#signed ? 4 : 1);
    }
    if (rcode !== 0) return false;
    if (this.#kind === "ptr") return count >= LISTED + (this.#signed ? 1 : 0);
    if (count !== (this.#signed ? 2 : 1)) return false;
    if (this.#kind !== "srv" && this.#kind !== "first") return true;
    const record = at + this.size - OPT_SIZE;
    return view.getUint16(record + SRV_PORT) === portOf(this.#peers[client]!);
  }
}

/** The name of a peer of the zone. */
export function instanceOf(peer: number): string {
  const id = new WireBuffer(32);
  writeId(peer, id);
  return `${encodeBase32(id.bytes)}.${SERVICE}`;
}

function question(name: string, type: QuestionType, signed: boolean): Uint8Array {
  const bytes = encodeQuestion({ id: 0, name, type, edns: true });
  if (signed) askForSignatures(bytes);
  return bytes;
}

function writeRandom(bytes: Uint8Array, at: number): void {
  let bits = 0;
  for (let i = 0; i < RANDOM_CHARACTERS; i++) {
    if (i % 6 === 0) bits = Math.floor(Math.random() * 2 ** 30);
    bytes[at + i] = BASE32[bits & 31]!;
    bits >>>= 5;
  }
}
