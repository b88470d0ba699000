/**
 * The groups of a registry: what is in the files that their settings name, and what puts it into force.
 *
 * @module
 */

import { AnswerBudget, registryBudget } from "../../core/net/answer_budget.ts";
import { KeySet } from "../../core/net/key_set.ts";
import { drawSeed, NonceSource } from "../../core/net/random.ts";
import { MAX_SECRETS } from "../../core/registry/group_keys.ts";
import { type GroupOptions, RegistryGroup } from "../../core/registry/group.ts";
import type { Registry } from "../../core/registry/registry.ts";
import { UserError } from "../../core/settings/user_error.ts";
import type { Clock } from "../../host/clock.ts";
import type { Files, Input } from "../../host/files.ts";
import type { Cryptography, System } from "../../host/host.ts";
import type { Random } from "../../host/random.ts";
import type { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import { areSameBytes } from "../../wire/bytes/wire_buffer.ts";
import { readAllowList, readSecret } from "../files/files.ts";
import type { ServeConfig, ServedGroup } from "./config.ts";
import { macsPerSecond } from "./mac_speed.ts";

/** What is in the files of a group. */
export interface GroupFiles {
  readonly id: number;
  /** One or two, 32 bytes each. Whoever has them wipes them: see {@linkcode wipeSecrets}. */
  readonly secrets: readonly Uint8Array[];
  /** Who may take part, 32 bytes each. */
  readonly allowed: readonly Uint8Array[] | undefined;
}

/** Reads the files of all groups, or of none. */
export async function readGroups(
  host: System & Files & Input,
  groups: readonly ServedGroup[],
): Promise<GroupFiles[]> {
  const read: GroupFiles[] = [];
  try {
    for (const { id, secretFiles, allowFile } of groups) {
      if (read.some((group) => group.id === id)) {
        throw new UserError(`group ${id} is configured twice; give each group another id`);
      }
      const secrets: Uint8Array[] = [];
      read.push({ id, secrets, allowed: undefined });
      await readSecrets(host, id, secretFiles, secrets);
      if (allowFile === undefined) continue;
      read[read.length - 1] = { id, secrets, allowed: await readAllowList(host, allowFile) };
    }
  } catch (error) {
    wipeSecrets(read);
    throw error;
  }
  return read;
}

/** Reads the secrets of a group into `secrets`, where they are wiped if one of them is wrong. */
async function readSecrets(
  host: System & Files & Input,
  id: number,
  files: readonly string[],
  secrets: Uint8Array[],
): Promise<void> {
  const [file, other] = files;
  if (file === undefined) throw new UserError(`group ${id} has no secret file; name one`);
  if (files.length > MAX_SECRETS) {
    throw new UserError(
      `group ${id} has ${files.length} secret files; name the new secret's and the old one's`,
    );
  }
  const why = "name the new secret's and the old one's, or one alone";
  if (file === other) throw new UserError(`group ${id} names secret file ${file} twice; ${why}`);
  for (const path of files) secrets.push(await readSecret(host, path, "registry"));
  const [secret, second] = secrets;
  if (secret === undefined || second === undefined || !areSameBytes(secret, second)) return;
  throw new UserError(`secret files ${file} and ${other} hold the same secret; ${why}`);
}

/** Overwrites secrets that are in force, or will never be. */
export function wipeSecrets(groups: readonly GroupFiles[]): void {
  for (const { secrets } of groups) for (const secret of secrets) secret.fill(0);
}

/** Puts the settings of groups into force. */
export class GroupSettings {
  readonly #registry: Registry;
  readonly #host: Random & Cryptography & Clock;
  readonly #nonces: NonceSource;
  readonly #serverKey: ExchangeKey | undefined;
  #budget: number | undefined;
  /** What a relay can afford here; known once one is wanted. */
  #macRate: number | undefined;

  /** @param serverKey The registry's key pair; without one, it speaks the first protocol alone. */
  constructor(registry: Registry, host: Random & Cryptography & Clock, serverKey?: ExchangeKey) {
    this.#registry = registry;
    this.#host = host;
    this.#serverKey = serverKey;
    if (serverKey !== undefined) registry.answerQuestions((bytes) => host.random(bytes));
    this.#nonces = new NonceSource((bytes) => host.random(bytes));
  }

  /**
   * Groups that were there before keep their peers. The secrets are not needed any more then.
   *
   * @param mono The monotonic clock when it was begun to read the settings, in seconds.
   * @returns How many peers are forgotten, with groups that are there no more.
   */
  apply(config: ServeConfig, groups: readonly GroupFiles[], mono: number): number {
    let forgotten = 0;
    const registry = this.#registry;
    const { encryption, window, maxAge, maxPeers, maxAnswer } = config;
    const { primitives } = this.#host;
    registry.configure({ encryption, window });
    this.#limitAnswers(config.answerBudget);
    this.#relay(config);
    for (const id of [...registry.groups.keys()]) {
      if (!groups.some((group) => group.id === id)) forgotten += registry.removeGroup(id, mono);
    }
    for (const { id, secrets, allowed: keys } of groups) {
      const seed = drawSeed((bytes) => this.#host.random(bytes));
      const allowed = keys && new KeySet(keys, seed);
      const proof = config.groups.find((group) => group.id === id)?.proof ?? "auto";
      const common = { primitives, maxAge, window, serverKey: this.#serverKey };
      const options: GroupOptions = { ...common, id, secrets, allowed, proof };
      const present = registry.groups.get(id);
      if (present !== undefined) present.configure(options, mono);
      else {
        const limits = { maxPeers, maxAnswer, seed };
        registry.addGroup(new RegistryGroup(options, limits, this.#nonces), mono);
      }
    }
    return forgotten;
  }

  #relay({ relay }: ServeConfig): void {
    if (relay !== undefined) this.#macRate ??= macsPerSecond(this.#host);
    const options = relay && { ...relay, macRate: this.#macRate! };
    this.#registry.relayWith(options, (bytes) => this.#host.random(bytes));
  }

  /** Another budget begins with nothing spent. */
  #limitAnswers(bytesPerSecond: number): void {
    if (bytesPerSecond === this.#budget) return;
    this.#budget = bytesPerSecond;
    const seed = drawSeed((bytes) => this.#host.random(bytes));
    this.#registry.limitAnswers(new AnswerBudget(registryBudget(bytesPerSecond), seed));
  }
}
