/**
 * Signatures as DNSSEC has them: ECDSA on P-256 (RFC 6605) and Ed25519 (RFC 8080). A host makes keys
 * with its runtime's own code; `portable_signing.ts` has what runs everywhere.
 *
 * @module
 */

/** ECDSA on P-256 with SHA-256, by its number among DNSSEC's algorithms. */
export const ECDSA_P256 = 13;
/** Ed25519, by its number among DNSSEC's algorithms. */
export const ED25519 = 15;
/** The number of an algorithm that this program signs with. */
export type SigningAlgorithm = 13 | 15;

/** Size of a private key of either algorithm, in bytes. */
export const PRIVATE_KEY_SIZE = 32;
/** Size of a signature of either algorithm, in bytes. */
export const SIGNATURE_SIZE = 64;
/** Size of the public key of an algorithm, in bytes. */
export const PUBLIC_KEY_SIZE: Readonly<Record<SigningAlgorithm, number>> = {
  [ECDSA_P256]: 64,
  [ED25519]: 32,
};

/** How many points P-256 has (FIPS 186-4, appendix D.1.2.3): private keys are below. */
const P256_ORDER = Uint8Array.of(
  ...[0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ...[0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63],
  ...[0x25, 0x51],
);

/** A private key, ready to sign. */
export interface SigningKey {
  /** What it signs with. */
  readonly algorithm: SigningAlgorithm;
  /** As a DNSKEY has it: x and y (64 bytes), or Ed25519's 32 bytes. */
  readonly publicKey: Uint8Array;
  /**
   * The signature of a message, as an RRSIG has it: r and s, or Ed25519's; 64 bytes, the caller's.
   *
   * @param message Only lent.
   */
  sign(message: Uint8Array): Uint8Array;
}

/**
 * Makes a key of a private key of 32 bytes: the number in big-endian order, or Ed25519's seed. They
 * are not kept.
 *
 * @throws {RangeError} They are no private key; see {@linkcode checkPrivateKey}.
 */
export type MakeSigningKey = (algorithm: SigningAlgorithm, privateKey: Uint8Array) => SigningKey;

/**
 * Checks what a key is made of.
 *
 * @throws {RangeError} It has another size than 32 bytes, or is no number from 1 to the order of
 *   P-256, exclusive.
 */
export function checkPrivateKey(algorithm: SigningAlgorithm, privateKey: Uint8Array): void {
  if (privateKey.length !== PRIVATE_KEY_SIZE) {
    throw new RangeError(`a private key has ${PRIVATE_KEY_SIZE} bytes, not ${privateKey.length}`);
  }
  if (algorithm === ED25519) return;
  let any = 0;
  // What is left of privateKey - order: below zero where it is less.
  let borrow = 0;
  for (let i = PRIVATE_KEY_SIZE - 1; i >= 0; i--) {
    any |= privateKey[i]!;
    borrow = (privateKey[i]! - P256_ORDER[i]! + borrow) >> 8;
  }
  if (any === 0 || borrow === 0) throw new RangeError("the number is no private key of P-256");
}
