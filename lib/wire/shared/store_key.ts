/**
 * What registries authenticate with what they write to a store, so that who can write there, or is
 * only a member of a group, can't make a record.
 *
 * ```
 * key = HKDF-SHA256(ikm X25519(S, public-S), no salt, info "wgsig store 1")
 * MAC = first 16 bytes of HMAC-SHA256(key, GROUP u32 | peer ID (32) | KIND u8 | register without MAC)
 * ```
 *
 * S is the key pair that all registries on a store have in common.
 *
 * @module
 */

import { checkBounds, copyBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import { EXCHANGE_KEY_SIZE, type ExchangeKey } from "../crypto/exchange_key.ts";
import { deriveKey } from "../crypto/hkdf.ts";
import { MAC_SIZE, MacKey } from "../crypto/mac.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { ID_SIZE } from "../wgsig/record.ts";
import {
  MAX_CONTENT,
  REGISTER_CONTENT,
  REGISTER_MAC_SIZE,
  REGISTER_SIZE,
  registerSize,
} from "./record.ts";

const INFO = Uint8Array.from("wgsig store 1", (letter) => letter.charCodeAt(0));
const ID = 4;
const KIND = ID + ID_SIZE;
const CONTENT = KIND + 1;
const MOST = CONTENT + REGISTER_CONTENT + MAX_CONTENT;

/** Makes and checks MACs of registers. */
export class StoreKey {
  readonly #mac: MacKey;
  /** The message, the MAC that the register has, and the one that it should have. */
  readonly #scratch = new WireBuffer(MOST + MAC_SIZE);

  /** @param serverKey The key pair of the registries. */
  constructor(serverKey: ExchangeKey, primitives: Primitives) {
    const secret = new Uint8Array(EXCHANGE_KEY_SIZE);
    serverKey.agree(serverKey.publicKey, 0, secret);
    const key = new Uint8Array(MAC_SIZE);
    deriveKey({ secret, info: INFO }, key, primitives);
    this.#mac = new MacKey(key, primitives);
    secret.fill(0);
    key.fill(0);
  }

  /**
   * Writes the MAC of the register at `at`, whose other fields are there.
   *
   * @param ids Holds the peer's ID at `idAt`.
   * @throws {RangeError} If something lies outside its buffer.
   */
  seal(
    group: number,
    ids: WireBuffer,
    idAt: number,
    kind: number,
    buffer: WireBuffer,
    at: number,
  ): void {
    const size = this.#gather(group, ids, idAt, kind, buffer, at);
    const scratch = this.#scratch;
    this.#mac.compute(scratch, 0, size, scratch, size);
    const macAt = at + size - CONTENT;
    copyBytes(scratch, size, buffer, macAt, REGISTER_MAC_SIZE);
  }

  /** Whether the MAC of the register at `at` is right, in constant time. See {@linkcode seal}. */
  verify(
    group: number,
    ids: WireBuffer,
    idAt: number,
    kind: number,
    buffer: WireBuffer,
    at: number,
  ): boolean {
    const size = this.#gather(group, ids, idAt, kind, buffer, at);
    const scratch = this.#scratch;
    copyBytes(buffer, at + size - CONTENT, scratch, size, REGISTER_MAC_SIZE);
    return this.#mac.verify(scratch, 0, size, size, REGISTER_MAC_SIZE);
  }

  /** Puts together what the MAC covers, and returns its size. */
  #gather(
    group: number,
    ids: WireBuffer,
    idAt: number,
    kind: number,
    buffer: WireBuffer,
    at: number,
  ): number {
    checkBounds(ids, idAt, ID_SIZE, "a peer ID");
    checkBounds(buffer, at, REGISTER_CONTENT, "a register");
    const size = buffer.bytes[at + REGISTER_SIZE]!;
    checkBounds(buffer, at, registerSize(size), "a register");
    const scratch = this.#scratch;
    scratch.view.setUint32(0, group);
    copyBytes(ids, idAt, scratch, ID, ID_SIZE);
    scratch.bytes[KIND] = kind;
    copyBytes(buffer, at, scratch, CONTENT, REGISTER_CONTENT + size);
    return CONTENT + REGISTER_CONTENT + size;
  }
}
