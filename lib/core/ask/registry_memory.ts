/**
 * What a client remembers of registries from question to question.
 *
 * @module
 */

import type { Primitives } from "../../wire/crypto/primitives.ts";
import { GroupKeys } from "../../wire/wgsig2/keys.ts";
import type { RandomSource } from "../net/random.ts";
import { Conversation } from "./conversation.ts";
import { Prover } from "./prover.ts";
import { formatServerName, type RegistryName } from "./server_name.ts";
import { SpokenProtocol } from "./spoken_protocol.ts";

/** Who asks. */
export interface RegistryMemoryOptions {
  /** The own WireGuard public key, 32 bytes. */
  readonly id: Uint8Array;
  /** The group secret, 32 bytes. */
  readonly secret: Uint8Array;
  /** GROUP, 0 to 0xffffffff. */
  readonly group: number;
  /** What keys are made with. */
  readonly primitives: Primitives;
  /** The own private key, 32 bytes, which proves questions; without it, nothing is proved. */
  readonly privateKey?: Uint8Array | undefined;
  /** By the name of a registry, as `formatServerName` has it: the public key that it must have, 32 bytes. */
  readonly serverKeys?: ReadonlyMap<string, Uint8Array> | undefined;
}

/** One registry. */
export interface KnownRegistry {
  readonly conversation: Conversation;
  readonly spoken: SpokenProtocol;
}

/** Remembers registries by their names. `sync` keeps one for as long as the interface is the same. */
export class RegistryMemory {
  readonly #options: Pick<RegistryMemoryOptions, "id" | "group" | "serverKeys">;
  readonly #random: RandomSource;
  readonly #keys: GroupKeys;
  readonly #prover: Prover | undefined;
  readonly #known = new Map<string, KnownRegistry>();

  /**
   * Knows none yet.
   *
   * @param random Draws nonces.
   * @throws {RangeError} If a key has another size, or the private key belongs to another peer.
   */
  constructor(options: RegistryMemoryOptions, random: RandomSource) {
    const { id, secret, group, primitives, privateKey, serverKeys } = options;
    this.#options = { id, group, serverKeys };
    this.#random = random;
    this.#keys = new GroupKeys(secret, group, primitives);
    this.#prover = privateKey && new Prover(privateKey, secret, primitives);
  }

  /** A registry, which is new where it was not asked for before. */
  of(name: RegistryName): KnownRegistry {
    const text = formatServerName(name);
    const before = this.#known.get(text);
    if (before !== undefined) return before;
    const { id, group, serverKeys } = this.#options;
    const serverKey = serverKeys?.get(text);
    const options = { id, group, keys: this.#keys, prover: this.#prover, serverKey };
    const known = {
      conversation: new Conversation(options, this.#random),
      spoken: new SpokenProtocol(serverKey !== undefined),
    };
    this.#known.set(text, known);
    return known;
  }
}
