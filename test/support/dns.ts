/**
 * DNS messages for tests: questions written by hand, answers read by dns-packet.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import dnsPacket from "dns-packet";
import type { AnswerBudgetOptions } from "../../lib/core/net/answer_budget.ts";
import { Counters } from "../../lib/core/net/counters.ts";
import { ADDRESS_SIZE, parseAddress } from "../../lib/core/net/ip_address.ts";
import type { Zone } from "../../lib/core/zone/server/zone.ts";
import type { QueryPath } from "../../lib/core/zone/server/zone_view.ts";
import { ZoneSet } from "../../lib/core/zone/server/set.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ODD_PLACE, placed } from "./bytes.ts";

/** Types of questions and records by name. */
export const TYPES = {
  A: 1,
  NS: 2,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  DS: 43,
  NXNAME: 128,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
} as const;
/** A type's name. */
export type TypeName = keyof typeof TYPES;

/** What a query says in its OPT. */
export interface EdnsFields {
  readonly size?: number;
  readonly version?: number;
  readonly dnssecOk?: boolean;
  readonly data?: readonly number[];
}

/** What a query says besides its question. */
export interface QueryFields {
  readonly id?: number;
  readonly flags?: number;
  readonly class?: number;
  readonly edns?: EdnsFields;
}

function uint16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

/** A name's bytes. Its labels are taken as they are, each character a byte. */
export function nameBytes(name: string): number[] {
  const labels = name.split(".").filter((label) => label !== "");
  const bytes = labels.flatMap((
    label,
  ) => [label.length, ...Array.from(label, (each) => each.charCodeAt(0))]);
  return [...bytes, 0];
}

/** An OPT record. */
export function optBytes({ size = 1232, version = 0, dnssecOk, data = [] }: EdnsFields): number[] {
  const flags = dnssecOk ? 0x80 : 0;
  return [0, 0, 41, ...uint16(size), 0, version, flags, 0, ...uint16(data.length), ...data];
}

/** A record of class IN. */
export function recordBytes(name: string, type: number, data: readonly number[]): number[] {
  const fields = [...uint16(type), 0, 1, 0, 0, 0, 0, ...uint16(data.length)];
  return [...nameBytes(name), ...fields, ...data];
}

/** A header. */
export function headerBytes(
  id: number,
  flags: number,
  counts: readonly [number, number, number, number],
): number[] {
  return [...uint16(id), ...uint16(flags), ...counts.flatMap(uint16)];
}

/** A question. */
export function questionBytes(name: string, type: number, klass = 1): number[] {
  return [...nameBytes(name), ...uint16(type), ...uint16(klass)];
}

/** A query. */
export function queryBytes(
  name: string,
  type: TypeName | number,
  { id = 0x1234, flags = 0, class: klass = 1, edns }: QueryFields = {},
): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    ...headerBytes(id, flags, [1, 0, 0, edns === undefined ? 0 : 1]),
    ...questionBytes(name, typeof type === "number" ? type : TYPES[type], klass),
    ...(edns === undefined ? [] : optBytes(edns)),
  ]);
}

/** An answer as dns-packet reads it. */
export interface DnsReply {
  readonly id: number;
  readonly opcode: number;
  /** With the bits of the OPT. */
  readonly rcode: number;
  /** Of AA TC RD RA Z AD CD those that are set. */
  readonly flags: string;
  /** `NAME TYPE CLASS`, or undefined where there is none. */
  readonly question: string | undefined;
  /** Records as text: `NAME TTL TYPE DATA`. */
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
  /** Without the OPT. */
  readonly additionals: readonly string[];
  /** `SIZE [do] [OPTION…]`, or undefined where there is none. */
  readonly opt: string | undefined;
  readonly size: number;
}

const FLAGS: readonly (readonly [string, number])[] = [
  ["AA", 0x400],
  ["TC", 0x200],
  ["RD", 0x100],
  ["RA", 0x80],
  ["Z", 0x40],
  ["AD", 0x20],
  ["CD", 0x10],
];

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  assert(typeof value === "object" && value !== null);
  return value as Fields;
}

function list(fields: Fields, key: string): readonly Fields[] {
  const value = fields[key];
  assert(Array.isArray(value));
  return value.map(fieldsOf);
}

function number(fields: Fields, key: string): number {
  const value = fields[key];
  assert(typeof value === "number", `${key} is no number`);
  return value;
}

function latin1(bytes: unknown): string {
  assert(bytes instanceof Uint8Array);
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function dataText(type: string, data: unknown): string {
  if (type === "TXT") {
    assert(Array.isArray(data));
    return data.map((each) => `"${latin1(each)}"`).join(" ");
  }
  if (typeof data === "string") return data;
  const fields = fieldsOf(data);
  const keys = type === "SRV"
    ? ["priority", "weight", "port", "target"]
    : ["mname", "rname", "serial", "refresh", "retry", "expire", "minimum"];
  return keys.map((key) => String(fields[key])).join(" ");
}

function recordText(fields: Fields): string {
  const { name, type } = fields;
  assert(fields["class"] === "IN" && typeof type === "string");
  return `${name} ${number(fields, "ttl")} ${type} ${dataText(type, fields["data"])}`;
}

/** Reads an answer, which must be one to the last byte, with its OPT as the last record. */
export function readReply(bytes: Uint8Array): DnsReply {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const bits = view.getUint16(2);
  assert((bits & 0x8000) !== 0, "no response");
  const decode: unknown = Reflect.get(dnsPacket, "decode");
  assert(typeof decode === "function");
  const packet = fieldsOf(decode(Buffer.from(bytes)));
  assertEquals<unknown>(Reflect.get(decode, "bytes"), bytes.length, "not all bytes were read");
  const sections = ["answers", "authorities", "additionals"].map((key) => list(packet, key));
  ["answers", "authorities", "additionals"].forEach((_, i) => {
    assertEquals(sections[i]!.length, view.getUint16(6 + 2 * i));
  });
  const last = sections[2]!.at(-1);
  const opt = last?.["type"] === "OPT" ? last : undefined;
  const records = sections.map((section) => section.filter((each) => each !== opt).map(recordText));
  const [question, ...others] = list(packet, "questions");
  assertEquals(others, []);
  return {
    id: number(packet, "id"),
    opcode: (bits >> 11) & 15,
    rcode: (bits & 15) | (opt === undefined ? 0 : number(opt, "extendedRcode") << 4),
    flags: FLAGS.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name).join(" "),
    question: question && `${question["name"]} ${question["type"]} ${question["class"]}`,
    answers: records[0]!,
    authorities: records[1]!,
    additionals: records[2]!,
    opt: opt && optText(opt),
    size: bytes.length,
  };
}

function optText(opt: Fields): string {
  assertEquals(opt["name"], ".");
  assertEquals(opt["ednsVersion"], 0);
  const codes = list(opt, "options").map((option) => ` ${number(option, "code")}`).join("");
  const flags = number(opt, "flags");
  return `${number(opt, "udpPayloadSize")}${flags & 0x8000 ? " do" : ""}${codes}`;
}

/** An address as 16 bytes. */
export function addressBytes(text: string): WireBuffer {
  const buffer = new WireBuffer(ADDRESS_SIZE);
  assert(parseAddress(text, buffer, 0), text);
  return buffer;
}

/** How a test asks. */
export interface AskOptions {
  readonly transport?: "udp" | "tcp";
  readonly source?: string;
  readonly local?: string | undefined;
  readonly room?: number;
}

/** No limit. */
export const NO_BUDGET: AnswerBudgetOptions = { bytesPerSecond: 0, burst: 0 };

const MARK = 0xa5;

/** Asks zones as a host would, and checks what holds for every answer. */
export class DnsDriver {
  readonly counters: Counters = new Counters();
  readonly zones: ZoneSet;
  /** Seconds of the monotonic clock, */
  time = 1000;
  /** and by how much the wall clock is ahead of that. */
  ahead = 0;
  /** Seconds that {@linkcode ask} moves them on before each question, so that lists are new. */
  step = 2;
  readonly #out = new WireBuffer(65_535 + 32);

  constructor(zones: readonly Zone[], budget: AnswerBudgetOptions = NO_BUDGET) {
    this.zones = new ZoneSet(budget, 0x1234_5678, this.counters);
    this.zones.configure(zones, budget);
  }

  /** The answer's bytes, or undefined where there is none. */
  send(bytes: Uint8Array, options: AskOptions = {}): Uint8Array | undefined {
    const { transport = "udp", source = "198.51.100.77", local, room = 65_535 } = options;
    const message = placed(bytes, ODD_PLACE);
    const path: QueryPath = {
      transport,
      source: addressBytes(source),
      sourceAt: 0,
      local: local === undefined ? undefined : addressBytes(local),
      localAt: 0,
    };
    const before = message.bytes.slice();
    const now = { unix: this.time + this.ahead, mono: this.time };
    const { bytes: out } = this.#out;
    out.fill(MARK);
    const size = this.zones.answer(
      message,
      ODD_PLACE.at,
      bytes.length,
      path,
      now,
      this.#out,
      16,
      room,
    );
    assertEquals(message.bytes, before, "the question was changed");
    assert(size <= room, "larger than the room");
    const limit = Math.max(16 + size, 16);
    assert(out.subarray(0, 16).every((byte) => byte === MARK), "bytes before were touched");
    const behind = 16 + Math.min(room, transport === "udp" ? 1232 : room);
    assert(
      out.subarray(behind, behind + 32).every((byte) => byte === MARK),
      "bytes behind were touched",
    );
    if (size === 0) return undefined;
    const answer = out.slice(16, limit);
    assertEquals([answer[0], answer[1]], [bytes[0], bytes[1]], "another ID");
    assert((answer[2]! & 0x80) !== 0, "no response");
    return answer;
  }

  /** The answer, read. There must be one. */
  ask(
    name: string,
    type: TypeName | number,
    fields: QueryFields & AskOptions = {},
  ): DnsReply {
    this.time += this.step;
    const answer = this.send(queryBytes(name, type, fields), fields);
    assert(answer !== undefined, "no answer");
    return readReply(answer);
  }
}
