/**
 * What is kept of a registry's peers over a restart. The last word on a group and a peer counts.
 *
 * ```
 * part "peer": GROUP (u32), per entry:
 *   record (50) | highest label (12) | seconds that the peer's clock was ahead, at most (u32)
 *   | seconds since it was seen, when written (f32)
 * ```
 *
 * Who was seen less than no seconds ago was removed. Without an entry, the group is gone with all its
 * peers. What is written when, and why that is enough: see `peer_changes.ts`.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import { FORMER_STATE_MAGIC } from "../net/state_magic.ts";
import type { Batch, JournalEnd } from "../store/journal_file.ts";
import type { Journaled, Restored } from "../store/journaled.ts";
import { readFormerState } from "./former_state.ts";
import type { RegistryGroup } from "./group.ts";
import type { PeerChanges } from "./peer_changes.ts";
import {
  batchesByGroup,
  hasEntries,
  ListWalk,
  NumberWalk,
  type PeerWalk,
} from "./group_entries.ts";
import { GroupJournal } from "./group_journal.ts";
import { PEER_ENTRIES } from "./peer_entries.ts";
import type { Registry } from "./registry.ts";
import { countPeers, PeerRestorer } from "./restore_peers.ts";

/** The peers of a registry. */
export class RegistryJournal extends GroupJournal implements Journaled {
  readonly part = "peer";
  readonly formerMagics: readonly string[] = [FORMER_STATE_MAGIC];
  readonly #seed: number;

  /**
   * Has the registry note what changes from now on.
   *
   * @param seed Random, for the hashes with which a file is read.
   */
  constructor(registry: Registry, seed: number) {
    super(registry, "rows", PEER_ENTRIES);
    this.#seed = seed;
  }

  restore(file: WireBuffer, batches: readonly Batch[], now: Now): Restored {
    let forgotten = 0;
    const restored = this.#counted(now, () => {
      for (const [id, of] of batchesByGroup(file, batches)) {
        const group = this.registry.groups.get(id);
        if (group !== undefined) new PeerRestorer(group, file, now).addBatches(of, this.#seed);
        // They are not to come back when the group does.
        else if (of.some(hasEntries)) {
          forgotten += countPeers(file, of, this.#seed);
          this.registry.forgetSaved(id);
        }
      }
    });
    if (forgotten === 0) return restored;
    return { ...restored, counts: { ...restored.counts, forgotten } };
  }

  restoreFormer(file: WireBuffer, now: Now): Restored & JournalEnd {
    const restorers = new Map(
      Array.from(
        this.registry.groups,
        ([id, group]) => [id, new PeerRestorer(group, file, now)] as const,
      ),
    );
    const restored = this.#counted(now, () => {
      readFormerState(file, now, (id, at, seenAt) => restorers.get(id)?.add(at, seenAt, 0));
    });
    return { ...restored, cut: 0, isDamaged: false };
  }

  /** What has changed in a group. */
  protected override changesOf(group: RegistryGroup): PeerChanges | undefined {
    return group.changes;
  }

  /** The peers of a group; none where the group is gone meanwhile. */
  protected override peersOf({ id, table }: RegistryGroup): PeerWalk {
    if (this.registry.groups.get(id)?.table !== table) return new ListWalk([]);
    return new NumberWalk(table, (peer) => table.isThere(peer));
  }

  get #rows(): number {
    let count = 0;
    for (const { table } of this.registry.groups.values()) count += table.count;
    return count;
  }

  /** How many peers there are more when something is done, and those that are too old are gone. */
  #counted(now: Now, restore: () => void): Restored {
    const before = this.#rows;
    restore();
    for (const group of this.registry.groups.values()) {
      group.members.directory?.sort();
      group.keepAllowed(now.mono);
    }
    this.registry.expire(now);
    return { event: "state-restored", counts: { peers: this.#rows - before } };
  }
}
