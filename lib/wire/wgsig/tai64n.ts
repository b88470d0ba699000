/**
 * TAI64N labels: the moment of a request, as the wgsig protocol writes it.
 *
 * ```
 *  0               8          12
 * +---------------+----------+
 * | seconds (u64) | ns (u32) |   seconds = 2^62 + Unix seconds (no leap-second offset)
 * +---------------+----------+
 * ```
 *
 * Source: https://cr.yp.to/libtai/tai64.html; the C programs add no leap seconds, so neither do we.
 *
 * @module
 */

import { checkBounds, type WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of a label, in bytes. */
export const LABEL_SIZE = 12;
/** Offset of the nanoseconds in a label. */
const NANOSECONDS = 8;
const HIGH_WORD = 2 ** 32;
/** The high word of 2^62: the label of 1970-01-01 00:00:00. */
const EPOCH_HIGH = 0x4000_0000;
/** Nanoseconds in a second: a label's last field is below this. */
export const NANOSECONDS_PER_SECOND = 1_000_000_000;

/** A moment, as a pair that is exact where a floating-point number of seconds is not. */
export interface Label {
  /** Unix seconds, 0 or more. */
  seconds: number;
  /** 0 to 999 999 999. */
  nanoseconds: number;
}

/**
 * Writes a label at `at`.
 *
 * @throws {RangeError} If a field is out of range or the buffer too small.
 */
export function writeLabel(buffer: WireBuffer, at: number, label: Label): void {
  checkBounds(buffer, at, LABEL_SIZE, "a TAI64N label");
  const { seconds, nanoseconds } = label;
  if (!Number.isSafeInteger(seconds) || seconds < 0) {
    throw new RangeError(`Cannot write a TAI64N label: seconds are ${seconds}`);
  }
  if (
    !Number.isInteger(nanoseconds) || nanoseconds < 0 || nanoseconds >= NANOSECONDS_PER_SECOND
  ) {
    throw new RangeError(`Cannot write a TAI64N label: nanoseconds are ${nanoseconds}`);
  }
  buffer.view.setUint32(at, EPOCH_HIGH + Math.floor(seconds / HIGH_WORD));
  buffer.view.setUint32(at + 4, seconds % HIGH_WORD);
  buffer.view.setUint32(at + NANOSECONDS, nanoseconds);
}

/**
 * The Unix seconds of the label at `at`, or NaN where it is none: bit 63 set, bit 62 clear (a
 * moment before 1970), or more seconds than a number holds exactly. The caller has checked bounds.
 */
export function readSeconds(buffer: WireBuffer, at: number): number {
  const high = buffer.view.getUint32(at) - EPOCH_HIGH;
  if (high < 0 || high >= 2 ** 21) return NaN;
  return high * HIGH_WORD + buffer.view.getUint32(at + 4);
}

/** The nanoseconds field of the label at `at`, unchecked: the C programs take 10^9 and more. */
export function readNanoseconds(buffer: WireBuffer, at: number): number {
  return buffer.view.getUint32(at + NANOSECONDS);
}

/** Whether two moments are in order: below 0 if `a` is earlier, 0 if they are the same. */
export function compareLabels(a: Label, b: Label): number {
  return a.seconds - b.seconds || a.nanoseconds - b.nanoseconds;
}

/**
 * The label of a wall-clock time.
 *
 * @param unix Seconds since 1970, with fractions.
 */
export function labelOf(unix: number): Label {
  const label = { seconds: 0, nanoseconds: 0 };
  setLabel(label, unix);
  return label;
}

/** The same into a label that is there, so that nothing is made. */
export function setLabel(label: Label, unix: number): void {
  const seconds = Math.floor(unix);
  const nanoseconds = Math.floor((unix - seconds) * NANOSECONDS_PER_SECOND);
  label.seconds = seconds;
  label.nanoseconds = Math.min(nanoseconds, NANOSECONDS_PER_SECOND - 1);
}
