/**
 * The canonical form of a record set (RFC 4034, section 6; RFC 6840, section 5.1), read from the
 * message that the set stands in: pointers expanded, ASCII letters of names in lower case, records
 * sorted by their data, none of them twice.
 *
 * ```
 * 0                1     2                                        (words of 4 bytes)
 * +----------------+-----+------------------------+----------------------------------+
 * | owner's        | TTL | owner, zeros up to     | of each record: size of its data |
 * | size(16), type |     | the end of a word      | (2 bytes), data; zeros likewise  |
 * +----------------+-----+------------------------+----------------------------------+
 * ```
 *
 * Words that are the same are record sets that are the same, in whatever order they are listed.
 *
 * Names are looked for in the data of NS, SOA, PTR and SRV, all other data is taken as it is. NSEC
 * would be, too (RFC 6840).
 *
 * @module
 */

import { CLASS_IN, QUESTION_NAME } from "./answer.ts";
import { lower, MAX_NAME_SIZE, POINTER_BITS, skipName } from "./name.ts";
import { RECORD_FIELDS } from "./record.ts";
import { copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";

const TYPE_NS = 2;
const TYPE_SOA = 6;
const TYPE_PTR = 12;
const TYPE_SRV = 33;
/** Priority, weight and port. */
const SRV_FIELDS = 6;
/** Size of a pointer, and of the size of data. */
const UINT16 = 2;
/** Words before the owner. */
const HEAD_WORDS = 2;
const OWNER_AT = 4 * HEAD_WORDS;
/** The bit beside the owner's size where something stands for the records' data. */
const STANDS_FOR = 0x8000_0000 | 0;
const FIRST_SIZE = 4096;
const ASTERISK = 0x2a;

/**
 * Copies `size` bytes of whole labels (or of a name), ASCII letters in lower case. Lengths are never
 * letters, being below 64.
 */
export function copyLower(
  from: WireBuffer,
  at: number,
  to: WireBuffer,
  toAt: number,
  size: number,
): void {
  const words = size & ~3;
  for (let i = 0; i < words; i += 4) {
    const word = from.view.getInt32(at + i);
    const low = word & 0x7f7f_7f7f;
    // The highest bit of each byte: "A" or more, not above "Z", ASCII.
    const upper = (low + 0x3f3f_3f3f) & ~(low + 0x2525_2525) & ~word & 0x8080_8080;
    to.view.setInt32(toAt + i, word | (upper >>> 2));
  }
  for (let i = words; i < size; i++) to.bytes[toAt + i] = lower(from.bytes[at + i]!);
}

/** One record set after the other; what is made is kept for the next. */
export class CanonicalSet {
  #bytes = new WireBuffer(FIRST_SIZE);
  #words = new Int32Array(this.#bytes.bytes.buffer);
  #size = 0;
  #recordsAt = 0;
  #recordsSize = 0;
  #count = 0;
  #ownerSize = 0;
  #ownerOffset = 0;
  /** Whether the owner that was read last is the question's name. */
  #isQuestion = false;
  #labels = 0;
  // Of the message that is being read:
  #message = this.#bytes;
  #start = 0;
  #end = 0;
  /** Where the name that was read last ends. */
  #nameEnd = 0;

  /** The words of the set: the first {@linkcode size} of them. Others after {@linkcode read}. */
  get words(): Int32Array {
    return this.#words;
  }

  /** How many words there are. */
  get size(): number {
    return this.#size;
  }

  /** The type of the records. */
  get type(): number {
    return this.#words[0]! & 0xffff;
  }

  /** Their TTL, as an int32. */
  get ttl(): number {
    return this.#words[1]!;
  }

  /** How many labels the owner has, without the root and a leftmost "*" (RFC 4034, section 3.1.3). */
  get labels(): number {
    return this.#labels;
  }

  /** Where in the message there is the owner's name. */
  get ownerOffset(): number {
    return this.#ownerOffset;
  }

  /** Another message comes. */
  forget(): void {
    this.#isQuestion = false;
  }

  /**
   * Reads the set whose records lie from `at` to `end` in a message that starts at `start`.
   *
   * @param standsFor Where it is handed in, these bytes are taken for the records' data: they are
   *   never the same where the data isn't. A multiple of 4.
   * @returns Whether they are whole records, of one type and TTL and of class IN.
   */
  read(
    message: WireBuffer,
    start: number,
    at: number,
    end: number,
    standsFor?: WireBuffer,
  ): boolean {
    this.#message = message;
    this.#start = start;
    this.#end = end;
    this.#size = 0;
    if (!this.#readOwner(at)) return false;
    const fields = skipName(message, at, end);
    if (fields < 0 || fields + RECORD_FIELDS > end) return false;
    const { view } = message;
    const type = view.getUint16(fields);
    const ttl = view.getInt32(fields + 4);
    const words = this.#words;
    words[0] = (this.#ownerSize << 16) | type;
    words[1] = ttl;
    if (standsFor !== undefined) {
      words[0] |= STANDS_FOR;
      this.#room(this.#recordsAt + standsFor.size);
      copyBytes(standsFor, 0, this.#bytes, this.#recordsAt, standsFor.size);
      this.#recordsSize = standsFor.size;
      this.#count = 0;
      this.#pad();
      return true;
    }
    return this.#readRecords(at, type, ttl);
  }

  #readRecords(first: number, type: number, ttl: number): boolean {
    const message = this.#message;
    const { view } = message;
    const end = this.#end;
    let out = this.#recordsAt;
    let count = 0;
    for (let at = first; at < end;) {
      const fields = skipName(message, at, end);
      const data = fields + RECORD_FIELDS;
      if (fields < 0 || data > end) return false;
      const size = view.getUint16(fields + 8);
      at = data + size;
      const isOfSet = view.getUint16(fields) === type && view.getInt32(fields + 4) === ttl &&
        view.getUint16(fields + 2) === CLASS_IN;
      if (!isOfSet || at > end) return false;
      const written = this.#readData(type, data, size, out + UINT16);
      if (written < 0) return false;
      this.#bytes.view.setUint16(out, written);
      out += UINT16 + written;
      count++;
    }
    this.#count = count;
    this.#recordsSize = out - this.#recordsAt;
    if (count > 1) this.#sort();
    this.#pad();
    return true;
  }

  /** Fills the last word with zeros. */
  #pad(): void {
    let end = this.#recordsAt + this.#recordsSize;
    this.#room(end + 4);
    while (end % 4 !== 0) this.#bytes.bytes[end++] = 0;
    this.#size = end / 4;
  }

  #room(size: number): void {
    if (size <= this.#bytes.size) return;
    const larger = new WireBuffer(2 * size + (-2 * size & 3));
    larger.bytes.set(this.#bytes.bytes);
    this.#bytes = larger;
    this.#words = new Int32Array(larger.bytes.buffer);
  }

  #readOwner(at: number): boolean {
    const { view } = this.#message;
    if (at + UINT16 > this.#end) return false;
    const pointer = view.getUint16(at) ^ (POINTER_BITS << 8);
    const isPointer = pointer < POINTER_BITS << 8 && this.#message.bytes[at]! >= POINTER_BITS;
    this.#ownerOffset = isPointer ? pointer : at - this.#start;
    // Of several sets in a message, most are of the name that was asked.
    if (isPointer && pointer === QUESTION_NAME && this.#isQuestion) return true;
    this.#isQuestion = false;
    const size = this.#readName(at, OWNER_AT);
    if (size < 0) return false;
    const { bytes } = this.#bytes;
    let labels = 0;
    for (let i = OWNER_AT; bytes[i] !== 0; i += 1 + bytes[i]!) labels++;
    if (bytes[OWNER_AT] === 1 && bytes[OWNER_AT + 1] === ASTERISK) labels--;
    let end = OWNER_AT + size;
    while (end % 4 !== 0) bytes[end++] = 0;
    this.#ownerSize = size;
    this.#labels = labels;
    this.#recordsAt = end;
    this.#isQuestion = isPointer && pointer === QUESTION_NAME;
    return true;
  }

  /** Writes the data of a record to `out`. Returns its size, or -1. */
  #readData(type: number, at: number, size: number, out: number): number {
    this.#room(out + size + 2 * MAX_NAME_SIZE);
    let names = 0;
    let from = at;
    let to = out;
    switch (type) {
      case TYPE_SRV:
        if (size < SRV_FIELDS) return -1;
        copyBytes(this.#message, from, this.#bytes, to, SRV_FIELDS);
        from += SRV_FIELDS;
        to += SRV_FIELDS;
        names = 1;
        break;
      case TYPE_NS:
      case TYPE_PTR:
        names = 1;
        break;
      case TYPE_SOA:
        names = 2;
        break;
    }
    const end = at + size;
    for (; names > 0; names--) {
      const written = this.#readName(from, to);
      from = this.#nameEnd;
      if (written < 0 || from > end) return -1;
      to += written;
    }
    copyBytes(this.#message, from, this.#bytes, to, end - from);
    return to + end - from - out;
  }

  /** Writes the name at `at` to `out`, where there is room. Returns its size, or -1. */
  #readName(at: number, out: number): number {
    const { bytes, view } = this.#message;
    let size = 0;
    let runAt = at;
    /** What is pointed to must lie before this: so it ends. */
    let before = at;
    let isFirst = true;
    for (;;) {
      if (at >= this.#end) return -1;
      const length = bytes[at]!;
      if (length > 0 && length < 0x40) {
        at += 1 + length;
        if (size + at - runAt >= MAX_NAME_SIZE) return -1;
        continue;
      }
      const isEnd = length === 0;
      const run = at - runAt + (isEnd ? 1 : 0);
      if (size + run > MAX_NAME_SIZE || at + (isEnd ? 1 : UINT16) > this.#end) return -1;
      copyLower(this.#message, runAt, this.#bytes, out + size, run);
      size += run;
      if (isFirst) this.#nameEnd = at + (isEnd ? 1 : UINT16);
      if (isEnd) return size;
      if (length < POINTER_BITS) return -1;
      isFirst = false;
      at = runAt = this.#start + (view.getUint16(at) & 0x3fff);
      if (at >= before) return -1;
      before = at;
    }
  }

  /**
   * Writes the set as it is signed (RFC 4034, section 3.1.8.1): all records whole, in their order.
   *
   * @param out Asked for a buffer that has room for so many bytes in all.
   * @param at Where in the buffer the first one goes.
   * @returns Where the last one ends.
   */
  writeSorted(out: (size: number) => WireBuffer, at: number): number {
    const head = this.#ownerSize + RECORD_FIELDS - UINT16;
    const to = out(at + this.#recordsSize + this.#count * head);
    let place = this.#recordsAt;
    for (let i = 0; i < this.#count; i++) {
      copyBytes(this.#bytes, OWNER_AT, to, at, this.#ownerSize);
      at += this.#ownerSize;
      to.view.setUint16(at, this.type);
      to.view.setUint16(at + 2, CLASS_IN);
      to.view.setInt32(at + 4, this.ttl);
      at += RECORD_FIELDS - UINT16;
      const size = UINT16 + this.#bytes.view.getUint16(place);
      copyBytes(this.#bytes, place, to, at, size);
      at += size;
      place += size;
    }
    return at;
  }

  /** Puts the records in order, none of them twice. */
  #sort(): void {
    const places: number[] = [];
    for (let at = this.#recordsAt; places.length < this.#count;) {
      places.push(at);
      at += UINT16 + this.#bytes.view.getUint16(at);
    }
    if (places.every((place, i) => i === 0 || this.#compare(places[i - 1]!, place) < 0)) return;
    places.sort((a, b) => this.#compare(a, b));
    const from = new WireBuffer(this.#bytes.bytes.slice(0, this.#recordsAt + this.#recordsSize));
    const kept = places.filter((place, i) => i === 0 || this.#compare(places[i - 1]!, place) !== 0);
    let at = this.#recordsAt;
    for (const place of kept) {
      const size = UINT16 + from.view.getUint16(place);
      copyBytes(from, place, this.#bytes, at, size);
      at += size;
    }
    this.#count = kept.length;
    this.#recordsSize = at - this.#recordsAt;
  }

  /** As rows of octets, of which a row's end comes before all others (RFC 4034, section 6.3). */
  #compare(a: number, b: number): number {
    const { bytes, view } = this.#bytes;
    const sizeA = view.getUint16(a);
    const sizeB = view.getUint16(b);
    const both = UINT16 + Math.min(sizeA, sizeB);
    for (let i = UINT16; i < both; i++) {
      const difference = bytes[a + i]! - bytes[b + i]!;
      if (difference !== 0) return difference;
    }
    return sizeA - sizeB;
  }
}
