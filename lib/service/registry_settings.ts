/**
 * A registry's settings as plain data, which can be given to another thread, and what puts them into
 * force there: a registry that is given the same settings in the same order is made the same.
 *
 * @module
 */

import { KeySet } from "../core/key_set.ts";
import type { NonceSource } from "../core/nonce_source.ts";
import type { Registry, RegistryOptions } from "../core/registry.ts";
import { type GroupOptions, RegistryGroup } from "../core/registry_group.ts";

/** A group's settings. */
export interface GroupSettings {
  readonly id: number;
  /** 32 bytes, overwritten once they are in force. */
  readonly secret: Uint8Array;
  /** Who may take part, 32 bytes each. */
  readonly allowed: readonly Uint8Array[] | undefined;
  /** In seconds. */
  readonly maxAge: number;
  /** The same for all threads, or their replicas would differ in what they forget. */
  readonly seed: number;
}

/** The settings of a registry. */
export interface RegistrySettings extends RegistryOptions {
  readonly groups: readonly GroupSettings[];
  readonly maxPeers: number;
  readonly maxAnswer: number;
}

/** What takes time is done: what is left is to put it into force. */
export interface PreparedSettings {
  readonly options: RegistryOptions;
  readonly groups: readonly GroupOptions[];
  readonly settings: RegistrySettings;
}

/** Prepares settings. */
export function prepareSettings(settings: RegistrySettings): PreparedSettings {
  const { encryption, window } = settings;
  const groups = settings.groups.map(({ id, secret, allowed, maxAge, seed }) => ({
    id,
    secret,
    allowed: allowed && new KeySet(allowed, seed),
    maxAge,
    window,
  }));
  return { options: { encryption, window }, groups, settings };
}

/** Puts settings into force: groups that were there before keep their peers. */
export function applySettings(
  registry: Registry,
  { options, groups, settings }: PreparedSettings,
  nonces: NonceSource,
  mono: number,
): void {
  registry.configure(options);
  for (const id of [...registry.groups.keys()]) {
    if (!groups.some((group) => group.id === id)) registry.removeGroup(id);
  }
  const { maxPeers, maxAnswer } = settings;
  groups.forEach((group, i) => {
    const present = registry.groups.get(group.id);
    if (present !== undefined) present.configure(group, mono);
    else {
      const limits = { maxPeers, maxAnswer, seed: settings.groups[i]!.seed };
      registry.setGroup(new RegistryGroup(group, limits, nonces));
    }
  });
}

/** Overwrites the secrets of settings that are in force. */
export function forgetSecrets({ groups }: RegistrySettings): void {
  for (const { secret } of groups) secret.fill(0);
}
