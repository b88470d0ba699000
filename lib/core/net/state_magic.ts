/**
 * How state files begin.
 *
 * @module
 */

/** The first bytes of a state file. */
export const STATE_MAGIC = "wgsigst2";
/** Those of a state file as it was before: of peers alone. */
export const FORMER_STATE_MAGIC = "wgsigst1";
/** Those of a file of leases as it was before, in both versions. */
export const FORMER_LEASE_MAGICS: readonly string[] = ["wgsiglt1", "wgsiglt2"];

/** Size of what a state file begins with, in bytes. */
export const MAGIC_SIZE: number = STATE_MAGIC.length;
const MAGICS: readonly string[] = [STATE_MAGIC, FORMER_STATE_MAGIC, ...FORMER_LEASE_MAGICS];

/** Which state file bytes begin as, or undefined where they are none. */
export function magicOf(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, MAGIC_SIZE));
  return MAGICS.includes(start) ? start : undefined;
}
