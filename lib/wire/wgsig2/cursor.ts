/**
 * How far a client knows what changed: which registry's count, and where in it.
 *
 * ```
 *  0       8         16
 * +-------+---------+
 * | EPOCH | VERSION |   zeros: nothing is known
 * +-------+---------+
 * ```
 *
 * docs/protocol-2.md, "What changes".
 *
 * @module
 */

import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of an epoch, in bytes: drawn at random by a registry, and told by it. */
export const EPOCH_SIZE = 8;
/** Size of a version, in bytes. */
export const VERSION_SIZE = 8;
const HIGH_WORD = 2 ** 32;
/** The high words of what a number holds exactly are below this. */
const HIGH_END = 2 ** 21;

/** Writes a version. The caller has checked bounds. @throws {RangeError} If it is none. */
export function writeVersion(buffer: WireBuffer, at: number, version: number): void {
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new RangeError(`Cannot write a version: it is ${version}`);
  }
  buffer.view.setUint32(at, Math.floor(version / HIGH_WORD));
  buffer.view.setUint32(at + 4, version % HIGH_WORD);
}

/** The version at `at`, or NaN where it is 2^53 or more. The caller has checked bounds. */
export function readVersion(buffer: WireBuffer, at: number): number {
  const high = buffer.view.getUint32(at);
  return high < HIGH_END ? high * HIGH_WORD + buffer.view.getUint32(at + 4) : NaN;
}
