/**
 * Signs a zone while it answers (RFC 4034, section 3): each record set gets an RRSIG of each of the
 * zone's keys. Signatures hold from an hour ago for a day, and are used again until less than half a
 * day of that is left.
 *
 * What doesn't exist is denied with one NSEC, made for the name that was asked (RFC 9824): it says that
 * the name is there, but only with types that nobody asks for.
 *
 * @module
 */

import { SIGNATURE_SIZE } from "../../../wire/crypto/signing.ts";
import {
  ADDITIONAL,
  type AnswerWriter,
  QUESTION_NAME,
  type SetCover,
} from "../../../wire/dns/answer.ts";
import { CanonicalSet, copyLower } from "../../../wire/dns/canonical.ts";
import { TYPE_NSEC, TYPE_RRSIG } from "../../../wire/dns/dnssec.ts";
import { MAX_NAME_SIZE } from "../../../wire/dns/name.ts";
import { writeNextName } from "../../../wire/dns/nsec.ts";
import type { DnsQuery } from "../../../wire/dns/query.ts";
import { copyBytes, WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { Now } from "../../net/clock.ts";
import { KeyRecords, type ParentRecords } from "./key_records.ts";
import { STATIC_TTL } from "./records.ts";
import type { SignatureCache } from "./signature_cache.ts";
import type { Signing } from "./signing.ts";
import type { ZoneKey } from "./zone_key.ts";
import type { QueryPath } from "./zone_view.ts";

/** The most keys of a zone. */
export const MAX_ZONE_KEYS = 4;

/** Says whether something may be signed anew for who asked this way. */
export type MayWork = (path: QueryPath, now: Now) => boolean;

/** Seconds that a signature is older than it is: clocks differ. */
const SINCE = 3600;
const LIFE = 86_400;
/** With less than that left, a signature is made anew, */
const RENEWED = 43_200;
/** or given nevertheless, where there is too much to do, down to that. */
const LEAST = 3600;

/** Pointer, type, class, TTL and size of data. */
const RECORD_HEAD = 12;
/** Of the data of an RRSIG, what stands before the signer's name. */
const RRSIG_FIELDS = 18;
/** Sets of more words are large. */
const LARGE = 1024;

/** A key, and what its RRSIGs begin with. */
interface Pen {
  readonly key: ZoneKey;
  readonly head: WireBuffer;
}

/** One zone's. */
export class ZoneSigner implements SetCover {
  /** See {@linkcode SetCover}. */
  readonly size: number;
  /** What the zone says of its keys. */
  readonly records: KeyRecords;
  readonly #name: Uint8Array;
  readonly #pens: readonly Pen[];
  readonly #signing: Signing;
  readonly #number: number;
  readonly #headSize: number;
  readonly #fresh: WireBuffer;
  readonly #set = new CanonicalSet();
  readonly #next = new WireBuffer(MAX_NAME_SIZE);
  readonly #lowered = new WireBuffer(MAX_NAME_SIZE);
  /** What is signed: the head of an RRSIG and the records. */
  #input = new WireBuffer(1024);
  readonly #inputRoom = (size: number): WireBuffer => {
    if (size > this.#input.size) this.#input = new WireBuffer(2 * size);
    return this.#input;
  };
  // Of the question that is being answered:
  #now: Now = { unix: 0, mono: 0 };
  #path: QueryPath | undefined;
  #mayWork: MayWork = () => false;
  /** The time in Unix seconds modulo 2^32, as an int32. */
  #unix = 0;
  #isLimited = false;
  /** Whether there are too many names like the one that was asked. */
  #isPassing = false;
  // Of the set that was read last:
  #inception = 0;
  #expiry = 0;

  /**
   * Makes a signer.
   *
   * @param name The zone's name, as encodeName makes it.
   * @param keys 1 to 4.
   * @param parent What the zone asks its parent for.
   * @throws {RangeError} If there are more keys, or none.
   */
  constructor(
    name: Uint8Array,
    keys: readonly ZoneKey[],
    signing: Signing,
    parent: ParentRecords = "publish",
  ) {
    if (keys.length < 1 || keys.length > MAX_ZONE_KEYS) {
      throw new RangeError(`Cannot sign a zone with ${keys.length} keys`);
    }
    this.#name = name;
    this.#signing = signing;
    this.#number = signing.numberOf(name, keys);
    this.#pens = keys.map((key) => ({ key, head: headOf(name, key) }));
    this.#headSize = RRSIG_FIELDS + name.length;
    this.size = keys.length * (RECORD_HEAD + this.#headSize + SIGNATURE_SIZE);
    this.#fresh = new WireBuffer(keys.length * SIGNATURE_SIZE);
    this.records = new KeyRecords(name, keys, parent);
  }

  /**
   * A question comes that is answered with signatures.
   *
   * @param mayWork Asked before something is signed anew.
   * @param isPassing Whether it is for a name of which there are more than can be kept, and which no
   *   peer has: what it owns is signed second, and soon forgotten.
   */
  begin(now: Now, path: QueryPath, mayWork: MayWork, isPassing: boolean): void {
    this.#now = now;
    this.#path = path;
    this.#unix = Math.floor(now.unix) | 0;
    this.#mayWork = mayWork;
    this.#isLimited = false;
    this.#isPassing = isPassing;
    this.#set.forget();
  }

  /**
   * Whether a signature is missing since {@linkcode begin}: there is too much to do, or a key failed.
   */
  get isLimited(): boolean {
    return this.#isLimited;
  }

  /**
   * See {@linkcode SetCover}.
   *
   * @param standsFor Stands for the set's data: see {@linkcode CanonicalSet.read}.
   */
  cover(writer: AnswerWriter, section: number, setAt: number, standsFor?: WireBuffer): boolean {
    const end = writer.take(0);
    if (end < 0 || writer.roomOf(0) < this.size) return false;
    const set = this.#set;
    const start = end - writer.offset;
    const { passing, counters } = this.#signing;
    if (standsFor !== undefined) {
      if (!set.read(writer.buffer, start, setAt, end, standsFor)) return false;
      if (this.#find(passing) === "fresh") return this.#write(writer, section, passing);
    }
    if (!set.read(writer.buffer, start, setAt, end)) return false;
    const cache = this.#cache;
    const found = this.#find(cache);
    let from: SignatureCache | undefined = cache;
    if (found !== "fresh") {
      const mayMake = this.#takeWork();
      const made = mayMake && this.#sign(cache);
      if (made !== false) from = made;
      else if (found === "none") {
        if (!mayMake) counters.add("dns-sign-limited");
        if (section !== ADDITIONAL) this.#isLimited = true;
        return false;
      } else this.#countReused();
    }
    const isWhole = this.#write(writer, section, from);
    if (isWhole && standsFor !== undefined) {
      // Next time, the records needn't be read.
      if (set.read(writer.buffer, start, setAt, end, standsFor)) this.#keep(writer, passing);
    }
    return isWhole;
  }

  /**
   * Writes the NSEC of the name that was asked, as a set (RFC 9824, section 3).
   *
   * @param bitmap The types that the name has, as typeBitmap makes it; with NXNAME, there is no such
   *   name.
   * @returns Whether it fits, with its signatures.
   */
  writeDenial(query: DnsQuery, writer: AnswerWriter, section: number, bitmap: Uint8Array): boolean {
    writer.open(section, QUESTION_NAME, TYPE_NSEC, STATIC_TTL);
    const at = writer.take(0);
    if (at >= 0) {
      const { nameSize } = query;
      const nameAt = at - writer.offset + QUESTION_NAME;
      copyLower(writer.buffer, nameAt, this.#lowered, 0, nameSize);
      const zoneSize = this.#name.length;
      writer.copy(
        this.#next,
        0,
        writeNextName(this.#lowered, 0, nameSize, zoneSize, this.#next, 0),
      );
      writer.bytes(bitmap);
    }
    return writer.closeSet(writer.close());
  }

  /** Whether the set that was read is one of too many: not the SOA of a negative answer. */
  get #passes(): boolean {
    return this.#isPassing && this.#set.ownerOffset === QUESTION_NAME;
  }

  /** Where signatures of the set that was read are kept. */
  get #cache(): SignatureCache {
    const { passing, lists, sets } = this.#signing;
    return this.#passes ? passing : this.#set.size > LARGE ? lists : sets;
  }

  /** Whether there are signatures of the set that was read: to be made anew, if possible, if "old". */
  #find(cache: SignatureCache): "fresh" | "old" | "none" {
    if (!cache.find(this.#set, this.#number)) return "none";
    this.#inception = cache.inception;
    this.#expiry = cache.expiry;
    const left = (this.#expiry - this.#unix) | 0;
    // As serial numbers (RFC 4034, section 3.1.5).
    if (((this.#unix - this.#inception) | 0) < 0 || left < LEAST) return "none";
    if (left < RENEWED) return "old";
    this.#countReused();
    return "fresh";
  }

  #countReused(): void {
    this.#signing.counters.add("dns-signature-reused", this.#pens.length);
  }

  #takeWork(): boolean {
    const path = this.#path!;
    const now = this.#now;
    const { work } = this.#signing;
    return this.#mayWork(path, now) &&
      work.take(path.transport, this.#pens.length, !this.#passes, now.mono);
  }

  /**
   * Signs the set that was read. Returns where the signatures are, if not in the buffer alone, or false:
   * what fails here must not take the answers to others with it.
   */
  #sign(cache: SignatureCache): SignatureCache | undefined | false {
    const set = this.#set;
    const before = [this.#inception, this.#expiry] as const;
    this.#inception = (this.#unix - SINCE) | 0;
    this.#expiry = (this.#unix + LIFE) | 0;
    const end = set.writeSorted(this.#inputRoom, this.#headSize);
    const input = this.#input.bytes.subarray(0, end);
    try {
      this.#pens.forEach((pen, i) => {
        this.#fill(pen);
        input.set(pen.head.bytes);
        this.#fresh.bytes.set(pen.key.signing.sign(input), i * SIGNATURE_SIZE);
      });
    } catch {
      this.#signing.counters.add("dns-sign-failed");
      [this.#inception, this.#expiry] = before;
      return false;
    }
    this.#signing.counters.add("dns-signed", this.#pens.length);
    const isKept = cache.add(
      set,
      this.#number,
      this.#fresh.bytes,
      this.#inception,
      this.#expiry,
    );
    return isKept ? cache : undefined;
  }

  /** Writes what an RRSIG of the set that was read begins with. */
  #fill({ head: { view } }: Pen): void {
    const set = this.#set;
    view.setUint16(0, set.type);
    view.setUint8(3, set.labels);
    view.setInt32(4, set.ttl);
    view.setInt32(8, this.#expiry);
    view.setInt32(12, this.#inception);
  }

  /** Writes the RRSIGs of the set that was read, with the signatures that were found or made last. */
  #write(writer: AnswerWriter, section: number, from: SignatureCache | undefined): boolean {
    const { ownerOffset, ttl } = this.#set;
    for (let i = 0; i < this.#pens.length; i++) {
      const pen = this.#pens[i]!;
      this.#fill(pen);
      writer.open(section, ownerOffset, TYPE_RRSIG, ttl);
      writer.copy(pen.head, 0, this.#headSize);
      const at = writer.take(SIGNATURE_SIZE);
      if (at >= 0) {
        if (from !== undefined) from.copy(i, writer.buffer, at);
        else copyBytes(this.#fresh, i * SIGNATURE_SIZE, writer.buffer, at, SIGNATURE_SIZE);
      }
      if (!writer.close()) return false;
    }
    return true;
  }

  /** Keeps the signatures that were written last for what was read. */
  #keep(writer: AnswerWriter, cache: SignatureCache): void {
    const record = this.size / this.#pens.length;
    const end = writer.take(0);
    for (let i = 0; i < this.#pens.length; i++) {
      const at = end - (this.#pens.length - i - 1) * record - SIGNATURE_SIZE;
      copyBytes(writer.buffer, at, this.#fresh, i * SIGNATURE_SIZE, SIGNATURE_SIZE);
    }
    cache.add(this.#set, this.#number, this.#fresh.bytes, this.#inception, this.#expiry);
  }
}

/** What the data of a key's RRSIGs begin with. */
function headOf(name: Uint8Array, { algorithm, tag }: ZoneKey): WireBuffer {
  const head = new WireBuffer(RRSIG_FIELDS + name.length);
  head.view.setUint8(2, algorithm);
  head.view.setUint16(16, tag);
  head.bytes.set(name, RRSIG_FIELDS);
  return head;
}
