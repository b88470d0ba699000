/**
 * The keys that the token of an invitation makes.
 *
 * ```
 * join, TAG     = HKDF-SHA256(ikm token, no salt, info "wgsig 2 join" public-S)
 * prove, answer = HKDF-SHA256(ikm X25519(P, S), salt token, info "wgsig 2 join peer" public-P public-S)
 * ```
 *
 * 36 bytes, of which the first 32 and the last 4, and 64 bytes, of which the first 32 and the last 32.
 * docs/protocol-2.md, "Joining".
 *
 * @module
 */

import { AEAD_KEY_SIZE, AeadKey } from "../crypto/aead_key.ts";
import { EXCHANGE_KEY_SIZE, type ExchangeKey } from "../crypto/exchange_key.ts";
import { deriveKey } from "../crypto/hkdf.ts";
import { MacKey, SECRET_SIZE } from "../crypto/mac.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { checkBounds, joinBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import type { Side } from "./keys.ts";

/** Size of a token, in bytes: drawn at random, and as secret as what it is good for. */
export const JOIN_TOKEN_SIZE = 16;
const TAG_BYTES = 4;
/** Size of what {@linkcode deriveTokenKeys} makes, in bytes. */
export const TOKEN_KEYS_SIZE: number = AEAD_KEY_SIZE + TAG_BYTES;

const TOKEN_INFO = ascii("wgsig 2 join");
const PEER_INFO = ascii("wgsig 2 join peer");

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function checkSize(bytes: Uint8Array, size: number, what: string): void {
  if (bytes.length === size) return;
  throw new RangeError(`Cannot derive keys: ${what} has ${bytes.length} bytes, not ${size}`);
}

/**
 * Writes what a token makes to `out` at `outAt`, 36 bytes: the key that seals a join, and TAG. It
 * takes no X25519.
 *
 * @param serverKey Public S, 32 bytes.
 * @throws {RangeError} If the token or the key has another size, or it doesn't fit.
 */
export function deriveTokenKeys(
  token: Uint8Array,
  serverKey: Uint8Array,
  out: WireBuffer,
  outAt: number,
  primitives: Primitives,
): void {
  checkSize(token, JOIN_TOKEN_SIZE, "a token");
  checkSize(serverKey, EXCHANGE_KEY_SIZE, "a public key");
  checkBounds(out, outAt, TOKEN_KEYS_SIZE, "a token's keys");
  const material = { secret: token, info: joinBytes([TOKEN_INFO, serverKey]) };
  deriveKey(material, out.bytes.subarray(outAt, outAt + TOKEN_KEYS_SIZE), primitives);
}

/** What everyone has who knows a token. */
export class TokenKeys {
  /** Seals a join. */
  readonly join: AeadKey;
  /** Stands in the place of GROUP, 32 bits. It is no secret; two tokens may have the same. */
  readonly tag: number;

  /**
   * Derives the keys.
   *
   * @param token 16 bytes. Not kept.
   * @param serverKey Public S, 32 bytes. Not kept.
   * @throws {RangeError} If one has another size.
   */
  constructor(token: Uint8Array, serverKey: Uint8Array, primitives: Primitives) {
    const keys = new WireBuffer(TOKEN_KEYS_SIZE);
    deriveTokenKeys(token, serverKey, keys, 0, primitives);
    this.join = new AeadKey(keys.bytes.subarray(0, AEAD_KEY_SIZE), primitives);
    this.tag = keys.view.getUint32(AEAD_KEY_SIZE);
    keys.bytes.fill(0);
  }
}

/** What the holder of a token and a registry have in common, and nobody else has. */
export class JoinKeys {
  /** Proves that the join is its peer's: `proveQuestion`, `verifyProof`. */
  readonly prove: MacKey;
  /** Seals what the registry says to that. */
  readonly answer: AeadKey;

  private constructor(keys: Uint8Array, primitives: Primitives) {
    this.prove = new MacKey(keys.subarray(0, SECRET_SIZE), primitives);
    this.answer = new AeadKey(keys.subarray(SECRET_SIZE), primitives);
  }

  /**
   * The keys of a peer and a registry. It takes an X25519.
   *
   * @param own P of a peer, or S of a registry.
   * @param other The other side's public key, 32 bytes. Not kept.
   * @param token 16 bytes. Not kept.
   * @returns Undefined where there are none: the public key is of small order.
   * @throws {RangeError} If one has another size.
   */
  static agree(
    own: ExchangeKey,
    side: Side,
    other: Uint8Array,
    token: Uint8Array,
    primitives: Primitives,
  ): JoinKeys | undefined {
    checkSize(token, JOIN_TOKEN_SIZE, "a token");
    checkSize(other, EXCHANGE_KEY_SIZE, "a public key");
    const shared = new Uint8Array(EXCHANGE_KEY_SIZE);
    if (!own.agree(new WireBuffer(other), 0, shared)) return undefined;
    const ownPublic = own.publicKey.bytes;
    const [peer, server] = side === "peer" ? [ownPublic, other] : [other, ownPublic];
    // HMAC fills a key up with zeros: so the salt is the token itself.
    const salt = new Uint8Array(SECRET_SIZE);
    salt.set(token);
    const keys = new Uint8Array(SECRET_SIZE + AEAD_KEY_SIZE);
    deriveKey(
      { secret: shared, salt, info: joinBytes([PEER_INFO, peer, server]) },
      keys,
      primitives,
    );
    const made = new JoinKeys(keys, primitives);
    for (const bytes of [shared, salt, keys]) bytes.fill(0);
    return made;
  }
}
