/**
 * The keys of wgsig 2 that a secret of a group makes, with the key pair of the registry.
 *
 * @module
 */

import { copyBytes, equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { EXCHANGE_KEY_SIZE, type ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { GroupKeys, PeerAgreement } from "../../wire/wgsig2/keys.ts";
import { type OptionalBytes, PREFIX_SIZE } from "../../wire/wgsig2/option.ts";
import type { Question } from "../../wire/wgsig2/question.ts";

/** What one secret of a group makes. */
export class QuestionKeys {
  /** S. */
  readonly serverKey: ExchangeKey;
  /** What everyone has who knows the secret. */
  readonly shared: GroupKeys;
  /** Makes what each peer has. */
  readonly agreement: PeerAgreement;
  readonly #secret: WireBuffer;

  /**
   * Derives the keys.
   *
   * @param secret 32 bytes. A copy is kept.
   * @param group GROUP, 0 to 0xffffffff.
   */
  constructor(secret: Uint8Array, group: number, serverKey: ExchangeKey, primitives: Primitives) {
    this.serverKey = serverKey;
    this.shared = new GroupKeys(secret, group, primitives);
    this.agreement = new PeerAgreement(serverKey, "registry", secret, primitives);
    this.#secret = new WireBuffer(secret.slice());
  }

  /** Copies the secret, 32 bytes: for who has joined. */
  copySecret(to: WireBuffer): void {
    copyBytes(this.#secret, 0, to, 0, this.#secret.size);
  }

  /** Whether a question means this registry's key. */
  areMeant({ key }: Question): boolean {
    return key.isGiven && equalBytes(key.value, 0, this.serverKey.publicKey, 0, PREFIX_SIZE);
  }

  /** Tells the registry's key in an option. */
  tellKey(option: OptionalBytes): void {
    option.isGiven = true;
    copyBytes(this.serverKey.publicKey, 0, option.value, 0, EXCHANGE_KEY_SIZE);
  }

  /** Whether they are made of these. */
  areOf(secret: Uint8Array, serverKey: ExchangeKey): boolean {
    return serverKey === this.serverKey && secret.length === this.#secret.size &&
      equalBytes(this.#secret, 0, new WireBuffer(secret), 0, secret.length);
  }
}

/** What the keys of a group are made of. */
export interface QuestionKeyOptions {
  /** GROUP, 0 to 0xffffffff. */
  readonly id: number;
  /** 32 bytes each. */
  readonly secrets: readonly Uint8Array[];
  readonly primitives: Primitives;
  /** None where the group doesn't speak wgsig 2. */
  readonly serverKey?: ExchangeKey | undefined;
}

/**
 * The keys of a group's secrets, one for each. Those that are there already stay the same, and with
 * them what was computed for its peers.
 */
export function questionKeysOf(
  { id, secrets, primitives, serverKey }: QuestionKeyOptions,
  present: readonly QuestionKeys[],
): readonly QuestionKeys[] {
  if (serverKey === undefined) return [];
  return secrets.map((secret) =>
    present.find((keys) => keys.areOf(secret, serverKey)) ??
      new QuestionKeys(secret, id, serverKey, primitives)
  );
}
