/**
 * How a state file begins.
 *
 * @module
 */

/** The first bytes of a state file. */
export const STATE_MAGIC = "wgsigst1";

/** Whether bytes begin as a state file does. */
export function isStateFile(bytes: Uint8Array): boolean {
  for (let i = 0; i < STATE_MAGIC.length; i++) {
    if (bytes[i] !== STATE_MAGIC.charCodeAt(i)) return false;
  }
  return true;
}
