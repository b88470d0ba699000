/**
 * What the bundle for QuickJS has in the place of `@noble/curves/ed25519.js`: the one function of it
 * that the program uses, in C.
 *
 * @module
 */

import { native } from "./native.ts";

const KEY_SIZE = 32;
/** The base point (RFC 7748, section 4.1). */
const BASE_POINT = 9;

/** Curve25519 for public keys. */
export const x25519 = {
  /** The public key of 32 bytes. */
  getPublicKey(privateKey: Uint8Array): Uint8Array {
    if (privateKey.length !== KEY_SIZE) {
      throw new RangeError(`Cannot make a public key: the private key is not ${KEY_SIZE} bytes`);
    }
    const point = new Uint8Array(KEY_SIZE);
    point[0] = BASE_POINT;
    const publicKey = new Uint8Array(KEY_SIZE);
    native.x25519(privateKey, point, publicKey);
    return publicKey;
  },
};
