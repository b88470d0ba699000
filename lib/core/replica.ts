/**
 * One of several registries with the same peers, each used by a thread of its own. What one changes
 * the others repeat from a log, in its order, before they answer anything: a label that was used at
 * one is used at all, and who registered at one is in the next answer of each.
 *
 * @module
 */

import { REQUEST_ID, REQUEST_LABEL } from "../wire/request.ts";
import { type Label, readNanoseconds, readSeconds } from "../wire/tai64n.ts";
import { ID_SIZE } from "../wire/record.ts";
import { copyBytes, WireBuffer } from "../wire/wire_buffer.ts";
import { CHANGE, type ChangeLog } from "./change_log.ts";
import { Counters } from "./counters.ts";
import type { DatagramBatch, ReplyBatch } from "./datagram_batch.ts";
import { NONE } from "./peer_table.ts";
import type { Now, Registry, RegistryJournal, RegistryObserver } from "./registry.ts";
import type { RegistryGroup } from "./registry_group.ts";
import { SharedLock } from "./shared_lock.ts";

/** A batch takes less than a millisecond; another thread that keeps the others so long is stuck. */
const LOCK_TIMEOUT_MS = 5000;
/** Seconds between two looks at which records have become too old. */
const EXPIRY_INTERVAL = 0.5;

/** What a replica can't do itself. */
export interface ReplicaOptions {
  /** Told of peers that were registered or moved, here or elsewhere. */
  readonly observer: RegistryObserver;
  /** Puts settings into force. @param number Which, as `configure` was told it. */
  configured(number: number, mono: number): void;
}

/** A registry that is kept the same as others. */
export class Replica implements RegistryJournal {
  readonly registry: Registry;
  readonly #log: ChangeLog;
  readonly #lock: SharedLock;
  readonly #options: ReplicaOptions;
  /** The time of the last change: no later one has an earlier time. */
  #mono = -Infinity;
  #expiredAt = -Infinity;
  /** How often settings have come into force. */
  #settings = 0;
  readonly #id = new WireBuffer(ID_SIZE);
  /** What is repeated was counted where it happened. */
  readonly #repeated = new Counters();

  /**
   * Makes a replica.
   *
   * @param registry Has the same groups and peers as the others', all of them made with the same
   *   seeds, and changes through this alone from now on.
   * @param log The others' views of it have the same memory.
   */
  constructor(registry: Registry, log: ChangeLog, options: ReplicaOptions) {
    this.registry = registry;
    this.#log = log;
    this.#lock = new SharedLock(log.words, log.lockAt);
    this.#options = options;
    registry.keepJournal(this);
  }

  /**
   * Takes a batch in, as {@linkcode Registry.answer} does. Where a thread has not repeated what
   * happened so long ago that the log is full, the batch is dropped (`workers-behind`).
   *
   * @returns How many changes the others have to repeat.
   */
  answer(batch: DatagramBatch, now: Now, replies: ReplyBatch): number {
    const settings = this.#settings;
    this.registry.examine(batch, now);
    this.#enter();
    try {
      if (this.#settings !== settings) this.registry.examine(batch, now);
      const time = this.#timeFor(now);
      // Each request is a change, and so is that records become too old.
      if (this.#log.begin() < batch.count + 1) {
        replies.count = 0;
        this.registry.counters.add("received", batch.count);
        this.registry.counters.add("workers-behind", batch.count);
        return 0;
      }
      this.#expire(time);
      this.registry.answerExamined(batch, time, replies);
      return this.#log.commit();
    } finally {
      this.#lock.release();
    }
  }

  /** Repeats what happened elsewhere, and discards what is too old by now. */
  sync(now: Now): void {
    if (this.#log.pending === 0 && now.mono - this.#expiredAt < EXPIRY_INTERVAL) return;
    this.#enter();
    try {
      const time = this.#timeFor(now);
      if (this.#log.begin() === 0) return;
      this.#expire(time);
      this.#log.commit();
    } finally {
      this.#lock.release();
    }
  }

  /** The same as {@linkcode RegistryGroup.observe}, for all. With a full log nothing happens. */
  observe(
    group: RegistryGroup,
    id: WireBuffer,
    address: number,
    port: number,
    seen: Label,
    now: Now,
  ): { peer: number; isNew: boolean } {
    this.#enter();
    try {
      const { unix, mono } = this.#timeFor(now);
      if (this.#log.begin() === 0) return { peer: NONE, isNew: false };
      this.#log.writeObserved(group.id, id, address, port, seen, unix, mono);
      const { counters } = this.registry;
      const changed = group.observe(id, address, port, seen, { unix, mono }, counters);
      this.#log.commit();
      return changed;
    } finally {
      this.#lock.release();
    }
  }

  /**
   * Puts settings into force that all threads have: at the same place in the order of changes.
   *
   * @param number Which; each thread's `configured` is called with it.
   * @returns False, and nothing has happened, where the log is full.
   */
  configure(number: number, now: Now): boolean {
    this.#enter();
    try {
      const { mono } = this.#timeFor(now);
      if (this.#log.begin() === 0) return false;
      this.#log.writeConfigured(number, mono);
      this.#options.configured(number, mono);
      this.#log.commit();
      return true;
    } finally {
      this.#lock.release();
    }
  }

  /** Has `look` see the registry, and what the others counted, between two batches. */
  atRest<T>(look: () => T): T {
    this.#enter();
    try {
      return look();
    } finally {
      this.#lock.release();
    }
  }

  accepted(request: WireBuffer, at: number, address: number, port: number, mono: number): void {
    this.#log.writeRequest(request, at, address, port, mono);
  }

  /** Takes the lock, and brings this replica up to date. */
  #enter(): void {
    if (!this.#lock.acquire(LOCK_TIMEOUT_MS)) {
      throw new Error("another thread has kept the peers to itself for 5 s");
    }
    try {
      const log = this.#log;
      for (let count = log.pending; count > 0; count--) {
        this.#repeat(log.at);
        log.skip();
      }
    } catch (error) {
      this.#lock.release();
      throw error;
    }
  }

  /** Repeats the change at `at`. */
  #repeat(at: number): void {
    const log = this.#log;
    const mono = log.monoAt(at);
    this.#mono = mono;
    switch (log.kindAt(at)) {
      case CHANGE.request:
        this.registry.repeat(
          log.entries,
          log.requestAt(at),
          log.addressAt(at),
          log.portAt(at),
          mono,
        );
        break;
      case CHANGE.observed:
        this.#repeatObserved(at, mono);
        break;
      case CHANGE.expired:
        this.#expiredAt = mono;
        this.registry.expire({ mono }, this.#repeated);
        break;
      case CHANGE.configured:
        this.#settings++;
        this.#options.configured(log.groupAt(at), mono);
        break;
    }
  }

  #repeatObserved(at: number, mono: number): void {
    const log = this.#log;
    const group = this.registry.groups.get(log.groupAt(at));
    if (group === undefined) return;
    const requestAt = log.requestAt(at);
    copyBytes(log.entries, requestAt + REQUEST_ID, this.#id, 0, ID_SIZE);
    const seen = {
      seconds: readSeconds(log.entries, requestAt + REQUEST_LABEL),
      nanoseconds: readNanoseconds(log.entries, requestAt + REQUEST_LABEL),
    };
    const now = { unix: log.unixAt(at), mono };
    const [address, port] = [log.addressAt(at), log.portAt(at)];
    const { peer, isNew } = group.observe(this.#id, address, port, seen, now, this.#repeated);
    if (peer !== NONE) this.#options.observer.endpointChanged(group, peer, isNew);
  }

  /** The time of a change that is made now: threads read their clocks one after the other. */
  #timeFor(now: Now): Now {
    if (now.mono >= this.#mono) this.#mono = now.mono;
    return now.mono >= this.#mono ? now : { unix: now.unix, mono: this.#mono };
  }

  #expire(now: Now): void {
    if (now.mono - this.#expiredAt < EXPIRY_INTERVAL) return;
    this.#expiredAt = now.mono;
    if (this.registry.expire(now) > 0) this.#log.writeExpired(now.mono);
  }
}
