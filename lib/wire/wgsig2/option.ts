/**
 * The options of questions, answers and retries.
 *
 * ```
 *  0      1        2
 * +------+--------+--------------+
 * | TYPE | LENGTH | value        |   TYPE 0 is a single byte
 * +------+--------+--------------+
 * ```
 *
 * What is not known is passed over, and so is what is known and too short. A value that is longer
 * than this version knows it is taken for its first bytes. Of what stands more than once, and is no
 * list, the last one counts.
 *
 * docs/protocol-2.md, "Options".
 *
 * @module
 */

import { checkBounds, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import { readVersion, VERSION_SIZE, writeVersion } from "./cursor.ts";

/** What an option is. */
export const OPTION = {
  pad: 0,
  want: 1,
  cookie: 2,
  candidate: 3,
  key: 4,
  serverKey: 5,
  offers: 6,
  ack: 7,
  relay: 8,
  direct: 9,
  also: 10,
  roster: 11,
} as const;

/** Size of what stands before a value, in bytes. */
export const OPTION_HEAD_SIZE = 2;
/** The longest value, in bytes. */
export const MAX_VALUE_SIZE = 255;
/** Size of the first bytes of a public key by which it is named, in bytes. */
export const PREFIX_SIZE = 8;
/** Size of a cookie, in bytes. */
export const COOKIE_SIZE = 16;
/** The most ports of a list. */
export const MAX_PORTS = 4;
const PORT_SIZE = 2;
const PREFIXES_PER_OPTION = Math.floor(MAX_VALUE_SIZE / PREFIX_SIZE);

/** A value that may be left out. */
export interface OptionalBytes {
  /** Whether it is there. */
  isGiven: boolean;
  /** What it is, where it is given. */
  readonly value: WireBuffer;
}

/** Beginnings of public keys; or none are given, which is another thing than an empty list. */
export interface PrefixList {
  /** Whether there is a list. */
  isGiven: boolean;
  /** How many there are. */
  count: number;
  /** One after the other, 8 bytes each. */
  readonly bytes: WireBuffer;
}

/** An empty value to decode into. */
export function newOptional(size: number): OptionalBytes {
  return { isGiven: false, value: new WireBuffer(size) };
}

/** An empty list to decode into, with room for `most`. */
export function newPrefixes(most: number): PrefixList {
  return { isGiven: false, count: 0, bytes: new WireBuffer(most * PREFIX_SIZE) };
}

/** Ports in slots that are made once. */
export interface PortList {
  /** How many of the slots are in use. */
  count: number;
  /** {@linkcode MAX_PORTS} of them. */
  readonly ports: Uint16Array;
}

/** An empty list to decode into. */
export function newPorts(): PortList {
  return { count: 0, ports: new Uint16Array(MAX_PORTS) };
}

/** Goes from option to option, and makes nothing. */
export class OptionReader {
  /** Of the option that was read last: its type, */
  type: number = 0;
  /** where its value begins, */
  at: number = 0;
  /** and how long that is. */
  length: number = 0;
  /** Whether the bytes ended in the middle of an option. */
  isDamaged: boolean = false;
  #buffer: WireBuffer | undefined;
  #next = 0;
  #end = 0;

  /**
   * Starts with the options from `from` to `end`.
   *
   * @throws {RangeError} If they lie outside their buffer.
   */
  start(buffer: WireBuffer, from: number, end: number): void {
    checkBounds(buffer, from, end - from, "options");
    this.#buffer = buffer;
    this.#next = from;
    this.#end = end;
    this.isDamaged = end < from;
  }

  /** Goes to the next option that is no padding. Returns whether there is one. */
  next(): boolean {
    const buffer = this.#buffer;
    if (buffer === undefined || this.isDamaged) return false;
    const { bytes } = buffer;
    while (this.#next < this.#end && bytes[this.#next] === OPTION.pad) this.#next++;
    const left = this.#end - this.#next;
    if (left === 0) return false;
    this.type = bytes[this.#next]!;
    this.at = this.#next + OPTION_HEAD_SIZE;
    this.length = left < OPTION_HEAD_SIZE ? 0 : bytes[this.#next + 1]!;
    this.#next = this.at + this.length;
    this.isDamaged = this.#next > this.#end;
    return !this.isDamaged;
  }

  /** Copies the value where it is long enough. */
  take(into: OptionalBytes): void {
    const { size } = into.value;
    if (this.#buffer === undefined || this.length < size) return;
    copyBytes(this.#buffer, this.at, into.value, 0, size);
    into.isGiven = true;
  }

  /** Adds the prefixes of the value to a list, as far as that has room. */
  takePrefixes(into: PrefixList): void {
    into.isGiven = true;
    if (this.#buffer === undefined) return;
    const end = this.at + this.length - PREFIX_SIZE;
    for (let at = this.at; at <= end && into.count * PREFIX_SIZE < into.bytes.size; into.count++) {
      copyBytes(this.#buffer, at, into.bytes, into.count * PREFIX_SIZE, PREFIX_SIZE);
      at += PREFIX_SIZE;
    }
  }

  /** The version that the value is, or -1 where it is none. */
  takeVersion(): number {
    if (this.#buffer === undefined || this.length < VERSION_SIZE) return -1;
    const version = readVersion(this.#buffer, this.at);
    return version >= 0 ? version : -1;
  }

  /** Takes the ports of the value in the place of those of a list, the first four that aren't 0. */
  takePorts(into: PortList): void {
    into.count = 0;
    if (this.#buffer === undefined) return;
    const end = this.at + this.length - PORT_SIZE;
    for (let at = this.at; at <= end && into.count < MAX_PORTS; at += PORT_SIZE) {
      const port = this.#buffer.view.getUint16(at);
      if (port !== 0) into.ports[into.count++] = port;
    }
  }
}

/** Writes what stands before a value. Returns where the value begins. */
export function writeOptionHead(
  buffer: WireBuffer,
  at: number,
  type: number,
  length: number,
): number {
  checkBounds(buffer, at, OPTION_HEAD_SIZE + length, "an option");
  buffer.bytes[at] = type;
  buffer.bytes[at + 1] = length;
  return at + OPTION_HEAD_SIZE;
}

/** Writes an option where it is given. Returns where the next one begins. */
export function writeOptional(
  buffer: WireBuffer,
  at: number,
  type: number,
  { isGiven, value }: OptionalBytes,
): number {
  if (!isGiven) return at;
  const valueAt = writeOptionHead(buffer, at, type, value.size);
  copyBytes(value, 0, buffer, valueAt, value.size);
  return valueAt + value.size;
}

/** Writes a list in as many options as it needs. Returns where the next one begins. */
export function writePrefixes(
  buffer: WireBuffer,
  at: number,
  type: number,
  { isGiven, count, bytes }: PrefixList,
): number {
  if (!isGiven) return at;
  checkBounds(bytes, 0, count * PREFIX_SIZE, "prefixes of keys");
  let done = 0;
  do {
    const size = Math.min(count - done, PREFIXES_PER_OPTION) * PREFIX_SIZE;
    const valueAt = writeOptionHead(buffer, at, type, size);
    copyBytes(bytes, done * PREFIX_SIZE, buffer, valueAt, size);
    at = valueAt + size;
    done += PREFIXES_PER_OPTION;
  } while (done < count);
  return at;
}

/** Writes ports where there are any. Returns where the next option begins. */
export function writePorts(
  buffer: WireBuffer,
  at: number,
  type: number,
  { count, ports }: PortList,
): number {
  if (count === 0) return at;
  at = writeOptionHead(buffer, at, type, count * PORT_SIZE);
  for (let i = 0; i < count; i++) {
    buffer.view.setUint16(at, ports[i]!);
    at += PORT_SIZE;
  }
  return at;
}

/** Writes a version where there is one, which isn't negative. Returns where the next option begins. */
export function writeVersionOption(
  buffer: WireBuffer,
  at: number,
  type: number,
  version: number,
): number {
  if (version < 0) return at;
  const valueAt = writeOptionHead(buffer, at, type, VERSION_SIZE);
  writeVersion(buffer, valueAt, version);
  return valueAt + VERSION_SIZE;
}
