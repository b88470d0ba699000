/** What tables are made of that have many peers: nothing of them is done at once for all. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NONE } from "../../../lib/core/net/none.ts";
import { orderOf } from "../../../lib/core/net/number_order.ts";
import { ChangeLog, MOST_GONE } from "../../../lib/core/registry/change_log.ts";
import { FreeNumbers } from "../../../lib/core/net/free_numbers.ts";
import { roomFor } from "../../../lib/core/net/grown.ts";
import { HashChains } from "../../../lib/core/registry/hash_chains.ts";
import { PeerDirectory } from "../../../lib/core/registry/peer_directory.ts";
import { PeerTable } from "../../../lib/core/registry/peer_table.ts";
import { WantedChanges } from "../../../lib/core/registry/wanted_changes.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { ID_SIZE } from "../../../lib/wire/wgsig/record.ts";
import { newPrefixes } from "../../../lib/wire/wgsig2/option.ts";
import { idOf } from "../../support/fake_random.ts";
import { RegistryDriver } from "../../support/registry_driver.ts";
import { seededNumbers, seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

/** All numbers with a hash, as an index has them. */
function foundIn(index: HashChains, hash: number): number[] {
  const found: number[] = [];
  for (let number = index.first(hash); number !== NONE; number = index.next(number)) {
    found.push(number);
  }
  return found.sort((a, b) => a - b);
}

test("an index finds those with a hash, and nobody else, however many come and go", () => {
  const step = fc.tuple(fc.boolean(), fc.nat(299), fc.nat(40));
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 250, size: "max" }),
      fc.nat(400),
      (steps, expected) => {
        const index = new HashChains(64);
        const numbers = new Map<number, number>();
        let room = 64;
        index.expect(expected);
        for (const [isAdded, number, which] of steps) {
          // Some have the same low bits, and some the same hash.
          const hash = Math.imul(which, which % 3 === 0 ? 0x0100_0000 : 0x9e37_79b1);
          if (isAdded && !numbers.has(number)) {
            if (number >= room) index.grow(room = Math.max(2 * room, number + 1));
            index.add(number, hash);
            numbers.set(number, hash);
          } else if (numbers.delete(number)) index.remove(number);
          const alike = [...numbers].filter(([, each]) => each === hash).map(([each]) => each);
          assertEquals(foundIn(index, hash), alike.sort((a, b) => a - b));
        }
      },
    ),
  );
});

test("numbers are handed out once, small ones, and begin anew once nobody has one", () => {
  const numbers = new FreeNumbers(4);
  assertEquals([numbers.take(), numbers.take(), numbers.take()], [0, 1, 2]);
  numbers.giveBack(1);
  assertEquals([numbers.end, numbers.take(), numbers.take()], [3, 1, 3]);
  for (const number of [3, 0, 2, 1]) numbers.giveBack(number);
  assertEquals([numbers.end, numbers.take()], [0, 0]);
  numbers.grow(100);
  assertEquals(Array.from({ length: 99 }, () => numbers.take()).at(-1), 99);
});

test("there is room for few by doubling, and for many at once, up to all that there may be", () => {
  assertEquals(roomFor(65, 64, 1000), 128);
  assertEquals(roomFor(900, 512, 1000), 1000);
  assertEquals(roomFor(32_769, 32_768, 1_000_000), 1_000_000);
  assertEquals(roomFor(20_000, 16_384, 30_000), 30_000);
});

test("numbers come in their order, and those that are the same in that of their places", () => {
  const whole = fc.integer({ min: -1e6, max: 1e6 });
  fc.assert(
    fc.property(fc.array(fc.oneof(whole, fc.constantFrom(0, 1.5, -0.25))), (list) => {
      const places = list.map((_, place) => place);
      const expected = places.sort((a, b) => list[a]! - list[b]! || a - b);
      assertEquals([...orderOf(Float64Array.from(list))], expected);
    }),
  );
  assertEquals([...orderOf(new Float64Array(3))], [0, 1, 2]);
});

test("a log of changes is tidied a little at a time, and says the same meanwhile", () => {
  const log = new ChangeLog(100_000);
  const last = new Map<number, number>();
  const random = seededNumbers(7);
  const peers = 500;
  let most = 0;
  for (let i = 0; i < 8000; i++) {
    const peer = Math.floor(random() ** 3 * peers);
    log.changed(peer);
    last.set(peer, log.version);
    most = Math.max(most, log.length);
    if (i % 97 !== 0) continue;
    const since = Math.floor(random() * log.version);
    const told: number[] = [];
    for (let entry = log.firstAfter(since); entry < log.length; entry = log.after(entry)) {
      assert(log.versionAt(entry) > since);
      if (log.peerAt(entry) !== NONE) told.push(log.peerAt(entry));
    }
    const changed = [...last].filter(([, version]) => version > since);
    assertEquals(told, changed.sort(([, a], [, b]) => a - b).map(([peer]) => peer));
    const oldest = [...last].sort(([, a], [, b]) => a - b)[0]![0];
    assertEquals(log.peerAt(log.first()), oldest);
    assert(log.countFrom(log.first()) >= last.size);
  }
  assert(most <= 3 * peers + 100, `${most} entries for ${peers} peers`);
});

test("where all are gone at once, a few entries are looked at for each", () => {
  const peers = 40_000;
  const log = new ChangeLog(peers);
  for (let peer = 0; peer < peers; peer++) log.changed(peer);
  let looked = 0;
  const peerAt = log.peerAt.bind(log);
  log.peerAt = (entry) => {
    looked++;
    return peerAt(entry);
  };
  const id = new WireBuffer(ID_SIZE);
  for (let peer = 0; peer < peers; peer++) log.gone(peer, id, 0);
  assert(looked < 100 * peers, `${looked / peers} each`);
  assertEquals(log.first(), log.length);
});

test("where there may be many, more are remembered that are gone", () => {
  const log = new ChangeLog(200_000);
  const id = new WireBuffer(ID_SIZE);
  for (let peer = 0; peer < 70_000; peer++) log.changed(peer);
  for (let peer = 0; peer < MOST_GONE + 100; peer++) log.gone(peer, id, 0);
  assertEquals(log.floor, 0);
  for (let peer = MOST_GONE + 100; peer < 26_000; peer++) log.gone(peer, id, 0);
  assert(log.floor > 70_000 && log.floor < log.version);
});

test("a table that was filled in any order is as if its peers had come one after the other", () => {
  for (const count of [0, 5, 10, 25, 60]) {
    const options = { maxPeers: 100, maxAnswer: 20, seed: 1 };
    const [table, twin] = [new PeerTable(options), new PeerTable(options)];
    const id = (peer: number) => new WireBuffer(idOf(peer));
    for (let i = 0; i < count; i++) table.addOldest(id(i), 0, (i * 7 + 3) % count);
    table.sort();
    const seen = Array.from({ length: count }, (_, i) => (i * 7 + 3) % count);
    const order = seen.map((_, i) => i).sort((a, b) => seen[a]! - seen[b]!);
    for (const i of order) twin.add(id(i), 0, seen[i]!);
    const keys = (each: PeerTable) => {
      const all: string[] = [];
      for (let peer = each.oldest; peer !== NONE; peer = each.newerThan(peer)) {
        const at = each.recordAt(peer);
        all.push(each.pages.bytes.subarray(at, at + ID_SIZE).join());
      }
      return all;
    };
    assertEquals(keys(table), keys(twin));
    // Those seen last are in the first datagrams, also once others are seen and gone.
    for (const each of [table, twin]) {
      for (let i = 0; i < count; i += 3) each.touch(each.find(id(i), 0), count + i);
      for (let i = 1; i < count; i += 9) each.remove(each.find(id(i), 0));
    }
    assertEquals(keys(table), keys(twin));
    for (const first of [10, 20]) {
      const inFront = keys(table).filter((_, i) => i >= table.count - first).map((key) => {
        const bytes = Uint8Array.from(key.split(","), Number);
        return table.recordAt(table.find(new WireBuffer(bytes), 0)) < first / 10 * 540;
      });
      assert(inFront.every((isInFront) => isInFront));
    }
  }
});

test("who knows something from long ago is told all in cut answers, none of which takes long", () => {
  const peers = 20_000;
  const directory = new PeerDirectory(peers, 30, seededRandom(1), PORTABLE);
  const { log, epoch } = directory;
  for (let peer = 0; peer < peers; peer++) directory.add(new WireBuffer(idOf(peer)), 0, 0);
  for (let peer = 0; peer < peers; peer++) log.changed(peer);
  const changes = new WantedChanges();
  const wants = newPrefixes(1);
  wants.isGiven = false;
  const told = new Set<number>();
  let version = 1;
  let silent = 0;
  for (let asked = 0; version < log.version; asked++) {
    assert(asked < 10);
    changes.start(directory, wants, epoch, version);
    assertEquals(changes.isWhole, false);
    const before = told.size;
    while (changes.next()) told.add(changes.peer);
    if (told.size === before) silent++;
    assert(changes.version > version);
    version = changes.isCut ? changes.version : log.version;
  }
  // All that came first means nothing any more, and is more than is looked at for one question.
  assertEquals([told.size, silent], [peers, 1]);
  // Who knows nothing begins where something is.
  changes.start(directory, wants, epoch, 0);
  assertEquals([changes.isWhole, changes.next(), changes.peer], [true, true, 0]);
});

test("of many that are too old some are gone each time, rows as well as peers, until all are", () => {
  const driver = new RegistryDriver({ groups: [{ maxAge: 60, maxAnswer: 10 }] });
  const { registry } = driver;
  for (let i = 0; i < 700; i++) {
    driver.ask({ id: idOf(i), from: `10.0.${i >> 8}.${i & 255} 5` });
  }
  const { members } = driver.group();
  const directory = members.openDirectory(seededRandom(1), PORTABLE, driver.mono);
  driver.pass(61);
  // These are heard still, over IPv6.
  for (let i = 0; i < 600; i++) {
    directory.heard(directory.find(new WireBuffer(idOf(i)), 0), driver.mono);
  }
  const left: number[][] = [];
  for (let i = 0; i < 4; i++) {
    registry.expireInTime(driver);
    left.push([directory.count, members.table.count]);
  }
  assertEquals(left, [[600, 344], [600, 88], [600, 0], [600, 0]]);
  assertEquals(registry.counters.get("expired"), 100);
});
