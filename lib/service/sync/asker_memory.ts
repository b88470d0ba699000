/**
 * What is remembered of registries, for as long as who asks them is the same: with the own private key
 * wherever that can be read.
 *
 * @module
 */

import { RegistryMemory } from "../../core/ask/registry_memory.ts";
import { formatKey } from "../../core/net/peer_key.ts";
import type { Clock } from "../../host/clock.ts";
import type { Cryptography } from "../../host/host.ts";
import type { Random } from "../../host/random.ts";
import { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { RegistryQuestion } from "../ask/registry_asker.ts";

/** Who asks. */
export type Asker = Pick<RegistryQuestion, "id" | "secret" | "group" | "serverKeys">;

/** So long after it could not be read, the private key is tried to be read again, in seconds. */
const KEY_RETRY = 60;

/** Remembers for one asker at a time. */
export class AskerMemory {
  readonly #host: Clock & Cryptography & Random;
  readonly #readPrivateKey: () => Promise<Uint8Array | undefined>;
  #memory: RegistryMemory | undefined;
  /** Whose that is. */
  #who: Asker | undefined;
  #proves = false;
  /** When the private key was tried to be read last: the monotonic clock. */
  #keyReadAt = -Infinity;
  #publicKey = "";

  /** @param readPrivateKey See `RegistriesHandlers`. */
  constructor(
    host: Clock & Cryptography & Random,
    readPrivateKey: () => Promise<Uint8Array | undefined>,
  ) {
    this.#host = host;
    this.#readPrivateKey = readPrivateKey;
  }

  /** Whether questions are proved. */
  get proves(): boolean {
    return this.#proves;
  }

  /** Of who asks, in base64. */
  get publicKey(): string {
    return this.#publicKey;
  }

  /** What is remembered: another memory for another asker, and once the private key can be read. */
  async of(question: Asker): Promise<RegistryMemory> {
    const { id, secret, group, serverKeys } = question;
    const { mono } = this.#host.now();
    const before = this.#who;
    const isSame = before !== undefined && before.group === group && areSame(before.id, id) &&
      areSame(before.secret, secret) && textOf(before.serverKeys) === textOf(serverKeys);
    const isEnough = this.#proves || mono < this.#keyReadAt + KEY_RETRY;
    if (this.#memory !== undefined && isSame && isEnough) return this.#memory;
    this.#keyReadAt = mono;
    const privateKey = await this.#readPrivateKey();
    const host = this.#host;
    // Another peer's key proves nothing here.
    const isOwn = privateKey !== undefined &&
      areSame(new ExchangeKey(privateKey, host.primitives).publicKey.bytes, id);
    if (this.#memory === undefined || !isSame || isOwn) {
      const asker = { ...question, primitives: host.primitives, ...isOwn && { privateKey } };
      this.#memory = new RegistryMemory(asker, (bytes) => host.random(bytes));
      this.#who = { id, secret, group, serverKeys };
      this.#proves = isOwn;
      this.#publicKey = formatKey(id);
    }
    privateKey?.fill(0);
    return this.#memory;
  }
}

function textOf(serverKeys: Asker["serverKeys"]): string {
  return [...serverKeys ?? []].map(([name, key]) => `${name} ${formatKey(key)}`).toSorted().join();
}

function areSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
