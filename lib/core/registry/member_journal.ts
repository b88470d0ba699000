/**
 * What a registry keeps over a restart of the peers of wgsig 2, beyond their rows: see
 * `member_entries.ts`. What is written when, is as with the rows: `peer_changes.ts`.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import type { RandomSource } from "../net/random.ts";
import type { Batch } from "../store/journal_file.ts";
import type { Journaled, Restored } from "../store/journaled.ts";
import type { RegistryGroup } from "./group.ts";
import { DirectoryJournal } from "./directory_journal.ts";
import { MEMBER_ENTRIES } from "./member_entries.ts";
import type { PeerChanges } from "./peer_changes.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import type { Registry } from "./registry.ts";
import { MemberRestorer } from "./restore_members.ts";

/**
 * The peers of wgsig 2. It stands before the {@linkcode RegistryJournal}, which has their rows: so a
 * proof is in the file before what it protects, wherever the file is torn.
 */
export class MemberJournal extends DirectoryJournal implements Journaled {
  readonly part = "memb";

  /**
   * Has the registry note what changes from now on.
   *
   * @param seed Random, for the hashes with which a file is read.
   * @param random Draws what a group needs that had nobody of wgsig 2 before.
   */
  constructor(registry: Registry, seed: number, random: RandomSource) {
    super(registry, "members", MEMBER_ENTRIES, seed, random);
  }

  restore(file: WireBuffer, batches: readonly Batch[], now: Now): Restored | undefined {
    this.restoreGroups(file, batches, now, (group, directory, of) => {
      new MemberRestorer(group, directory, file, now).addBatches(of, this.seed);
    });
    let members = 0;
    let proved = 0;
    for (const { members: { directory } } of this.registry.groups.values()) {
      if (directory === undefined) continue;
      for (let peer = 0; peer < directory.end; peer++) {
        if (directory.isThere(peer) && directory.isMember(peer)) members++;
      }
      proved += directory.provedCount;
    }
    return members === 0 ? undefined : { event: "members-restored", counts: { members, proved } };
  }

  /** What has changed in a group. */
  protected override changesOf(group: RegistryGroup): PeerChanges | undefined {
    return group.members.memberChanges;
  }

  /** Those that are more than their rows. */
  protected override hasEntry(directory: PeerDirectory, peer: number): boolean {
    return directory.isMember(peer);
  }
}
