/**
 * What a registry writes of its groups to a state file: all of them, or what changed.
 *
 * @module
 */

import type { Pieces } from "../store/journaled.ts";
import type { RegistryGroup } from "./group.ts";
import { type EntryFormat, GroupPieces, ListWalk, type PeerWalk } from "./group_entries.ts";
import type { Kept } from "./members.ts";
import type { DiskNeeds, PeerChanges } from "./peer_changes.ts";
import type { Registry } from "./registry.ts";

/** The writing half of a part of the state file that has entries of peers, by group. */
export abstract class GroupJournal {
  /** Whose groups they are. */
  protected readonly registry: Registry;
  readonly #needs: DiskNeeds;
  readonly #format: EntryFormat;

  /** Has the registry note what changes from now on. */
  constructor(registry: Registry, kept: Kept, format: EntryFormat) {
    this.registry = registry;
    this.#needs = registry.keepChanges(kept);
    this.#format = format;
  }

  /** See `Journaled`. */
  get patience(): number {
    return this.#needs.patience;
  }

  /** See `Journaled`. */
  get wentOn(): boolean {
    return this.#needs.wentOn;
  }

  /** See `Journaled`. */
  all(): Pieces {
    this.#needs.wentOn = false;
    const groups = [...this.registry.groups.values()];
    return new GroupPieces(
      this.#format,
      [],
      groups.map((group) => ({ group, removed: [], peers: () => this.peersOf(group) })),
    );
  }

  /** See `Journaled`. */
  changes(): Pieces {
    const { gone } = this.#needs;
    this.#needs.gone = [];
    this.#needs.patience = Infinity;
    const work = Array.from(this.registry.groups.values(), (group) => {
      const { peers, removed } = this.changesOf(group)?.take() ?? { peers: [], removed: [] };
      return { group, removed, peers: () => new ListWalk(peers) };
    });
    return new GroupPieces(this.#format, gone, work);
  }

  /** Those of a group that have an entry, when it is their turn; none where the group is gone by then. */
  protected abstract peersOf(group: RegistryGroup): PeerWalk;

  /** What has changed in a group. */
  protected abstract changesOf(group: RegistryGroup): PeerChanges | undefined;
}
