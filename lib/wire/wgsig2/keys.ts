/**
 * The keys that the secret of a group and the key pairs of a registry and of its peers make.
 *
 * ```
 * question, answer = HKDF-SHA256(ikm G, no salt, info "wgsig 2 group" GROUP)
 * prove, answer    = HKDF-SHA256(ikm X25519(P, S), salt G, info "wgsig 2 peer" public-P public-S)
 * ```
 *
 * 64 bytes each, of which the first 32 and the last 32. docs/protocol-2.md, "Keys".
 *
 * @module
 */

import { AEAD_KEY_SIZE, AeadKey } from "../crypto/aead_key.ts";
import { EXCHANGE_KEY_SIZE, type ExchangeKey } from "../crypto/exchange_key.ts";
import { deriveKey } from "../crypto/hkdf.ts";
import { MacKey, SECRET_SIZE } from "../crypto/mac.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { checkBounds, checkField, joinBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of what {@linkcode PeerAgreement} derives for a peer, in bytes. */
export const PEER_KEYS_SIZE: number = SECRET_SIZE + AEAD_KEY_SIZE;
/** Offset of the answering key in it. */
const ANSWER = SECRET_SIZE;

const GROUP_INFO = ascii("wgsig 2 group");
const PEER_INFO = ascii("wgsig 2 peer");

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** What everyone has who knows the secret of a group. */
export class GroupKeys {
  /** Seals questions. */
  readonly question: AeadKey;
  /** Seals retries, and what is sent to who has not proved anything. */
  readonly answer: AeadKey;

  /**
   * Derives the keys.
   *
   * @param secret The group secret, 32 bytes. Not kept.
   * @param group The number of the group.
   * @throws {RangeError} If the secret has another size, or the number is none.
   */
  constructor(secret: Uint8Array, group: number, primitives: Primitives) {
    checkSecret(secret);
    checkField(group, 32, "a group number");
    const number = new WireBuffer(4);
    number.view.setUint32(0, group);
    const keys = new Uint8Array(2 * AEAD_KEY_SIZE);
    deriveKey({ secret, info: joinBytes([GROUP_INFO, number.bytes]) }, keys, primitives);
    this.question = new AeadKey(keys.subarray(0, AEAD_KEY_SIZE), primitives);
    this.answer = new AeadKey(keys.subarray(AEAD_KEY_SIZE), primitives);
    keys.fill(0);
  }
}

/** What a peer and a registry have in common, and nobody else has. */
export class PeerKeys {
  /** Proves that a question is its peer's. */
  readonly prove: MacKey;
  /** Seals what is sent to who has proved that. */
  readonly answer: AeadKey;

  /**
   * Takes over what {@linkcode PeerAgreement} has derived.
   *
   * @throws {RangeError} If the keys, 64 bytes at `at`, lie outside their buffer.
   */
  constructor(keys: WireBuffer, at: number, primitives: Primitives) {
    checkBounds(keys, at, PEER_KEYS_SIZE, "a peer's keys");
    this.prove = new MacKey(keys.bytes.subarray(at, at + ANSWER), primitives);
    this.answer = new AeadKey(keys.bytes.subarray(at + ANSWER, at + PEER_KEYS_SIZE), primitives);
  }

  /**
   * Puts another peer's keys in the place of these, of which nothing is left: a registry keeps 64
   * bytes per peer, and one such object for whoever is being answered.
   *
   * @throws {RangeError} If they lie outside their buffer.
   */
  rekey(keys: WireBuffer, at: number): void {
    checkBounds(keys, at, PEER_KEYS_SIZE, "a peer's keys");
    this.prove.rekey(keys, at);
    this.answer.rekey(keys, at + ANSWER);
  }
}

/** Whose private key is at hand. */
export type Side = "peer" | "registry";

/** One side's half of {@linkcode PeerKeys}: its key pair, and the secret of a group. */
export class PeerAgreement {
  readonly #own: ExchangeKey;
  readonly #side: Side;
  readonly #salt: Uint8Array;
  readonly #primitives: Primitives;
  readonly #shared = new Uint8Array(EXCHANGE_KEY_SIZE);
  readonly #info = joinBytes([PEER_INFO, new Uint8Array(2 * EXCHANGE_KEY_SIZE)]);

  /**
   * Makes ready for any number of others.
   *
   * @param own P of a peer, or S of a registry.
   * @param secret The group secret, 32 bytes. A copy is kept.
   * @throws {RangeError} If the secret has another size.
   */
  constructor(own: ExchangeKey, side: Side, secret: Uint8Array, primitives: Primitives) {
    checkSecret(secret);
    this.#own = own;
    this.#side = side;
    this.#salt = secret.slice();
    this.#primitives = primitives;
  }

  /**
   * Writes the keys that are shared with the other side to `out` at `outAt`: 64 bytes. It takes an
   * X25519, and whoever can make others compute them bounds how many there are.
   *
   * @param other Holds the other side's public key at `otherAt`: S for a peer, a peer's ID for a
   *   registry.
   * @returns Whether there are such keys: no peer and no registry has a public key of small order.
   *   `out` is left as it was where there are none.
   * @throws {RangeError} If something lies outside its buffer.
   */
  agree(other: WireBuffer, otherAt: number, out: WireBuffer, outAt: number): boolean {
    checkBounds(out, outAt, PEER_KEYS_SIZE, "a peer's keys");
    if (!this.#own.agree(other, otherAt, this.#shared)) return false;
    const peerAt = PEER_INFO.length;
    const registryAt = peerAt + EXCHANGE_KEY_SIZE;
    const [ownAt, theirsAt] = this.#side === "peer" ? [peerAt, registryAt] : [registryAt, peerAt];
    this.#info.set(this.#own.publicKey.bytes, ownAt);
    this.#info.set(other.bytes.subarray(otherAt, otherAt + EXCHANGE_KEY_SIZE), theirsAt);
    const material = { secret: this.#shared, salt: this.#salt, info: this.#info };
    deriveKey(material, out.bytes.subarray(outAt, outAt + PEER_KEYS_SIZE), this.#primitives);
    this.#shared.fill(0);
    return true;
  }
}

function checkSecret(secret: Uint8Array): void {
  if (secret.length !== SECRET_SIZE) {
    throw new RangeError(`Cannot derive keys: the secret has ${secret.length} bytes, not 32`);
  }
}
