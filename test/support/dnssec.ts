/**
 * Checks signed DNS answers: another reading of RFC 4034, 4035, 6840 and 9824 than the server's.
 * Names are lists of labels here, records are objects, nothing is fast.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** A name: its labels, each character a byte, as they came. */
export type Labels = readonly string[];

/** A record. */
export interface SignedRecord {
  readonly section: "answer" | "authority" | "additional";
  readonly owner: Labels;
  readonly type: number;
  readonly ttl: number;
  /** In canonical form. */
  readonly data: Uint8Array;
}

/** A signature. */
export interface Rrsig {
  readonly covered: number;
  readonly algorithm: number;
  readonly labels: number;
  readonly ttl: number;
  readonly expiry: number;
  readonly inception: number;
  readonly tag: number;
  readonly signer: Labels;
  readonly signature: Uint8Array;
}

/** What a message says. */
export interface SignedMessage {
  readonly flags: number;
  readonly rcode: number;
  readonly question: { readonly name: Labels; readonly type: number };
  /** Without the OPT and a TSIG. */
  readonly records: readonly SignedRecord[];
}

/** What is believed of a zone. */
export interface Trust {
  /** Its name, in lower case. */
  readonly zone: Labels;
  /** The data of its DNSKEYs. */
  readonly keys: readonly Uint8Array[];
  /** Unix seconds. */
  readonly now: number;
  /** What says whether a signature is right, where keys are none. */
  readonly isRight?: (dnskey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
}

/** Types by number. */
const NS = 2, SOA = 6, PTR = 12, SRV = 33, OPT = 41, RRSIG = 46, NSEC = 47, TSIG = 250;
/** The type of names that don't exist. */
export const NXNAME = 128;
const SECTIONS = ["answer", "authority", "additional"] as const;

/** A name of text, labels divided by dots. */
export function labelsOf(text: string): Labels {
  return text.split(".").filter((label) => label !== "");
}

/** In lower case, as bytes. */
export function canonicalName(labels: Labels): number[] {
  const bytes = labels.flatMap((label) => [
    label.length,
    ...Array.from(lowered(label), (each) => each.charCodeAt(0)),
  ]);
  return [...bytes, 0];
}

function lowered(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Whether two names are the same. */
export function isSameName(a: Labels, b: Labels): boolean {
  return a.length === b.length && a.every((label, i) => lowered(label) === lowered(b[i]!));
}

/** The order of names (RFC 4034, section 6.1): below 0 where `a` comes before `b`. */
export function compareNames(a: Labels, b: Labels): number {
  for (let i = 1; i <= Math.min(a.length, b.length); i++) {
    const x = lowered(a.at(-i)!);
    const y = lowered(b.at(-i)!);
    if (x !== y) return x < y ? -1 : 1;
  }
  return a.length - b.length;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

class Reader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  uint(size: number): number {
    assert(this.at + size <= this.bytes.length, "cut off");
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.bytes[this.at++]!;
    return value;
  }

  take(size: number): Uint8Array {
    assert(this.at + size <= this.bytes.length, "cut off");
    this.at += size;
    return this.bytes.slice(this.at - size, this.at);
  }

  /** @param pointers How many may be followed. */
  name(pointers = 100): Labels {
    const length = this.uint(1);
    if (length >= 0xc0) {
      assert(pointers > 0, "a pointer where there may be none");
      const target = (length - 0xc0) * 256 + this.uint(1);
      assert(target < this.at - 2, "a pointer forwards");
      return new Reader(this.bytes, target).name(pointers - 1);
    }
    if (length === 0) return [];
    assert(length < 0x40);
    const label = String.fromCharCode(...this.take(length));
    return [label, ...this.name(pointers)];
  }

  /** The data of a record, in canonical form. */
  data(type: number, size: number): Uint8Array {
    const end = this.at + size;
    const bytes: number[] = [];
    if (type === SRV) bytes.push(...this.take(6));
    const names = type === SOA ? 2 : type === NS || type === PTR || type === SRV ? 1 : 0;
    // RFC 2782: the target of an SRV is not compressed.
    for (let i = 0; i < names; i++) bytes.push(...canonicalName(this.name(type === SRV ? 0 : 100)));
    bytes.push(...this.take(end - this.at));
    assertEquals(this.at, end);
    return Uint8Array.from(bytes);
  }
}

/** Reads a message to its last byte. */
export function readSigned(message: Uint8Array): SignedMessage {
  const reader = new Reader(message, 2);
  const flags = reader.uint(2);
  assertEquals(reader.uint(2), 1, "questions");
  const counts = SECTIONS.map(() => reader.uint(2));
  const question = { name: reader.name(0), type: reader.uint(2) };
  assertEquals(reader.uint(2), 1, "class");
  let rcode = flags & 15;
  const records: SignedRecord[] = [];
  SECTIONS.forEach((section, i) => {
    for (let left = counts[i]!; left > 0; left--) {
      const owner = reader.name();
      const type = reader.uint(2);
      const klass = reader.uint(2);
      const ttl = reader.uint(4);
      const data = reader.data(type, reader.uint(2));
      if (type === OPT) rcode |= Math.floor(ttl / 2 ** 24) << 4;
      if (type === OPT || type === TSIG) continue;
      assertEquals(klass, 1, "class");
      records.push({ section, owner, type, ttl, data });
    }
  });
  assertEquals(reader.at, message.length, "bytes behind");
  return { flags, rcode, question, records };
}

/** The fields of a signature: of its data. */
export function readRrsig(data: Uint8Array): Rrsig {
  const reader = new Reader(data);
  return {
    covered: reader.uint(2),
    algorithm: reader.uint(1),
    labels: reader.uint(1),
    ttl: reader.uint(4),
    expiry: reader.uint(4),
    inception: reader.uint(4),
    tag: reader.uint(2),
    signer: reader.name(0),
    signature: reader.take(data.length - reader.at),
  };
}

/** The number of a key (RFC 4034, appendix B). */
export function tagOf(dnskey: Uint8Array): number {
  let sum = 0;
  dnskey.forEach((byte, i) => sum += i & 1 ? byte : byte * 256);
  return (sum + Math.floor(sum / 65_536)) % 65_536;
}

/** The data of the DS of a key, with SHA-256. */
export function dsOf(zone: Labels, dnskey: Uint8Array): Uint8Array {
  const digest = sha256(Uint8Array.from([...canonicalName(zone), ...dnskey]));
  const tag = tagOf(dnskey);
  return Uint8Array.from([tag >> 8, tag & 255, dnskey[3]!, 2, ...digest]);
}

function bigEndian(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) % 256);
}

/** What a signature covers (RFC 4034, section 3.1.8.1). */
export function signedBytes(rrsig: Rrsig, set: readonly SignedRecord[]): Uint8Array {
  const { owner, type } = set[0]!;
  const fields = [
    ...bigEndian(rrsig.covered, 2),
    rrsig.algorithm,
    rrsig.labels,
    ...bigEndian(rrsig.ttl, 4),
    ...bigEndian(rrsig.expiry, 4),
    ...bigEndian(rrsig.inception, 4),
    ...bigEndian(rrsig.tag, 2),
    ...canonicalName(rrsig.signer),
  ];
  const head = [
    ...canonicalName(owner),
    ...bigEndian(type, 2),
    0,
    1,
    ...bigEndian(rrsig.ttl, 4),
  ];
  const sorted = set.map(({ data }) => data).toSorted(compareBytes);
  const distinct = sorted.filter((data, i) => i === 0 || compareBytes(data, sorted[i - 1]!) !== 0);
  const parts = distinct.flatMap((
    data,
  ) => [Uint8Array.from([...head, ...bigEndian(data.length, 2)]), data]);
  return Uint8Array.from([Uint8Array.from(fields), ...parts].flatMap((part) => [...part]));
}

// A signature that is used again is verified once: it takes milliseconds.
const verified = new Map<string, boolean>();

function verifies(dnskey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const id = [sha256(dnskey), sha256(message), signature].join(" ");
  const known = verified.get(id);
  if (known !== undefined) return known;
  const key = dnskey.slice(4);
  const right = dnskey[3] === 15
    ? ed25519.verify(signature, message, key)
    : p256.verify(signature, message, Uint8Array.from([4, ...key]), {
      lowS: false,
      format: "compact",
    });
  if (verified.size > 5000) verified.clear();
  verified.set(id, right);
  return right;
}

/** Whether the 32-bit time `a` is not after `b` (RFC 1982). */
function isNotAfter(a: number, b: number): boolean {
  return ((b - a) | 0) >= 0;
}

/** The record sets of a section, without signatures. */
export function setsOf(message: SignedMessage, section?: SignedRecord["section"]) {
  const sets: SignedRecord[][] = [];
  for (const record of message.records) {
    if (record.type === RRSIG || (section !== undefined && record.section !== section)) continue;
    const set = sets.find(([first]) => isOfSet(first!, record));
    if (set === undefined) sets.push([record]);
    else set.push(record);
  }
  return sets;
}

function isOfSet(a: SignedRecord, b: SignedRecord): boolean {
  return a.section === b.section && a.type === b.type && isSameName(a.owner, b.owner);
}

/** Checks one signature of a set. */
export function checkRrsig(rrsig: Rrsig, set: readonly SignedRecord[], trust: Trust): void {
  const { zone, keys, now } = trust;
  const { owner, type, ttl } = set[0]!;
  assertEquals(rrsig.covered, type);
  assert(isSameName(rrsig.signer, zone), "another signer");
  assertEquals(rrsig.signer.join("."), lowered(rrsig.signer.join(".")), "signer not in lower case");
  assert(isSameName(owner.slice(owner.length - zone.length), zone), "not in the zone");
  assertEquals(rrsig.ttl, ttl);
  for (const each of set) assertEquals(each.ttl, ttl, "TTLs of one set");
  assertEquals(rrsig.labels, owner.length - (owner[0] === "*" ? 1 : 0), "labels");
  const time = Math.floor(now) % 2 ** 32;
  assert(isNotAfter(rrsig.inception, time), "not yet valid");
  assert(isNotAfter(time, rrsig.expiry), "expired");
  const key = keys.find((each) => tagOf(each) === rrsig.tag && each[3] === rrsig.algorithm);
  assert(key !== undefined, "no such key");
  const { isRight = verifies } = trust;
  assert(isRight(key, signedBytes(rrsig, set), rrsig.signature), `a forged signature of ${type}`);
}

/** Checks that each set has a right signature of each key, and that there are no others. */
export function checkSignatures(message: SignedMessage, trust: Trust): void {
  const rrsigs = message.records.filter(({ type }) => type === RRSIG);
  let checked = 0;
  for (const set of setsOf(message)) {
    const first = set[0]!;
    const own = rrsigs.filter((each) =>
      each.section === first.section && isSameName(each.owner, first.owner) &&
      readRrsig(each.data).covered === first.type
    );
    const tags = own.map(({ data }) => readRrsig(data).tag);
    assertEquals(tags.toSorted(), trust.keys.map(tagOf).toSorted(), `signatures of ${first.type}`);
    for (const { data, ttl } of own) {
      assertEquals(ttl, first.ttl);
      checkRrsig(readRrsig(data), set, trust);
    }
    checked += own.length;
  }
  assertEquals(rrsigs.length, checked, "signatures of nothing");
}

/** An NSEC: of its data. */
export function readNsec(data: Uint8Array): { readonly next: Labels; readonly types: number[] } {
  const reader = new Reader(data);
  const next = reader.name(0);
  const types: number[] = [];
  for (let before = -1; reader.at < data.length;) {
    const block = reader.uint(1);
    assert(block > before, "blocks out of order");
    before = block;
    const size = reader.uint(1);
    assert(size >= 1 && size <= 32);
    const bits = reader.take(size);
    assert(bits[size - 1] !== 0, "zeros at the end of a block");
    bits.forEach((byte, i) => {
      for (let bit = 0; bit < 8; bit++) {
        if (byte & (0x80 >> bit)) types.push(block * 256 + i * 8 + bit);
      }
    });
  }
  return { next, types };
}

/** The size of a name, in bytes. */
export function sizeOf(name: Labels): number {
  return name.reduce((size, label) => size + 1 + label.length, 1);
}

/**
 * Checks that nothing lies between a name and the next one but what would be too long: after it come
 * names below it, and names beside it that are longer.
 */
export function checkNext(name: Labels, next: Labels, zone: Labels): void {
  assert(sizeOf(next) <= 255, "too long a name");
  for (const label of next) assert(label.length >= 1 && label.length <= 63);
  if (isSameName(next, zone)) return;
  assert(isSameName(next.slice(next.length - zone.length), zone), "out of the zone");
  assert(compareNames(name, next) < 0, "not the next");
  if (sizeOf(name) <= 253) {
    assert(isSameName(next, ["\0", ...name]), "something lies between");
    return;
  }
  // What there is directly behind it: none of it may come before the next one.
  assert(next.length <= name.length);
  const behind: Labels[] = [];
  for (let up = 0; up < name.length - zone.length; up++) {
    const [first, ...rest] = name.slice(up) as [string, ...string[]];
    behind.push([`${first}\0`, ...rest]);
    for (let i = first.length - 1; i >= 0; i--) {
      const more = first.charCodeAt(i) + 1;
      if (more > 255) continue;
      const last = String.fromCharCode(more >= 0x41 && more <= 0x5a ? 0x5b : more);
      behind.push([first.slice(0, i) + last, ...rest]);
    }
  }
  for (const each of behind) {
    const isName = sizeOf(each) <= 255 && each.every((label) => label.length <= 63);
    if (isName) {
      assert(
        compareNames(name, each) > 0 || compareNames(each, next) >= 0,
        "something lies between",
      );
    }
  }
}

/** What an answer says of the name and type that was asked. */
export type Verdict = "answer" | "nodata" | "nxdomain";

/**
 * Checks all of an answer with DO that is not cut: signatures, and where nothing was found, that its
 * NSEC says so.
 *
 * @returns What it proves.
 */
export function checkSigned(bytes: Uint8Array, trust: Trust): Verdict {
  const message = readSigned(bytes);
  checkSignatures(message, trust);
  const { name, type } = message.question;
  const answers = setsOf(message, "answer");
  if (answers.length > 0) {
    for (const [first] of answers) {
      assert(isSameName(first!.owner, name));
      assert(type === 255 || first!.type === type);
      if (type === NSEC) checkNext(name, readNsec(first!.data).next, trust.zone);
    }
    assertEquals(message.rcode, 0);
    return "answer";
  }
  const authority = setsOf(message, "authority");
  assertEquals(authority.map(([first]) => first!.type).toSorted(), [NSEC, SOA].toSorted());
  const soa = authority.find(([first]) => first!.type === SOA)!;
  assertEquals(soa.length, 1);
  assert(isSameName(soa[0]!.owner, trust.zone));
  const nsec = authority.find(([first]) => first!.type === NSEC)!;
  assertEquals(nsec.length, 1);
  assert(isSameName(nsec[0]!.owner, name), "the NSEC of another name");
  const minimum = new Reader(soa[0]!.data.slice(-4)).uint(4);
  assertEquals(nsec[0]!.ttl, Math.min(soa[0]!.ttl, minimum), "TTL of NSEC (RFC 9077)");
  const { next, types } = readNsec(nsec[0]!.data);
  checkNext(name, next, trust.zone);
  assert(types.includes(RRSIG) && types.includes(NSEC));
  assert(!types.includes(type), "the type that was asked is there");
  if (types.includes(NS) && !types.includes(SOA)) {
    assertEquals(type, 43, "a delegation says no more than that there is no DS");
  }
  if (!types.includes(NXNAME)) {
    assertEquals(message.rcode, 0);
    return "nodata";
  }
  assertEquals(types, [RRSIG, NSEC, NXNAME]);
  assert(message.rcode === 0 || message.rcode === 3);
  return "nxdomain";
}
