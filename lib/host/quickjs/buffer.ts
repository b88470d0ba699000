/**
 * As much of Node's `Buffer` as dns-packet uses to write a question and to read an answer. The bundle
 * for QuickJS has it in the place of `node:buffer`.
 *
 * @module
 */

import { native } from "./native.ts";

/** Bytes with big-endian numbers and text in them. */
export class Buffer extends Uint8Array<ArrayBuffer> {
  /** The size of a text in UTF-8. */
  static byteLength(text: string): number {
    return native.encode(text).length;
  }

  /** A buffer of zeros. */
  static alloc(size: number): Buffer {
    return new Buffer(new ArrayBuffer(size));
  }

  /** Whether it is one. */
  static isBuffer(value: unknown): boolean {
    return value instanceof Buffer;
  }

  /**
   * Existing bytes, which are not copied: a buffer, an offset and a length. Or a text in UTF-8, or
   * a copy of other bytes.
   */
  static override from(source: unknown, ...range: readonly unknown[]): Buffer {
    if (typeof source === "string") return new Buffer(native.encode(source).buffer);
    if (source instanceof Uint8Array) return new Buffer(new Uint8Array(source).buffer);
    const [offset, length] = range;
    if (source instanceof ArrayBuffer && isSize(offset) && isSize(length)) {
      return new Buffer(source, offset, length);
    }
    throw new TypeError("Cannot make a Buffer: it is made of a text, or a part of an ArrayBuffer");
  }

  /** Node's shares the memory. */
  override slice(start?: number, end?: number): this {
    return this.subarray(start, end) as this;
  }

  readUInt8(at: number): number {
    return this[at] ?? outside(at);
  }

  readUInt16BE(at: number): number {
    return (this.readUInt8(at) << 8) | this.readUInt8(at + 1);
  }

  readUInt32BE(at: number): number {
    return this.readUInt16BE(at) * 0x10000 + this.readUInt16BE(at + 2);
  }

  writeUInt8(value: number, at: number): number {
    if (at < 0 || at >= this.length) outside(at);
    this[at] = value;
    return at + 1;
  }

  writeUInt16BE(value: number, at: number): number {
    this.writeUInt8(value >>> 8, at);
    return this.writeUInt8(value, at + 1);
  }

  writeUInt32BE(value: number, at: number): number {
    this.writeUInt16BE(value >>> 16, at);
    return this.writeUInt16BE(value, at + 2);
  }

  /** Writes a text, as much as there is room for, and returns how many bytes that was. */
  write(text: string, at = 0): number {
    const bytes = native.encode(text).subarray(0, Math.max(this.length - at, 0));
    this.set(bytes, at);
    return bytes.length;
  }

  copy(to: Uint8Array, toAt = 0, from = 0, end = this.length): number {
    const bytes = this.subarray(from, end).subarray(0, Math.max(to.length - toAt, 0));
    to.set(bytes, toAt);
    return bytes.length;
  }

  /** UTF-8, whatever is asked for: nothing else is. */
  override toString(_encoding?: string, from = 0, end: number = this.length): string {
    return native.decode(this.subarray(from, end));
  }
}

function isSize(value: unknown): value is number | undefined {
  return value === undefined || typeof value === "number";
}

function outside(at: number): never {
  throw new RangeError(`Cannot access byte ${at}: it lies outside of the buffer`);
}
