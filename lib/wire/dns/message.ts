/**
 * DNS messages as a client needs them: questions written, responses read (RFC 1035, section 4).
 *
 * ```
 *  0    2       4         6         8             10            12
 * +----+-------+---------+---------+-------------+-------------+----------- - -
 * | ID | flags | QDCOUNT | ANCOUNT | NSCOUNT     | ARCOUNT     | question, records
 * +----+-------+---------+---------+-------------+-------------+----------- - -
 * flags: QR 0x8000, opcode 0x7800, AA 0x0400, TC 0x0200, RD 0x0100, RA 0x0080, RCODE 0x000f
 * ```
 *
 * dns-packet does the coding. It is careless with what the network sends (it reads over the end of
 * a field, and a label with a dot in it becomes two), so all bounds are checked here before.
 *
 * It is longer than a file should be because reading is one walk: what the checks find decides what
 * dns-packet is given.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import dnsPacket from "dns-packet";
import { CLASS_IN, MAX_TCP_SIZE, MAX_UDP_SIZE } from "./answer.ts";
import { MAX_LABEL_SIZE, MAX_LABELS, MAX_NAME_SIZE, POINTER_BITS } from "./name.ts";
import {
  DNS_HEADER_SIZE,
  FLAG_AUTHORITATIVE,
  FLAG_RESPONSE,
  FLAG_TRUNCATED,
  OPCODE_BITS,
  TYPE_AND_CLASS,
} from "./query.ts";
import { RECORD_FIELDS } from "./record.ts";

/** Priority, weight and port. */
const SRV_FIXED_SIZE = 6;
/** Five numbers. */
const SOA_FIXED_SIZE = 20;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const RCODE_BITS = 0x000f;

/** The types of records that are read, by their numbers. */
const TYPES: Readonly<Record<number, DnsRecord["type"]>> = {
  1: "A",
  5: "CNAME",
  6: "SOA",
  12: "PTR",
  16: "TXT",
  28: "AAAA",
  33: "SRV",
};

/** What can be asked for. */
export type QuestionType = "PTR" | "SRV" | "A" | "AAAA" | "TXT";

/**
 * A record of class IN. Names are in lower case, their labels with dots between and no dot at the
 * end; the root is `.`.
 */
export type DnsRecord =
  | { readonly type: "PTR"; readonly name: string; readonly target: string }
  | { readonly type: "CNAME"; readonly name: string; readonly target: string }
  | {
    readonly type: "SRV";
    readonly name: string;
    readonly priority: number;
    readonly weight: number;
    readonly port: number;
    readonly target: string;
  }
  // Addresses as text, which need not be their shortest form.
  | { readonly type: "A"; readonly name: string; readonly address: string }
  | { readonly type: "AAAA"; readonly name: string; readonly address: string }
  // A character for each byte.
  | { readonly type: "TXT"; readonly name: string; readonly strings: readonly string[] }
  // Only its name is read: that of the zone.
  | { readonly type: "SOA"; readonly name: string };

/** The question that a response repeats. Type and class in words (`SRV`, `IN`). */
export interface DnsQuestion {
  /** In lower case, without a dot at its end. */
  readonly name: string;
  /** Such as `SRV`. */
  readonly type: string;
  /** Such as `IN`. */
  readonly class: string;
}

/** A response. */
export interface DnsResponse {
  /** 0 to 0xffff. */
  readonly id: number;
  /** RCODE (RFC 6895, section 2.3), 0 to 15: an OPT is not looked at. */
  readonly rcode: number;
  /** AA: the server is one of the zone's. */
  readonly authoritative: boolean;
  /** TC: not everything found room. */
  readonly truncated: boolean;
  /** RA: the server asks others. */
  readonly recursionAvailable: boolean;
  /** Undefined where there isn't exactly one, with a name that a text can hold. */
  readonly question: DnsQuestion | undefined;
  /** What was asked for. */
  readonly answers: readonly DnsRecord[];
  /** Who would know, or the SOA of a negative answer. */
  readonly authorities: readonly DnsRecord[];
  /** What may be asked for next. */
  readonly additionals: readonly DnsRecord[];
}

/** A question to write. */
export interface QuestionOptions {
  /** 0 to 0xffff. */
  readonly id: number;
  /** A name for which {@linkcode isDnsName} holds. */
  readonly name: string;
  /** The type that is asked for. */
  readonly type: QuestionType;
  /** Whether to say that {@linkcode MAX_UDP_SIZE} bytes are taken over UDP (RFC 6891). */
  readonly edns: boolean;
}

/**
 * Whether a text is a name that can be asked for: labels of 1 to 63 printable ASCII characters with
 * dots between them, at most 253 characters, no dot at the end.
 */
export function isDnsName(text: string): boolean {
  return text.length <= MAX_NAME_SIZE - 2 &&
    text.split(".").every((label) => /^[\x21-\x7e]{1,63}$/.test(label));
}

/**
 * A question of class IN with RD set, as a message of its own.
 *
 * @throws {RangeError} If the ID or the name can't be written.
 */
export function encodeQuestion({ id, name, type, edns }: QuestionOptions): Uint8Array {
  if (!Number.isInteger(id) || id < 0 || id > 0xffff) {
    throw new RangeError(`Cannot write a question: ${id} is no ID`);
  }
  if (!isDnsName(name)) throw new RangeError(`Cannot write a question: "${name}" is no DNS name`);
  return dnsPacket.encode({
    type: "query",
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type, class: "IN" }],
    additionals: edns
      ? [{ type: "OPT", name: ".", udpPayloadSize: MAX_UDP_SIZE, flags: 0, options: [] }]
      : [],
  });
}

/** Whether bytes begin as a response to a question does: a whole header, QR set, opcode QUERY. */
export function isDnsResponse(bytes: Uint8Array): boolean {
  if (bytes.length < DNS_HEADER_SIZE) return false;
  const flags = (bytes[2]! << 8) | bytes[3]!;
  return (flags & (FLAG_RESPONSE | OPCODE_BITS)) === FLAG_RESPONSE;
}

/**
 * Reads a response. Records of other types and classes are passed over, and those with a name that
 * a text can't hold. Bytes after the last record are not looked at.
 *
 * Where TC is set, the first record that is cut ends the message: servers cut anywhere.
 *
 * @param bytes At most 65535; not kept, not changed.
 * @returns Undefined where it is no response, or any length, count, name or record is wrong.
 */
export function decodeResponse(bytes: Uint8Array): DnsResponse | undefined {
  if (bytes.length > MAX_TCP_SIZE || !isDnsResponse(bytes)) return undefined;
  return new Walker(bytes).response();
}

/** Thrown and caught in this file: the bytes are no message. */
class Malformed extends Error {
  override readonly name = "Malformed";
}

/** Goes over a message once, and has dns-packet read what lies within its bounds. */
class Walker {
  readonly #buffer: Buffer;
  #at = DNS_HEADER_SIZE;
  /** Whether the name that was walked over last is one that a text can hold. */
  #isText = true;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  response(): DnsResponse | undefined {
    const flags = this.#uint16(2);
    const truncated = (flags & FLAG_TRUNCATED) !== 0;
    const sections: DnsRecord[][] = [[], [], []];
    let question: DnsQuestion | undefined;
    try {
      question = this.#questions(this.#uint16(4));
      try {
        sections.forEach((section, i) => this.#records(section, this.#uint16(6 + 2 * i)));
      } catch (error) {
        if (!truncated || !(error instanceof Malformed)) throw error;
      }
    } catch {
      // Ours, or one of dns-packet's, whose kind it doesn't say.
      return undefined;
    }
    const [answers = [], authorities = [], additionals = []] = sections;
    return {
      id: this.#uint16(0),
      rcode: flags & RCODE_BITS,
      authoritative: (flags & FLAG_AUTHORITATIVE) !== 0,
      truncated,
      recursionAvailable: (flags & FLAG_RECURSION_AVAILABLE) !== 0,
      question,
      answers,
      authorities,
      additionals,
    };
  }

  #questions(count: number): DnsQuestion | undefined {
    let question: DnsQuestion | undefined;
    for (let i = 0; i < count; i++) {
      const at = this.#at;
      const next = this.#name(at);
      const isText = this.#isText;
      this.#at = this.#within(next, TYPE_AND_CLASS);
      if (count > 1 || !isText) continue;
      const { name, type, class: klass } = dnsPacket.question.decode(this.#buffer, at);
      question = { name: name.toLowerCase(), type, class: klass };
    }
    return question;
  }

  #records(section: DnsRecord[], count: number): void {
    for (let i = 0; i < count; i++) {
      const record = this.#record();
      if (record !== undefined) section.push(record);
    }
  }

  /** Walks over a record, and reads it where it is one of ours. */
  #record(): DnsRecord | undefined {
    const at = this.#at;
    const fixed = this.#name(at);
    const isNamed = this.#isText;
    const data = this.#within(fixed, RECORD_FIELDS);
    const length = this.#uint16(fixed + 8);
    this.#at = this.#within(data, length);
    const type = TYPES[this.#uint16(fixed)];
    if (type === undefined || this.#uint16(fixed + 2) !== CLASS_IN) return undefined;
    this.#isText = true;
    this.#checkData(type, data, length);
    if (!isNamed || !this.#isText) return undefined;
    return recordOf(type, dnsPacket.answer.decode(this.#buffer, at));
  }

  /** Checks that a record's data has exactly the length that it is given. */
  #checkData(type: DnsRecord["type"], at: number, length: number): void {
    switch (type) {
      case "A":
        return check(length === 4);
      case "AAAA":
        return check(length === 16);
      case "PTR":
      case "CNAME":
        return check(this.#name(at) === at + length);
      case "SRV":
        return check(this.#name(at + SRV_FIXED_SIZE) === at + length);
      case "SOA": {
        const mailbox = this.#name(at);
        check(this.#name(mailbox) + SOA_FIXED_SIZE === at + length);
        // Neither name is used.
        this.#isText = true;
        return;
      }
      case "TXT": {
        const end = at + length;
        while (at < end) at += 1 + this.#buffer[at]!;
        return check(at === end);
      }
    }
  }

  /** Walks over the name at `at`; returns where it ends there. */
  #name(at: number): number {
    let end = -1;
    let size = 1;
    let pointers = 0;
    // dns-packet has it so, too: a pointer leads to before where its part of the name begins.
    let start = at;
    this.#isText = true;
    for (;;) {
      this.#within(at, 1);
      const length = this.#buffer[at]!;
      if (length === 0) return end < 0 ? at + 1 : end;
      if ((length & POINTER_BITS) === POINTER_BITS) {
        this.#within(at, 2);
        if (end < 0) end = at + 2;
        at = this.#uint16(at) & 0x3fff;
        check(at < start && at >= DNS_HEADER_SIZE && ++pointers <= MAX_LABELS);
        start = at;
        continue;
      }
      check(length <= MAX_LABEL_SIZE);
      size += 1 + length;
      check(size <= MAX_NAME_SIZE);
      const next = this.#within(at + 1, length);
      for (let i = at + 1; i < next; i++) this.#isText &&= isLabelByte(this.#buffer[i]!);
      at = next;
    }
  }

  #uint16(at: number): number {
    return (this.#buffer[at]! << 8) | this.#buffer[at + 1]!;
  }

  /** Where the `size` bytes at `at` end, which must lie within the message. */
  #within(at: number, size: number): number {
    check(at + size <= this.#buffer.length);
    return at + size;
  }
}

function check(holds: boolean): void {
  if (!holds) throw new Malformed();
}

/** Printable, and no dot, which dns-packet would make two labels of. */
function isLabelByte(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f && byte !== 0x2e;
}

/** What dns-packet read, with its fields looked at. */
function recordOf(
  type: DnsRecord["type"],
  { name: owner, type: read, data }: { name: string; type: string; data: unknown },
): DnsRecord | undefined {
  if (read !== type) return undefined;
  const name = owner.toLowerCase();
  switch (type) {
    case "SOA":
      return { type, name };
    case "A":
    case "AAAA":
      return typeof data === "string" ? { type, name, address: data } : undefined;
    case "PTR":
    case "CNAME":
      return typeof data === "string" ? { type, name, target: data.toLowerCase() } : undefined;
    case "TXT":
      return Array.isArray(data) && data.every((each) => each instanceof Uint8Array)
        ? { type, name, strings: data.map((each) => String.fromCharCode(...each)) }
        : undefined;
    case "SRV": {
      if (typeof data !== "object" || data === null) return undefined;
      const { priority, weight, port, target } = data as Readonly<Record<string, unknown>>;
      if (typeof priority !== "number" || typeof weight !== "number") return undefined;
      if (typeof port !== "number" || typeof target !== "string") return undefined;
      return { type, name, priority, weight, port, target: target.toLowerCase() };
    }
  }
}
