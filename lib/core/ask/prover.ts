/**
 * Proves that questions are a peer's own, by the private key of its WireGuard interface.
 *
 * docs/protocol-2.md, "Keys".
 *
 * @module
 */

import { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { PEER_KEYS_SIZE, PeerAgreement, PeerKeys } from "../../wire/wgsig2/keys.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { formatKey } from "../net/peer_key.ts";

/** So many registries' keys are kept: a peer asks few, and one of them may change its key. */
const MAX_KEPT = 32;

/** What a peer proves with: one for all the registries of a group. */
export class Prover {
  /** The peer's public key, 32 bytes. */
  readonly publicKey: WireBuffer;
  readonly #agreement: PeerAgreement;
  readonly #primitives: Primitives;
  /** By the registry's public key; undefined where that is none to agree with. */
  readonly #kept = new Map<string, PeerKeys | undefined>();

  /**
   * Takes over a private key.
   *
   * @param privateKey 32 bytes. Not kept.
   * @param secret The group secret, 32 bytes.
   * @param primitives A host's: its X25519 is ten times as fast as portable code.
   * @throws {RangeError} If a key has another size.
   */
  constructor(privateKey: Uint8Array, secret: Uint8Array, primitives: Primitives) {
    const own = new ExchangeKey(privateKey, primitives);
    this.publicKey = own.publicKey;
    this.#agreement = new PeerAgreement(own, "peer", secret, primitives);
    this.#primitives = primitives;
  }

  /**
   * What the peer shares with a registry. It is computed once and kept; a conversation asks for that
   * of another key at most once per question that it has asked.
   *
   * @param serverKey The registry's public key, 32 bytes.
   * @returns Undefined where that is a key of small order, which no registry has.
   */
  keysFor(serverKey: WireBuffer): PeerKeys | undefined {
    const name = formatKey(serverKey.bytes);
    if (this.#kept.has(name)) return this.#kept.get(name);
    const shared = new WireBuffer(PEER_KEYS_SIZE);
    const keys = this.#agreement.agree(serverKey, 0, shared, 0)
      ? new PeerKeys(shared, 0, this.#primitives)
      : undefined;
    shared.bytes.fill(0);
    if (this.#kept.size >= MAX_KEPT) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest);
        break;
      }
    }
    this.#kept.set(name, keys);
    return keys;
  }
}
