/**
 * A registry's settings, once all of their files are read, and what puts them into force.
 *
 * @module
 */

import { KeySet } from "../../core/net/key_set.ts";
import type { NonceSource } from "../../core/net/random.ts";
import type { Registry, RegistryOptions } from "../../core/registry/registry.ts";
import { type GroupOptions, RegistryGroup } from "../../core/registry/group.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";

/** A group's settings. */
export interface GroupSettings {
  readonly id: number;
  /** 32 bytes, overwritten once they are in force. */
  readonly secret: Uint8Array;
  /** Who may take part, 32 bytes each. */
  readonly allowed: readonly Uint8Array[] | undefined;
  /** In seconds. */
  readonly maxAge: number;
  /** Random, for the hashes of its tables. */
  readonly seed: number;
}

/** The settings of a registry. */
export interface RegistrySettings extends RegistryOptions {
  readonly groups: readonly GroupSettings[];
  /** What the groups' keys are made with. */
  readonly primitives: Primitives;
  readonly maxPeers: number;
  readonly maxAnswer: number;
}

/**
 * Puts settings into force: groups that were there before keep their peers.
 *
 * @param settings Their secrets are overwritten.
 * @param mono A monotonic clock, in seconds.
 */
export function applySettings(
  registry: Registry,
  settings: RegistrySettings,
  nonces: NonceSource,
  mono: number,
): void {
  const { encryption, window, groups, primitives, maxPeers, maxAnswer } = settings;
  registry.configure({ encryption, window });
  for (const id of [...registry.groups.keys()]) {
    if (!groups.some((group) => group.id === id)) registry.removeGroup(id);
  }
  for (const { id, secret, allowed, maxAge, seed } of groups) {
    const options: GroupOptions = {
      id,
      secret,
      primitives,
      allowed: allowed && new KeySet(allowed, seed),
      maxAge,
      window,
    };
    const present = registry.groups.get(id);
    if (present !== undefined) present.configure(options, mono);
    else registry.setGroup(new RegistryGroup(options, { maxPeers, maxAnswer, seed }, nonces));
    secret.fill(0);
  }
}
