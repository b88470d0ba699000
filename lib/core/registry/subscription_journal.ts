/**
 * What a registry keeps over a restart of who has subscribed: see `subscription_entries.ts`.
 *
 * @module
 */

import { copyBytes, type WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { newPrefixes, PREFIX_SIZE } from "../../wire/wgsig2/option.ts";
import { MAX_PREFIXES } from "../../wire/wgsig2/question.ts";
import type { Now } from "../net/clock.ts";
import { NONE } from "../net/none.ts";
import type { RandomSource } from "../net/random.ts";
import type { Batch } from "../store/journal_file.ts";
import type { Journaled, Restored } from "../store/journaled.ts";
import { type EntryLayout, visitLastWords } from "../store/last_words.ts";
import type { RegistryGroup } from "./group.ts";
import { DirectoryJournal } from "./directory_journal.ts";
import { BATCH_GROUP_SIZE } from "./group_entries.ts";
import type { PeerChanges } from "./peer_changes.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import type { Registry } from "./registry.ts";
import {
  SUBSCRIPTION_ADDRESS,
  SUBSCRIPTION_COUNTER,
  SUBSCRIPTION_ENTRIES,
  SUBSCRIPTION_FLAG,
  SUBSCRIPTION_FLAGS,
  SUBSCRIPTION_LIST,
  SUBSCRIPTION_NONCE,
  SUBSCRIPTION_PORT,
  SUBSCRIPTION_SOCKET,
  SUBSCRIPTION_WANTS,
  subscriptionSize,
  WANTS_ALL,
} from "./subscription_entries.ts";

const LAYOUT: EntryLayout = {
  size: SUBSCRIPTION_LIST,
  sizeAt: subscriptionSize,
  name: ID_SIZE,
  first: BATCH_GROUP_SIZE,
};

/**
 * The subscriptions. It stands after the parts that have the peers: whose peer is not there any more,
 * has ended.
 */
export class SubscriptionJournal extends DirectoryJournal implements Journaled {
  readonly part = "subs";
  readonly #wants = newPrefixes(MAX_PREFIXES);

  /**
   * Has the registry note what changes from now on.
   *
   * @param seed Random, for the hashes with which a file is read.
   * @param random Draws what a group needs that had nobody of wgsig 2 before.
   */
  constructor(registry: Registry, seed: number, random: RandomSource) {
    super(registry, "subscriptions", SUBSCRIPTION_ENTRIES, seed, random);
  }

  restore(file: WireBuffer, batches: readonly Batch[], now: Now): Restored | undefined {
    this.restoreGroups(file, batches, now, (group, directory, of) => {
      visitLastWords(file, of, LAYOUT, this.seed, (at) => {
        if (file.view.getUint16(at + SUBSCRIPTION_PORT) === 0) return;
        const peer = directory.find(file, at);
        const { subscriptionChanges } = group.members;
        if (this.#take(group, directory, peer, file, at, now)) {
          subscriptionChanges?.saved(peer, 0);
        } else subscriptionChanges?.removed(file, at);
      });
    });
    return undefined;
  }

  /** What has changed in a group. */
  protected override changesOf(group: RegistryGroup): PeerChanges | undefined {
    return group.members.subscriptionChanges;
  }

  /** Those that have subscribed. */
  protected override hasEntry({ pushes }: PeerDirectory, peer: number): boolean {
    return pushes.subscriptions.of(peer) !== NONE;
  }

  /** Begins a subscription as it was kept. Returns whether it is one that may go on. */
  #take(
    { questionKeys, roster }: RegistryGroup,
    directory: PeerDirectory,
    peer: number,
    file: WireBuffer,
    at: number,
    { mono }: Now,
  ): boolean {
    const { bytes, view } = file;
    const flags = bytes[at + SUBSCRIPTION_FLAGS]!;
    const count = bytes[at + SUBSCRIPTION_WANTS]!;
    const isProved = (flags & SUBSCRIPTION_FLAG.proved) !== 0;
    const keys = questionKeys[(flags & SUBSCRIPTION_FLAG.formerSecret) === 0 ? 0 : 1];
    const wants = this.#wants;
    wants.isGiven = count !== WANTS_ALL;
    wants.count = wants.isGiven ? count : 0;
    const { pushes: { subscriptions }, log } = directory;
    if (
      peer === NONE || keys === undefined || wants.count > MAX_PREFIXES ||
      directory.isProved(peer) && !isProved || subscriptions.of(peer) !== NONE
    ) return false;
    copyBytes(file, at + SUBSCRIPTION_LIST, wants.bytes, 0, wants.count * PREFIX_SIZE);
    const kept = {
      buffer: file,
      addressAt: at + SUBSCRIPTION_ADDRESS,
      port: view.getUint16(at + SUBSCRIPTION_PORT),
      nonceAt: at + SUBSCRIPTION_NONCE,
      socket: view.getUint16(at + SUBSCRIPTION_SOCKET),
      isProved,
      roster: (flags & SUBSCRIPTION_FLAG.follows) === 0 ? Infinity : roster?.version ?? Infinity,
      keys,
      counter: view.getUint32(at + SUBSCRIPTION_COUNTER),
      wants,
    };
    return subscriptions.restore(peer, kept, log.version, mono);
  }
}
