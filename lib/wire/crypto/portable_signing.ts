/**
 * Signatures by `@noble/curves`: 0.65 ms each with V8's compiler warm. For the library, for tests,
 * and as another opinion than the runtime's. How long one takes depends on the key. Nothing that a
 * router binary has imports it.
 *
 * @module
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import {
  checkPrivateKey,
  ED25519,
  type MakeSigningKey,
  type SigningAlgorithm,
  type SigningKey,
} from "./signing.ts";

/** What P-256 is asked for: numbers as they come, as r and s. */
const AS_NUMBERS = { lowS: false, format: "compact" } as const;

/** See {@linkcode MakeSigningKey}. ECDSA's signatures are RFC 6979's: the same for the same message. */
export const portableSigning: MakeSigningKey = (algorithm, privateKey): SigningKey => {
  checkPrivateKey(algorithm, privateKey);
  const own = privateKey.slice();
  return algorithm === ED25519
    ? {
      algorithm,
      publicKey: ed25519.getPublicKey(own),
      sign: (message) => ed25519.sign(message, own),
    }
    : {
      algorithm,
      publicKey: p256.getPublicKey(own, false).slice(1),
      sign: (message) => p256.sign(message, own, AS_NUMBERS),
    };
};

/**
 * Whether a signature of 64 bytes is right.
 *
 * @param publicKey As {@linkcode SigningKey} has it.
 */
export function verifySignature(
  algorithm: SigningAlgorithm,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return algorithm === ED25519
      ? ed25519.verify(signature, message, publicKey)
      : p256.verify(signature, message, Uint8Array.of(4, ...publicKey), AS_NUMBERS);
  } catch {
    // No point, or no signature.
    return false;
  }
}
