/**
 * Randomness of the system.
 *
 * @module
 */

/** Randomness that is fit for keys. */
export interface Random {
  /** Fills `bytes` with random bytes that are fit for keys. */
  random(bytes: Uint8Array): void;
}
