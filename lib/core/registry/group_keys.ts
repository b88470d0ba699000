/**
 * What a group's secrets are used through.
 *
 * @module
 */

import type { CipherKey } from "../../wire/crypto/cipher_key.ts";
import { MacKey } from "../../wire/crypto/mac.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { envelopeKey } from "../../wire/wgsig/envelope.ts";

/** The most secrets that a group has at a time: the one that it changes to, and the one before. */
export const MAX_SECRETS = 2;

/** What one secret of a group is used through. */
export interface GroupKeys {
  /** Makes and checks its MACs. */
  readonly mac: MacKey;
  /** Opens and seals its envelopes. */
  readonly cipher: CipherKey;
}

/**
 * Makes the keys of a group's secrets, in their order.
 *
 * @param secrets 32 bytes each, 1 or {@linkcode MAX_SECRETS}. Not kept.
 * @throws {RangeError} If there are none or more, or one has another size.
 */
export function groupKeys(secrets: readonly Uint8Array[], primitives: Primitives): GroupKeys[] {
  if (secrets.length < 1 || secrets.length > MAX_SECRETS) {
    throw new RangeError(`Cannot have a group with ${secrets.length} secrets, 1 or ${MAX_SECRETS}`);
  }
  return secrets.map((secret) => ({
    mac: new MacKey(secret, primitives),
    cipher: envelopeKey(secret, primitives),
  }));
}
