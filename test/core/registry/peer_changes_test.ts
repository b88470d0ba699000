/** What of a registry goes to the disk between two files that are written whole, and what it brings back. */

import { assert, assertEquals } from "@std/assert";
import type { Registry } from "../../../lib/core/registry/registry.ts";
import { encodeChanges, Encoding, wholeFile } from "../../../lib/core/store/encoding.ts";
import { BATCH_HEAD, JOURNAL_HEAD } from "../../../lib/core/store/journal_file.ts";
import { joinBytes } from "../../../lib/wire/bytes/wire_buffer.ts";
import { KEEP_ENDPOINT, KEEP_LABEL } from "../../../lib/wire/wgsig/request.ts";
import { idOf } from "../../support/fake_random.ts";
import { type DriverGroup, RegistryDriver, requestOf } from "../../support/registry_driver.ts";
import {
  driverWith,
  encodeState,
  held,
  journalOf,
  keysHeld,
  keysOf,
  restoreState,
  startedAfter,
} from "../../support/saved_state.ts";
import { seededNumbers } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const KEEP_BOTH = KEEP_ENDPOINT | KEEP_LABEL;
const PEER_SIZE = 70;
const SOON = 2;
const LATE = 60;

/** A registry whose file is written whole and added to, as a store does it. */
class Disk {
  readonly driver: RegistryDriver;
  file: Uint8Array;

  constructor(driver: RegistryDriver) {
    this.driver = driver;
    this.file = encodeState(driver.registry, driver);
    // Nothing is to be added for what is there.
    this.add();
    this.file = encodeState(driver.registry, driver);
  }

  get journal() {
    return journalOf(this.driver.registry);
  }

  /** Adds what has changed, and returns how many bytes that are. */
  add(): number {
    const added = encodeChanges([this.journal], this.driver);
    this.file = joinBytes([this.file, added]);
    return added.length;
  }

  /** A registry that starts so long after a crash. */
  crash(seconds: number, groups: readonly DriverGroup[] = [{}]): RegistryDriver {
    const next = startedAfter(this.driver, seconds, { groups });
    const { cut } = restoreState(this.file, next.registry, next);
    assertEquals(cut, 0);
    for (const group of next.registry.groups.values()) group.distrustBefore(next.mono);
    return next;
  }
}

function endpointsHeld(driver: RegistryDriver, id = 0): string[] {
  return held(driver, id).map(({ record }) => record.split(" ").slice(0, 2).join(" ")).sort();
}

function peersOf(registry: Registry): number {
  return registry.groups.get(0)!.table.count;
}

test("a peer that asks again and stays where it is needs nothing of the disk", () => {
  const driver = driverWith(3);
  const disk = new Disk(driver);
  for (let i = 0; i < 20; i++) {
    driver.pass(1);
    for (const flags of [0, KEEP_ENDPOINT, KEEP_BOTH]) {
      const at = { from: "192.0.2.2 1002", flags, nanoseconds: flags + 1 };
      assert(driver.ask({ id: idOf(2), ...at }) !== undefined);
    }
    assertEquals(disk.journal.patience, Infinity);
  }
  assertEquals(disk.add(), 0);
  // At the end, it is worth it.
  assertEquals(disk.journal.wentOn, true);
  encodeState(driver.registry, driver);
  assertEquals(disk.journal.wentOn, false);
});

test("a peer that is new, moves, or is gone is on the disk soon, and costs an entry", () => {
  const driver = driverWith(3, { maxAge: 100 });
  const disk = new Disk(driver);
  const size = BATCH_HEAD + 4 + PEER_SIZE;
  driver.pass(1);
  driver.ask({ id: idOf(9) });
  assertEquals([disk.journal.patience, disk.add()], [SOON, size]);
  driver.ask({ id: idOf(2), from: "203.0.113.2 7" });
  driver.ask({ id: idOf(2), from: "203.0.113.2 8", nanoseconds: 1 });
  assertEquals([disk.journal.patience, disk.add()], [SOON, size]);
  assertEquals(endpointsHeld(disk.crash(0)), endpointsHeld(driver));
  driver.pass(80);
  driver.registry.expire(driver);
  assertEquals(keysHeld(driver), keysOf(2, 9, 3));
  assertEquals([disk.journal.patience, disk.add()], [SOON, size]);
  assertEquals(disk.journal.patience, Infinity);
  // It is gone, however old records may be in the next run.
  assertEquals(keysHeld(disk.crash(0, [{ maxAge: 1000 }])), keysOf(2, 9, 3));
});

test("a peer that is removed and comes back between two writes is there", () => {
  const driver = driverWith(3);
  const disk = new Disk(driver);
  driver.configureGroup({ allowed: [idOf(1), idOf(3)] });
  driver.configureGroup({});
  driver.pass(1);
  driver.ask({ id: idOf(2), from: "203.0.113.2 7" });
  driver.ask({ id: idOf(4), from: "203.0.113.4 7" });
  disk.add();
  assertEquals(held(disk.crash(0)), held(driver));
});

test("when a peer was seen is written for each eighth of the maximal age, a minute later", () => {
  for (const [maxAge, refresh] of [[86_400, 10_800], [3600, 450], [100, 60]] as const) {
    const driver = driverWith(1, { maxAge });
    const disk = new Disk(driver);
    let asked = 0;
    while (disk.journal.patience === Infinity) {
      driver.pass(10);
      asked += 10;
      driver.ask({ id: idOf(1), from: "192.0.2.1 1001" });
    }
    assertEquals([asked, disk.journal.patience], [refresh + 10, LATE], `${maxAge}`);
    assertEquals(disk.add(), BATCH_HEAD + 4 + PEER_SIZE);
    assertEquals(disk.journal.patience, Infinity);
  }
});

test("after a crash, who was alive is there, and who was not comes of age", () => {
  const maxAge = 3600;
  const driver = driverWith(2, { maxAge });
  const disk = new Disk(driver);
  for (let i = 0; i < 300; i++) {
    driver.pass(10);
    driver.ask({ id: idOf(1), from: "192.0.2.1 1001" });
    if (disk.journal.patience < Infinity) disk.add();
  }
  const age = (next: RegistryDriver) => held(next).map(({ age }) => age);
  const [alive, silent] = age(disk.crash(5, [{ maxAge }]));
  assert(alive! <= 5 + maxAge / 8 + 10, `${alive}`);
  assertEquals(silent, 3005);
  assertEquals(keysHeld(disk.crash(601, [{ maxAge }])), keysOf(1));
  assertEquals(keysHeld(disk.crash(maxAge + 1, [{ maxAge }])), []);
});

test("a clock that shows whole milliseconds is good enough right after a start", () => {
  const driver = new RegistryDriver();
  driver.unix += 0.9;
  driver.group().distrustBefore(driver.mono);
  const seconds = Math.floor(driver.unix);
  for (const [id, nanoseconds] of [[1, 899e6], [2, 890e6]] as const) {
    assert(driver.ask({ id: idOf(id), seconds, nanoseconds }) !== undefined);
  }
  assertEquals(keysHeld(driver), keysOf(1));
  assertEquals(driver.registry.counters.get("before-start"), 1);
});

test("a request that was heard before a crash changes no endpoint after it", () => {
  const driver = driverWith(3);
  const disk = new Disk(driver);
  driver.pass(10);
  // Its label goes on, which is not written; then the crash.
  const seconds = driver.unix;
  const heard = requestOf({ id: idOf(2), seconds, nanoseconds: 5 });
  driver.send([{ ...heard, from: "192.0.2.2 1002" }]);
  assertEquals(disk.add(), 0);
  const next = disk.crash(3);
  const before = endpointsHeld(next);
  assert(next.send([{ ...heard, from: "203.0.113.66 666" }])[0] !== undefined);
  assertEquals(endpointsHeld(next), before);
  assertEquals(next.registry.counters.get("before-start"), 1);
  // It is heard once.
  assertEquals(next.reasonFor(heard), "drop-replayed");
  // The peer itself moves as ever.
  next.pass(1);
  next.ask({ id: idOf(2), from: "198.51.100.2 2" });
  assert(endpointsHeld(next).includes(`${keysOf(2)[0]} 198.51.100.2:2`));
});

test("a request of a peer that the disk doesn't know adds nobody after a crash", () => {
  const driver = driverWith(1);
  const disk = new Disk(driver);
  driver.pass(10);
  const heard = requestOf({ id: idOf(7), seconds: driver.unix, nanoseconds: 5 });
  driver.send([heard]);
  const next = disk.crash(3);
  assert(next.send([{ ...heard, from: "203.0.113.66 666" }])[0] !== undefined);
  assertEquals(keysHeld(next), keysOf(1));
  assertEquals(next.reasonFor(heard), "drop-replayed");
  next.ask({ id: idOf(7) });
  assertEquals(keysHeld(next), keysOf(7, 1));
});

test("a peer whose clock is behind moves when the server has run for longer than that", () => {
  const next = new Disk(driverWith(1)).crash(100);
  // It is answered all the time.
  const ask = (port: number) =>
    next.ask({ id: idOf(1), seconds: Math.floor(next.unix) - 20, from: `203.0.113.1 ${port}` });
  const isAt = (port: number) => endpointsHeld(next)[0]!.endsWith(`203.0.113.1:${port}`);
  next.pass(15);
  assert(ask(1) !== undefined && !isAt(1));
  next.pass(4);
  assert(ask(2) !== undefined && !isAt(2));
  next.pass(2);
  assert(ask(3) !== undefined && isAt(3));
  // One that is set while the server runs changes nothing of that.
  next.unix += 1e6;
  assert(ask(4) !== undefined && isAt(4));
  next.unix -= 2e6;
  next.mono += 1000;
  assertEquals(next.reasonFor({ id: idOf(1) }), "drop-replayed");
});

test("a clock that is ahead gives nobody away: how far is on the disk", () => {
  const driver = driverWith(3);
  const disk = new Disk(driver);
  const ask = (ahead: number) => {
    driver.pass(1);
    const request = requestOf({ id: idOf(2), seconds: driver.unix + ahead, nanoseconds: 5 });
    driver.send([{ ...request, from: "192.0.2.2 1002" }]);
    return request;
  };
  ask(20);
  assertEquals([disk.journal.patience, disk.add()], [SOON, BATCH_HEAD + 4 + PEER_SIZE]);
  // As long as it is not ahead by more, nothing is to be written.
  ask(20);
  ask(18);
  const heard = ask(20);
  assertEquals(disk.journal.patience, Infinity);
  const next = disk.crash(1);
  const before = endpointsHeld(next);
  assert(next.send([{ ...heard, from: "203.0.113.66 666" }])[0] !== undefined);
  assertEquals(endpointsHeld(next), before);
  // Its own clock is as far ahead as ever: it moves when it likes.
  next.pass(2);
  next.ask({ id: idOf(2), seconds: Math.floor(next.unix) + 20, from: "198.51.100.2 2" });
  assert(endpointsHeld(next).includes(`${keysOf(2)[0]} 198.51.100.2:2`));
  // Nobody else has to wait for it.
  next.ask({ id: idOf(3), from: "198.51.100.3 3", nanoseconds: 1 });
  assert(endpointsHeld(next).includes(`${keysOf(3)[0]} 198.51.100.3:3`));
});

test("a clock that is right, but for what clocks don't show, is not ahead", () => {
  const driver = driverWith(2);
  const disk = new Disk(driver);
  const send = (to: RegistryDriver, id: number, ahead: number, port: number) => {
    const label = to.unix + ahead;
    const seconds = Math.floor(label);
    const nanoseconds = Math.round((label - seconds) * 1e9);
    const request = requestOf({ id: idOf(id), seconds, nanoseconds });
    to.send([{ ...request, from: `198.51.100.${id} ${port}` }]);
    return request;
  };
  const places = (of: RegistryDriver) => endpointsHeld(of).map((text) => text.split(" ")[1]).sort();
  // A clock that is ahead; and the second in a millisecond of somebody whose labels are whole ones.
  send(driver, 2, 0.005, 1);
  send(driver, 1, 0.001, 1);
  disk.add();
  driver.pass(1);
  const heard = send(driver, 1, 0.001, 1);
  const next = disk.crash(0.1);
  next.send([{ ...heard, from: "203.0.113.66 666" }]);
  assertEquals(next.registry.counters.get("before-start"), 1);
  next.pass(0.5);
  send(next, 1, 0.001, 2);
  send(next, 2, 0.005, 2);
  assertEquals(places(next), ["198.51.100.1:2", "198.51.100.2:1"]);
  assertEquals(next.registry.counters.get("before-start"), 2);
});

test("after an end in order, what was heard is heard no more", () => {
  const driver = driverWith(3);
  new Disk(driver);
  driver.pass(10);
  const heard = [0, 20].map((ahead, i) =>
    requestOf({ id: idOf(1 + i), seconds: driver.unix + ahead, nanoseconds: 5 })
  );
  driver.send(heard);
  const next = startedAfter(driver, 1, {});
  restoreState(encodeState(driver.registry, driver), next.registry, next);
  next.group().distrustBefore(next.mono);
  for (const request of heard) assertEquals(next.reasonFor(request), "drop-replayed");
});

test("a group that goes and comes back knows what its peers have used", () => {
  const driver = driverWith(2);
  driver.pass(10);
  const heard = [0, 20].map((ahead, i) =>
    requestOf({ id: idOf(1 + i), seconds: driver.unix + ahead, nanoseconds: 5 })
  );
  // One of a peer that only asks, as well.
  heard.push(requestOf({ id: idOf(9), seconds: driver.unix, flags: KEEP_ENDPOINT }));
  driver.send(heard);
  for (let turn = 0; turn < 3; turn++) {
    driver.registry.removeGroup(0, driver.mono);
    driver.pass(1);
    assertEquals(driver.reasonFor({ id: idOf(1) }), "drop-unknown-group");
    const group = driver.addGroup({});
    driver.registry.addGroup(group, driver.mono);
    for (const request of heard) {
      assertEquals(driver.reasonFor({ ...request, from: "203.0.113.66 666" }), "drop-replayed");
    }
    assertEquals(keysHeld(driver), []);
  }
  // What is new is heard.
  driver.pass(1);
  driver.ask({ id: idOf(1) });
  assertEquals(keysHeld(driver), keysOf(1));
});

test("in a group that is new, what was heard elsewhere before adds nobody", () => {
  const driver = new RegistryDriver({ groups: [] });
  const heard = requestOf({ id: idOf(1), seconds: driver.unix, nanoseconds: 5 });
  driver.pass(3);
  driver.registry.addGroup(driver.addGroup({}), driver.mono);
  assert(driver.send([{ ...heard, from: "203.0.113.66 666" }])[0] !== undefined);
  assertEquals(keysHeld(driver), []);
  driver.ask({ id: idOf(1) });
  assertEquals(keysHeld(driver), keysOf(1));
});

test("a group that is gone does not come back from the disk", () => {
  const groups = [{ id: 0 }, { id: 5 }];
  const driver = new RegistryDriver({ groups });
  for (const group of [0, 5]) driver.ask({ id: idOf(1 + group), group });
  const disk = new Disk(driver);
  driver.registry.removeGroup(5, driver.mono);
  disk.add();
  assertEquals(keysHeld(disk.crash(0, groups), 5), []);
  // Nor does it where it came back itself.
  driver.pass(1);
  driver.registry.addGroup(driver.addGroup({ id: 5 }), driver.mono);
  driver.ask({ id: idOf(7), group: 5 });
  disk.add();
  const next = disk.crash(0, groups);
  assertEquals([keysHeld(next, 5), keysHeld(next)], [keysOf(7), keysOf(1)]);
  // A run without it takes it off the disk as well.
  const without = disk.crash(0, [{ id: 0 }]);
  disk.file = joinBytes([disk.file, encodeChanges([journalOf(without.registry)], without)]);
  assertEquals(keysHeld(disk.crash(0, groups), 5), []);
});

test("who is not allowed any more does not come back from the disk", () => {
  const disk = new Disk(driverWith(3));
  const next = disk.crash(0, [{ allowed: [idOf(1)] }]);
  disk.file = joinBytes([disk.file, encodeChanges([journalOf(next.registry)], next)]);
  assertEquals(keysHeld(disk.crash(0)), keysOf(1));
});

/** A registry in which this and that happens. */
function anything(driver: RegistryDriver, number: () => number): void {
  driver.pass(Math.ceil(4 * number()) / 4);
  const id = idOf(1 + Math.floor(12 * number()));
  const group = number() < 0.8 ? 0 : 5;
  if (number() < 0.08) driver.registry.expire(driver);
  else if (number() < 0.03) {
    driver.registry.removeGroup(5, driver.mono);
    driver.addGroup({ id: 5, maxAge: 20 });
  } else {
    const port = 1 + Math.floor(3 * number());
    driver.ask({ id, group, from: `192.0.2.1 ${port}`, nanoseconds: Math.floor(1e9 * number()) });
  }
}
const GROUPS = [{ id: 0, maxAge: 20 }, { id: 5, maxAge: 20 }];

/** What is held, but for what is not written each time. */
function said(driver: RegistryDriver): string[] {
  return GROUPS.flatMap(({ id }) => endpointsHeld(driver, id).map((text) => `${id} ${text}`));
}

test("a file that a crash has cut at any byte says what it said before", () => {
  const number = seededNumbers(7);
  const driver = new RegistryDriver({ groups: GROUPS });
  const disk = new Disk(driver);
  const words = [{ size: JOURNAL_HEAD, said: said(driver) }];
  for (let i = 0; i < 30; i++) {
    anything(driver, number);
    driver.registry.expire(driver);
    disk.add();
    words.push({ size: disk.file.length, said: said(driver) });
  }
  const groups = GROUPS.map((group) => ({ ...group, maxAge: 1e9 }));
  const check = (file: Uint8Array, size: number) => {
    const word = words.findLast((each) => each.size <= size)!;
    const next = startedAfter(driver, 0, { groups });
    const { cut, isDamaged } = restoreState(file, next.registry, next);
    assertEquals([cut, isDamaged, said(next)], [file.length - word.size, false, word.said]);
  };
  for (let size = JOURNAL_HEAD; size <= disk.file.length; size++) {
    check(disk.file.subarray(0, size), size);
    // The file's new size may have come to the disk without what was written.
    const { size: whole } = words.findLast((each) => each.size <= size)!;
    if (size > whole + BATCH_HEAD) check(disk.file.slice(0, size).fill(0, whole), size);
  }
});

test("what is damaged is said, and all before it is read", () => {
  const number = seededNumbers(8);
  const driver = new RegistryDriver({ groups: GROUPS });
  for (let i = 0; i < 30; i++) anything(driver, number);
  const disk = new Disk(driver);
  const whole = disk.file.length;
  for (let i = 0; i < 20; i++) {
    anything(driver, number);
    disk.add();
  }
  const all = new Set(Array.from({ length: 12 }, (_, i) => keysOf(i + 1)[0]!));
  for (let at = JOURNAL_HEAD; at < disk.file.length; at++) {
    const file = disk.file.slice();
    file[at]! ^= 1 << (at % 8);
    const next = startedAfter(driver, 0, { groups: GROUPS });
    const { cut, isDamaged } = restoreState(file, next.registry, next);
    assert(cut >= file.length - at, `${at}`);
    // Near the end, it could be what a crash has left; never in what was written whole.
    if (at < whole || cut > 1000) assert(isDamaged, `${at}`);
    for (const text of said(next)) assert(all.has(text.split(" ")[1]!), text);
  }
  // What was written whole is not torn, wherever it ends.
  for (let size = JOURNAL_HEAD; size < whole; size++) {
    const next = startedAfter(driver, 0, { groups: GROUPS });
    assert(restoreState(disk.file.subarray(0, size), next.registry, next).isDamaged, `${size}`);
  }
});

test("a registry that changes while it is written is written right", () => {
  const number = seededNumbers(9);
  for (let round = 0; round < 60; round++) {
    const driver = new RegistryDriver({ groups: GROUPS });
    for (let i = 0; i < 40; i++) anything(driver, number);
    const { journal } = new Disk(driver);
    const whole = new Encoding([journal], "all");
    do {
      for (let i = 3 * number(); i > 0; i--) anything(driver, number);
      // What is added to the old file meanwhile is a part of the new one.
      if (number() < 0.5) {
        const added = new Encoding([journal], "changes");
        while (added.encode(driver));
        whole.add(added.batches);
      }
    } while (whole.encode(driver));
    for (let i = 0; i < 3; i++) anything(driver, number);
    driver.registry.expire(driver);
    const file = joinBytes([...wholeFile(whole.batches), encodeChanges([journal], driver)]);
    // A record may look older than it is.
    const groups = GROUPS.map((group) => ({ ...group, maxAge: 1e9 }));
    const next = startedAfter(driver, 0, { groups });
    restoreState(file, next.registry, next);
    assertEquals(said(next), said(driver));
  }
});

test("a registry of more peers than a batch holds comes back, however it is added to", () => {
  const driver = new RegistryDriver({ groups: [{ maxPeers: 5000, maxAnswer: 10 }] });
  const ask = (from: number, to: number, port: number) => {
    for (let i = from; i < to; i += 64) {
      driver.pass(0.25);
      driver.send(Array.from({ length: Math.min(64, to - i) }, (_, k) => ({
        ...requestOf({ id: idOf(i + k), seconds: Math.floor(driver.unix), nanoseconds: port }),
        from: `192.0.2.1 ${port}`,
      })));
    }
  };
  ask(0, 2100, 1);
  const disk = new Disk(driver);
  ask(1000, 2300, 2);
  disk.add();
  assertEquals(peersOf(driver.registry), 2300);
  const next = disk.crash(0, [{ maxPeers: 5000 }]);
  assertEquals(held(next).length, 2300);
  assertEquals(endpointsHeld(next), endpointsHeld(driver));
  assertEquals(keysHeld(next), keysHeld(driver));
  // Of too many, those seen last are kept.
  assertEquals(keysHeld(disk.crash(0, [{ maxPeers: 100 }])), keysHeld(driver).slice(0, 100));
});

test("a registry without a journal notes nothing", () => {
  const driver = driverWith(3);
  assertEquals(driver.group().changes, undefined);
});
