/**
 * What a state file has of the peers that are known beyond their rows, by group.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import type { RandomSource } from "../net/random.ts";
import type { Batch, JournalEnd } from "../store/journal_file.ts";
import type { Restored } from "../store/journaled.ts";
import type { RegistryGroup } from "./group.ts";
import {
  batchesByGroup,
  type EntryFormat,
  hasEntries,
  ListWalk,
  NumberWalk,
  type PeerWalk,
} from "./group_entries.ts";
import { GroupJournal } from "./group_journal.ts";
import type { Kept } from "./members.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import type { Registry } from "./registry.ts";

/** A part of the state file that has entries of peers of the groups' directories. */
export abstract class DirectoryJournal extends GroupJournal {
  /** See `Journaled`. */
  readonly formerMagics: readonly string[] = [];
  /** For the hashes with which a file is read. */
  protected readonly seed: number;
  readonly #random: RandomSource;

  /**
   * Has the registry note what changes from now on.
   *
   * @param seed Random.
   * @param random Draws what a group needs that had nobody of wgsig 2 before.
   */
  constructor(
    registry: Registry,
    kept: Kept,
    format: EntryFormat,
    seed: number,
    random: RandomSource,
  ) {
    super(registry, kept, format);
    this.seed = seed;
    this.#random = random;
  }

  /** Calls `restore` with what a file has of each group that there is, and that has a key. */
  protected restoreGroups(
    file: WireBuffer,
    batches: readonly Batch[],
    now: Now,
    restore: (group: RegistryGroup, directory: PeerDirectory, of: readonly Batch[]) => void,
  ): void {
    for (const [id, of] of batchesByGroup(file, batches)) {
      const group = this.registry.groups.get(id);
      if (group === undefined) {
        // They are not to come back when the group does.
        if (of.some(hasEntries)) this.registry.forgetSaved(id);
      } else if (group.questionKeys.length > 0) {
        // Without a key of the registry, nobody could prove anything any more.
        restore(group, group.openDirectory(this.#random, now.mono), of);
      }
    }
  }

  /** See `Journaled`. */
  restoreFormer(): Restored & JournalEnd {
    throw new SyntaxError("it is no state file");
  }

  /** Those of a group's directory that have an entry; none where the group is gone meanwhile. */
  protected override peersOf({ id, members }: RegistryGroup): PeerWalk {
    const { directory } = members;
    if (directory === undefined || this.registry.groups.get(id)?.members !== members) {
      return new ListWalk([]);
    }
    return new NumberWalk(
      directory,
      (peer) => directory.isThere(peer) && this.hasEntry(directory, peer),
    );
  }

  /** Whether a peer has an entry. */
  protected abstract hasEntry(directory: PeerDirectory, peer: number): boolean;
}
