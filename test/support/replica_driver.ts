/**
 * Drives the replicas of a registry, one of them at a time, as threads would that share a log.
 *
 * @module
 */

import { ChangeLog, changeLogSize } from "../../lib/core/change_log.ts";
import type { DatagramBatch, ReplyBatch } from "../../lib/core/datagram_batch.ts";
import { NONE } from "../../lib/core/peer_table.ts";
import { Replica } from "../../lib/core/replica.ts";
import { WireBuffer } from "../../lib/wire/wire_buffer.ts";
import type { Label } from "../../lib/wire/tai64n.ts";
import { countingRandom } from "./fake_random.ts";
import { type DriverGroup, type DriverOptions, RegistryDriver } from "./registry_driver.ts";

/** Seconds between two looks at what is too old, as a server takes them. */
const EXPIRY_INTERVAL = 0.5;

/** What a tunnel sees of a peer. */
export interface Seen {
  readonly id: Uint8Array;
  readonly address: number;
  readonly port: number;
  readonly label: Label;
}

/** What can be done to one registry, or to several that are kept the same. */
export interface Driven {
  readonly driver: RegistryDriver;
  /** Tells group 0 where a tunnel sees a peer. */
  observe(seen: Seen): string;
  /** Puts settings of a group into force. */
  configure(group: DriverGroup): void;
}

/** A registry alone, which looks for what is too old as a server does. */
export class LoneDriver extends RegistryDriver implements Driven {
  readonly driver = this;
  #expiredAt = -Infinity;

  protected override answer(batch: DatagramBatch, replies: ReplyBatch): void {
    this.expire();
    super.answer(batch, replies);
  }

  /** Looks for what is too old. */
  expire(): void {
    if (this.mono - this.#expiredAt < EXPIRY_INTERVAL) return;
    this.#expiredAt = this.mono;
    this.registry.expire(this);
  }

  observe({ id, address, port, label }: Seen): string {
    const { counters } = this.registry;
    const group = this.group();
    const found = group.observe(new WireBuffer(id), address, port, label, this, counters);
    return `${found.peer === NONE} ${found.isNew}`;
  }

  configure(group: DriverGroup): void {
    this.configureGroup(group);
  }
}

/** One replica of a registry. */
export class ReplicaDriver extends RegistryDriver {
  readonly replica: Replica;
  readonly log: ChangeLog;

  constructor(options: DriverOptions, log: ChangeLog, settings: readonly DriverGroup[]) {
    super(options);
    this.log = log;
    this.replica = new Replica(this.registry, log, {
      observer: {
        endpointChanged: (group, _peer, isNew) =>
          this.changes.push(`${isNew ? "new" : "moved"} ${group.id} observed`),
        dropped() {},
      },
      configured: (number, mono) => {
        const kept = this.mono;
        this.mono = mono;
        this.configureGroup(settings[number]!);
        this.mono = kept;
      },
    });
  }

  protected override answer(batch: DatagramBatch, replies: ReplyBatch): void {
    this.replica.answer(batch, this, replies);
  }
}

/** Replicas with one log. */
export class Replicas {
  readonly members: readonly ReplicaDriver[];
  /** All settings that there have been, by their numbers. */
  readonly #settings: DriverGroup[] = [];

  /**
   * Makes replicas.
   *
   * @param capacity Entries of the log.
   * @param first The number of the first entry, as a log that is in use has it.
   */
  constructor(count: number, options: DriverOptions = {}, capacity = 1024, first = 0) {
    const memory = new SharedArrayBuffer(changeLogSize(capacity));
    // Entries written, and read by each.
    new Int32Array(memory).fill(first, 1, 2 + count);
    const random = countingRandom();
    this.members = Array.from(
      { length: count },
      (_, i) =>
        new ReplicaDriver({ ...options, random }, new ChangeLog(memory, i, count), this.#settings),
    );
  }

  /** Lets all clocks go on. */
  pass(seconds: number): void {
    for (const member of this.members) member.pass(seconds);
  }

  /** Has all repeat what happened elsewhere. */
  sync(): void {
    for (const member of this.members) member.replica.sync(member);
  }

  /** What one of them does. */
  at(i: number): Driven {
    const driver = this.members[i]!;
    return {
      driver,
      observe: ({ id, address, port, label }) => {
        const buffer = new WireBuffer(id);
        const { replica } = driver;
        const found = replica.observe(driver.group(), buffer, address, port, label, driver);
        // The replica tells of what others saw; who saw it knows.
        if (found.peer !== NONE) driver.changes.push(`${found.isNew ? "new" : "moved"} 0 observed`);
        return `${found.peer === NONE} ${found.isNew}`;
      },
      configure: (group) => {
        const number = this.#settings.push(group) - 1;
        driver.replica.configure(number, driver);
      },
    };
  }
}
