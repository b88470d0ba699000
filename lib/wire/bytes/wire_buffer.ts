/**
 * The buffer that every codec reads from and writes into.
 *
 * @module
 */

/**
 * A byte array with the one `DataView` that is made for it, so that codecs read and write
 * big-endian fields without making anything per datagram.
 *
 * The bytes belong to whoever made the buffer. A codec keeps no reference to it after it returned.
 */
export class WireBuffer {
  /** The bytes themselves. */
  readonly bytes: Uint8Array;
  /** A view of exactly these bytes: offset 0 is `bytes[0]`, whatever `bytes.byteOffset` is. */
  readonly view: DataView;

  /**
   * Makes a buffer.
   *
   * @param source A size in bytes (zero-filled), or existing bytes, which are not copied.
   */
  constructor(source: number | Uint8Array) {
    this.bytes = typeof source === "number" ? new Uint8Array(source) : source;
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /** The number of bytes. */
  get size(): number {
    return this.bytes.byteLength;
  }
}

/** The bytes of all parts, one after the other: a new array, also of a single part. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const { length } of parts) size += length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Copies `length` bytes between buffers without making a subarray. They must not overlap. */
export function copyBytes(
  from: WireBuffer,
  fromAt: number,
  to: WireBuffer,
  toAt: number,
  length: number,
): void {
  const words = length - length % 4;
  for (let i = 0; i < words; i += 4) to.view.setInt32(toAt + i, from.view.getInt32(fromAt + i));
  for (let i = words; i < length; i++) to.bytes[toAt + i] = from.bytes[fromAt + i]!;
}

/**
 * Whether `length` bytes of two buffers are the same, in a time that depends on `length` alone.
 * For MACs, and for everything else that an attacker must not learn byte by byte.
 */
export function equalBytes(
  a: WireBuffer,
  aAt: number,
  b: WireBuffer,
  bAt: number,
  length: number,
): boolean {
  const words = length - length % 4;
  let difference = 0;
  for (let i = 0; i < words; i += 4) {
    difference |= a.view.getInt32(aAt + i) ^ b.view.getInt32(bAt + i);
  }
  for (let i = words; i < length; i++) difference |= a.bytes[aAt + i]! ^ b.bytes[bAt + i]!;
  return difference === 0;
}

/** Whether two arrays are of one size and the same, in a time that depends on the sizes alone. */
export function areSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/**
 * Checks that a field of `bits` bits can hold `value`.
 *
 * @throws {RangeError} If it can't.
 */
export function checkField(value: number, bits: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** bits) {
    throw new RangeError(`Cannot write ${what}: ${value} does not fit in ${bits} bits`);
  }
}

/**
 * Checks once, at the top of a codec, that `size` bytes lie at `at`.
 *
 * @throws {RangeError} If they do not.
 */
export function checkBounds(buffer: WireBuffer, at: number, size: number, what: string): void {
  if (at < 0 || at + size > buffer.size) {
    throw new RangeError(
      `Cannot access ${what}: it needs ${size} bytes at offset ${at}, the buffer has ${buffer.size}`,
    );
  }
}
