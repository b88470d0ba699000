/**
 * Registries that share a table, with a slow store between them and clocks of their own.
 *
 * @module
 */

import { assert } from "@std/assert";
import { formatHostPort } from "../../lib/core/net/host_port.ts";
import { formatAddress, formatIpv4 } from "../../lib/core/net/ip_address.ts";
import { SharedPeers } from "../../lib/core/shared/peers.ts";
import type { StoreClock } from "../../lib/core/shared/store.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { StoreKey } from "../../lib/wire/shared/store_key.ts";
import { readAddress } from "../../lib/wire/wgsig/record.ts";
import { type Label, labelOf } from "../../lib/wire/wgsig/tai64n.ts";
import { newCandidates } from "../../lib/wire/wgsig2/candidate.ts";
import { hex } from "./bytes.ts";
import { type Asking, type Heard, privateKeyOf, QuestionClient } from "./question_driver.ts";
import {
  type DriverGroup,
  RegistryDriver,
  requestOf,
  SECRET,
  SERVER_KEY,
} from "./registry_driver.ts";
import { seededRandom } from "./seeded_random.ts";
import { TwinStore } from "./shared_twin.ts";

/** What becomes of what is written. */
export type Outcome = "written" | "lost" | "unknown" | "late";

/** When the scene begins, by a clock that is right. */
const START = 1_800_000_000;
/** What the registries authenticate records with. */
export const SHARED_KEY: StoreKey = new StoreKey(SERVER_KEY, PORTABLE);
const KINDS = ["?", "seen", "lan", "mapped", "declared", "relay"];

/** The same ID in every run, of a peer of the first protocol. */
export function idOf(number: number): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(32);
  seededRandom(0x1d + number)(id);
  return id;
}

/** One registry. */
export class SharingRegistry {
  readonly driver: RegistryDriver;
  readonly shared: SharedPeers;
  readonly clock: StoreClock;
  /** How often it was told that something is to be written. */
  told = 0;
  /** How many changes of the stream it has read. */
  read = 0;
  readonly #clients = new Map<string, QuestionClient>();
  readonly #store: TwinStore;
  readonly #offset: number;
  readonly #skew: number;

  /** @param skew Seconds by which its clock is ahead. */
  constructor(store: TwinStore, group: DriverGroup, skew: number, seed: number) {
    this.driver = new RegistryDriver({ groups: [group], seed });
    this.driver.mono = 100 * seed;
    this.#offset = START - this.driver.mono;
    this.#skew = skew;
    this.#store = store;
    this.clock = {
      toStore: (mono) => mono + this.#offset,
      toMono: (heard) => heard - this.#offset,
    };
    const { registry, mono } = this.driver;
    this.shared = new SharedPeers(registry, SHARED_KEY, seededRandom(seed), mono);
    this.shared.onDirty = () => this.told++;
    this.setTime(START);
  }

  /** Sets its clocks. @param unix The right time. */
  setTime(unix: number): void {
    this.driver.mono = unix - this.#offset;
    this.driver.unix = unix + this.#skew;
  }

  /** Asks in the first protocol; whether that was answered. */
  ask1(id: Uint8Array, from: string, label: Label, flags = 0): boolean {
    const { seconds, nanoseconds } = label;
    const request = requestOf({ id, seconds, nanoseconds, flags, from });
    return this.driver.exchange([request])[0]!.length > 0;
  }

  /** Asks in the second one. @param unix The peer's time. */
  ask2(
    number: number,
    from: string,
    unix: number,
    asking: Asking = {},
    unproved = false,
  ): Heard | undefined {
    const client = this.client(number, unproved);
    return client.converse(
      unix,
      asking,
      (payload) => this.driver.exchange([{ payload, from }])[0]!,
    );
  }

  /** A peer's side of what it and this registry say to each other. */
  client(number: number, unproved = false): QuestionClient {
    const name = `${number} ${unproved}`;
    let client = this.#clients.get(name);
    if (client === undefined) {
      const serverKey = SERVER_KEY.publicKey.bytes;
      const privateKey = privateKeyOf(number);
      client = new QuestionClient({ secret: SECRET, privateKey, serverKey, unproved });
      this.#clients.set(name, client);
    }
    return client;
  }

  /** Writes once. Returns how many records that were; what is late is written when it is called. */
  write(outcome: Outcome = "written", late: (write: () => void) => void = () => {}): number {
    const taken = this.shared.take(this.clock, this.driver);
    if (taken === undefined) return 0;
    const write = () => {
      for (const { id, record } of taken.records) this.#store.write(taken.group, id, record);
    };
    if (outcome === "written" || outcome === "unknown") write();
    if (outcome === "late") late(write);
    if (outcome === "written") this.shared.written();
    else this.shared.lost();
    return taken.records.length;
  }

  /** Writes all that there is to write. */
  writeAll(): number {
    let count = 0;
    for (let turn = 0; this.shared.isDirty; turn++) {
      assert(turn < 1000, "there is always something to write");
      count += this.write();
    }
    return count;
  }

  /** Reads changes of the stream: at most so many. */
  follow(most = Infinity): void {
    const { stream } = this.#store;
    for (let i = 0; i < most && this.read < stream.length; i++) this.hear(this.read++);
  }

  /** Hears of one change of the stream. */
  hear(change: number): void {
    const { group, id, record } = this.#store.stream[change]!;
    this.shared.apply(group, id, record, this.clock, this.driver);
  }

  /** Reads all that the store has, beginning with a piece of it. */
  scan(): void {
    this.read = this.#store.stream.length;
    this.shared.beginScan();
    for (const { group, id, record } of this.#store.peers.values()) {
      this.shared.apply(group, id, record, this.clock, this.driver, true);
    }
    this.shared.endScan();
  }

  /** Has the store forget who is gone. Returns how many these are. */
  forget(): number {
    let count = 0;
    for (;;) {
      const gone = this.shared.takeGone(this.clock, this.driver);
      if (gone === undefined) return count;
      count += gone.ids.length;
      for (const id of gone.ids) this.#store.forget(gone.group, id, gone.notHeardSince);
    }
  }

  /** All that it knows of its peers but labels and times, by ID. */
  view(group = 0): Map<string, string> {
    const { members } = this.driver.group(group);
    const { table, directory } = members;
    const peers: [string, string][] = [];
    directory?.visit((peer) => {
      const { places } = directory;
      const texts: string[] = [];
      const row = directory.rowOf(peer);
      if (row >= 0) {
        const at = table.recordAt(row);
        const port = table.pages.view.getUint16(at + 36);
        texts.push(`${formatIpv4(readAddress(table.pages, at))}:${port}`);
      }
      const list = newCandidates();
      if (!Number.isNaN(places.seenAt(peer))) places.readSeen(peer, list.slots[list.count++]!, 0);
      places.readSaid(peer, list, true, 0);
      for (const { kind, address, port } of list.slots.slice(0, list.count)) {
        texts.push(`${KINDS[kind]} ${formatHostPort({ host: formatAddress(address, 0), port })}`);
      }
      const flags = places.flagsOf(peer);
      if (flags !== 0) texts.push(`flags ${flags}`);
      if (directory.isProved(peer)) texts.push("proved");
      const idAt = directory.idAt(peer);
      peers.push([hex(directory.ids.bytes.slice(idAt, idAt + 32)), texts.join(", ")]);
    });
    return new Map(peers.sort(([a], [b]) => a < b ? -1 : 1));
  }

  /** What it knows of a peer; undefined where that is nothing. */
  of(id: Uint8Array): string | undefined {
    return this.view().get(hex(id));
  }
}

/** Registries and their store. */
export class SharingScene {
  readonly store = new TwinStore();
  readonly registries: SharingRegistry[];
  /** The right time, and the store's. */
  unix = START;
  readonly #group: DriverGroup;
  readonly #skews: readonly number[];
  #seed = 1;

  /** @param skews By how many seconds the registries' clocks are ahead: one for each. */
  constructor(skews: readonly number[] = [0, 0], group: DriverGroup = {}) {
    this.#group = group;
    this.#skews = skews;
    this.registries = skews.map((skew) => this.#make(skew));
  }

  /** One of the registries. */
  at(registry: number): SharingRegistry {
    return this.registries[registry]!;
  }

  /** Puts another one, that knows nothing, in the place of a registry. */
  restart(registry: number): SharingRegistry {
    return this.registries[registry] = this.#make(this.#skews[registry]!);
  }

  /** Lets time go on. */
  pass(seconds: number): void {
    this.unix += seconds;
    for (const each of this.registries) each.setTime(this.unix);
  }

  /** A label of now, by a clock that is right. */
  label(): Label {
    return labelOf(this.unix);
  }

  /** Has all written and read, until there is nothing any more. */
  settle(): void {
    for (let turn = 0; turn < 20; turn++) {
      let count = 0;
      for (const each of this.registries) {
        count += each.writeAll();
        each.follow();
      }
      const isRead = this.registries.every(({ read }) => read === this.store.stream.length);
      if (count === 0 && isRead && !this.registries.some(({ shared }) => shared.isDirty)) return;
    }
    throw new Error("they never come to an end");
  }

  #make(skew: number): SharingRegistry {
    const made = new SharingRegistry(this.store, this.#group, skew, this.#seed++);
    made.setTime(this.unix);
    return made;
  }
}
