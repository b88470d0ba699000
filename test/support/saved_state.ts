/**
 * State files of a registry: as they are, and as they were before there was a journal.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { Now } from "../../lib/core/net/clock.ts";
import { NONE } from "../../lib/core/net/none.ts";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import { MemberJournal } from "../../lib/core/registry/member_journal.ts";
import { RegistryJournal } from "../../lib/core/registry/journal.ts";
import { SubscriptionJournal } from "../../lib/core/registry/subscription_journal.ts";
import type { Registry } from "../../lib/core/registry/registry.ts";
import { encodeFile, type RestoredFile, restoreFile } from "../../lib/core/store/encoding.ts";
import type { Journaled } from "../../lib/core/store/journaled.ts";
import { crc32 } from "../../lib/wire/bytes/crc32.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { LABEL_SIZE, writeLabel } from "../../lib/wire/wgsig/tai64n.ts";
import { idOf } from "./fake_random.ts";
import { seededRandom } from "./seeded_random.ts";
import { type DriverGroup, type DriverOptions, RegistryDriver } from "./registry_driver.ts";

const SEED = 0x1_2345_6789;
/** The monotonic clock of another start says something else. */
const NEXT_MONO = 77;

/** The journal of a registry. */
export function journalOf(registry: Registry): RegistryJournal {
  return new RegistryJournal(registry, SEED);
}

/** All that is kept of a registry, as a server has it. */
export function partsOf(registry: Registry): Journaled[] {
  const random = seededRandom(SEED);
  return [
    new MemberJournal(registry, SEED, random),
    journalOf(registry),
    new SubscriptionJournal(registry, SEED, random),
  ];
}

/** A file with all that `registry` holds. */
export function encodeState(registry: Registry, now: Now): Uint8Array {
  return encodeFile(partsOf(registry), now);
}

/** Takes over a file. */
export function restoreState(bytes: Uint8Array, registry: Registry, now: Now): RestoredFile {
  return restoreFile(new WireBuffer(bytes), partsOf(registry), now);
}

/** A file with all that `registry` holds, as it was written before there was a journal. */
export function encodeFormerState(registry: Registry, now: Now): Uint8Array {
  const tables = Array.from(registry.groups.values(), ({ id, table }) => ({ id, table }));
  const size = tables.reduce((sum, { table }) => sum + 8 + table.count * 66, 20 + 4);
  const buffer = new WireBuffer(size);
  const { bytes, view } = buffer;
  bytes.set(new TextEncoder().encode("wgsigst1"));
  view.setFloat64(8, now.unix);
  view.setUint32(16, tables.length);
  let at = 20;
  for (const { id, table } of tables) {
    view.setUint32(at, id);
    view.setUint32(at + 4, table.count);
    at += 8;
    for (let peer = table.oldest; peer !== NONE; peer = table.newerThan(peer)) {
      const recordAt = table.recordAt(peer);
      bytes.set(table.pages.bytes.subarray(recordAt, recordAt + 50), at);
      const seconds = Math.max(0, table.labelSeconds(peer));
      writeLabel(buffer, at + 50, { seconds, nanoseconds: table.labelNanoseconds(peer) });
      view.setUint32(at + 50 + LABEL_SIZE, Math.max(0, now.mono - table.seenAt(peer)));
      at += 66;
    }
  }
  view.setUint32(at, crc32(bytes, 0, at));
  return bytes;
}

/** A registry that is started so many seconds later. */
export function startedAfter(
  driver: RegistryDriver,
  seconds: number,
  options: DriverOptions,
): RegistryDriver {
  const next = new RegistryDriver(options);
  next.unix = driver.unix + seconds;
  next.mono = NEXT_MONO;
  return next;
}

/** A peer as a group holds it. */
export interface Held {
  readonly record: string;
  readonly label: string;
  readonly age: number;
}

/** What a group holds, newest first: records, highest labels, ages. */
export function held(driver: RegistryDriver, id = 0): Held[] {
  const { table } = driver.group(id);
  const texts = driver.held(id).reverse();
  const all: Held[] = [];
  for (let peer = table.oldest; peer !== NONE; peer = table.newerThan(peer)) {
    all.unshift({
      record: texts[all.length]!,
      label: `${table.labelSeconds(peer)}.${table.labelNanoseconds(peer)}`,
      age: driver.mono - table.seenAt(peer),
    });
  }
  return all;
}

/** The keys that a group holds, newest first. */
export function keysHeld(driver: RegistryDriver, id = 0): string[] {
  return driver.held(id).map((text) => text.split(" ")[0]!);
}

/** The keys of some peers. */
export function keysOf(...peers: number[]): string[] {
  return peers.map((peer) => formatKey(idOf(peer)));
}

/** A registry whose peers 1 to `count` were seen one after the other, 10 seconds apart. */
export function driverWith(count: number, group: DriverGroup = {}): RegistryDriver {
  const driver = new RegistryDriver({ groups: [group] });
  for (let peer = 1; peer <= count; peer++) {
    if (peer > 1) driver.pass(10);
    const asked = { group: group.id ?? 0, from: `192.0.2.${peer} ${1000 + peer}` };
    assert(driver.ask({ id: idOf(peer), ...asked }) !== undefined);
  }
  return driver;
}
