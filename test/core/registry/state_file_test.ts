import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { encodeState, restoreState } from "../../../lib/core/registry/state_file.ts";
import { crc32 } from "../../../lib/wire/bytes/crc32.ts";
import { KEEP_ENDPOINT, KEEP_LABEL } from "../../../lib/wire/wgsig/request.ts";
import { uint32 } from "../../support/arbitraries.ts";
import { hex } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import {
  type DriverGroup,
  type DriverOptions,
  RegistryDriver,
  requestOf,
  type Sent,
  T0,
} from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

const HEADER_SIZE = 20;
const GROUP_HEADER_SIZE = 8;
const PEER_SIZE = 66;
const CRC_SIZE = 4;
const KEEP_BOTH = KEEP_ENDPOINT | KEEP_LABEL;
/** The monotonic clock of another start says something else. */
const NEXT_MONO = 77;

function nowOf({ unix, mono }: RegistryDriver): { unix: number; mono: number } {
  return { unix, mono };
}

function saved(driver: RegistryDriver): Uint8Array {
  return encodeState(driver.registry, nowOf(driver));
}

/** A registry that is started so many seconds later. */
function startedAfter(driver: RegistryDriver, seconds: number, options: DriverOptions) {
  const next = new RegistryDriver(options);
  next.unix = driver.unix + seconds;
  next.mono = NEXT_MONO;
  return next;
}

function restore(bytes: Uint8Array, driver: RegistryDriver): number {
  return restoreState(bytes, driver.registry, nowOf(driver));
}

interface Held {
  readonly record: string;
  readonly label: string;
  readonly age: number;
}

/** What a group holds, newest first: records, highest labels, ages. */
function held(driver: RegistryDriver, id = 0): Held[] {
  const { table } = driver.group(id);
  const texts = driver.held(id).reverse();
  const all: Held[] = [];
  for (let peer = table.oldest; peer !== -1; peer = table.newerThan(peer)) {
    all.unshift({
      record: texts[all.length]!,
      label: `${table.labelSeconds(peer)}.${table.labelNanoseconds(peer)}`,
      age: driver.mono - table.seenAt(peer),
    });
  }
  return all;
}

function keysHeld(driver: RegistryDriver, id = 0): string[] {
  return driver.held(id).map((text) => text.split(" ")[0]!);
}

function keysOf(...peers: number[]): string[] {
  return peers.map((peer) => formatKey(idOf(peer)));
}

/** A registry whose peers 1 to `count` were seen one after the other, 10 seconds apart. */
function driverWith(count: number, group: DriverGroup = {}): RegistryDriver {
  const driver = new RegistryDriver({ groups: [group] });
  for (let peer = 1; peer <= count; peer++) {
    if (peer > 1) driver.pass(10);
    const asked = { group: group.id ?? 0, from: `192.0.2.${peer} ${1000 + peer}` };
    assert(driver.ask({ id: idOf(peer), ...asked }) !== undefined);
  }
  return driver;
}

/** With a checksum that fits. */
function withCrc(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - CRC_SIZE;
  const changed = bytes.slice();
  new DataView(changed.buffer).setUint32(end, crc32(changed, 0, end));
  return changed;
}

/** Checks that the bytes are refused, and that nothing came of them. */
function refused(bytes: Uint8Array, why = "", next = driverWith(2)): void {
  const before = next.snapshot();
  assertThrows(() => restore(bytes, next), SyntaxError, why);
  assertEquals(next.snapshot(), before);
  assertEquals(next.registry.counters.get("expired"), 0);
}

test("the checksum is the CRC-32 of RFC 1952", () => {
  const ascii = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const known: readonly (readonly [string, number])[] = [
    ["", 0],
    ["a", 0xe8b7_be43],
    ["abc", 0x3524_41c2],
    ["123456789", 0xcbf4_3926],
    ["The quick brown fox jumps over the lazy dog", 0x414f_a339],
  ];
  for (const [text, crc] of known) {
    const bytes = ascii(text);
    assertEquals(crc32(bytes, 0, bytes.length), crc, text);
    const framed = ascii(`??${text}?`);
    assertEquals(crc32(framed, 2, bytes.length), crc, text);
  }
  assertEquals(crc32(new Uint8Array(32), 0, 32), 0x190a_55ad);
  assertEquals(crc32(new Uint8Array(32).fill(0xff), 0, 32), 0xff6c_ab0b);
});

test("a state file is laid out as its drawing says", () => {
  const driver = driverWith(2);
  driver.pass(7.9);
  const bytes = saved(driver);
  assertEquals(bytes.length, HEADER_SIZE + GROUP_HEADER_SIZE + 2 * PEER_SIZE + CRC_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertEquals(String.fromCharCode(...bytes.slice(0, 8)), "wgsigst1");
  assertEquals(view.getFloat64(8), driver.unix);
  assertEquals([16, 20, 24].map((at) => view.getUint32(at)), [1, 0, 2]);
  const first = HEADER_SIZE + GROUP_HEADER_SIZE;
  const ids = [first, first + PEER_SIZE].map((at) => hex(bytes.slice(at, at + 32)));
  assertEquals(ids, [hex(idOf(1)), hex(idOf(2))]);
  const ages = [first, first + PEER_SIZE].map((at) => view.getUint32(at + 62));
  assertEquals(ages, [17, 7]);
});

interface Step {
  readonly peer: number;
  readonly group: number;
  readonly port: number;
  readonly flags: number;
  readonly pause: number;
}

const GROUPS: readonly DriverGroup[] = [
  { id: 0, maxAge: 200 },
  { id: 1, secret: idOf(7), maxAge: 200 },
  { id: 0xffff_ffff, secret: idOf(8), maxAge: 200 },
];
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    peer: fc.integer({ min: 1, max: 25 }),
    group: fc.nat({ max: GROUPS.length - 1 }),
    port: fc.integer({ min: 1, max: 65_535 }),
    flags: fc.constantFrom(0, 0, 0, KEEP_ENDPOINT, KEEP_BOTH),
    pause: fc.constantFrom(0.25, 1, 3.5, 40),
  }),
  { maxLength: 40 },
);

test("groups come back with their records, labels, order and ages", () => {
  fc.assert(fc.property(steps, fc.nat({ max: 100 }), (steps, pause) => {
    const driver = new RegistryDriver({ groups: GROUPS });
    steps.forEach(({ peer, group, port, flags, pause }, i) => {
      driver.pass(pause);
      const { id = 0, secret } = GROUPS[group]!;
      const from = `198.51.100.${peer} ${port}`;
      const asked = { id: idOf(peer), group: id, flags, from, nanoseconds: i };
      assert(driver.ask(secret === undefined ? asked : { ...asked, secret }) !== undefined);
    });
    driver.registry.expire(nowOf(driver));
    const next = startedAfter(driver, pause, { groups: GROUPS });
    const taken = restore(saved(driver), next);
    let expected = 0;
    for (const { id = 0, maxAge = 0 } of GROUPS) {
      const before = held(driver, id);
      const after = held(next, id);
      // An age is kept in whole seconds.
      const alive = before.filter(({ age }) => Math.floor(age) + pause <= maxAge);
      assertEquals(
        after,
        alive.map((each) => ({ ...each, age: Math.floor(each.age) + pause })),
      );
      expected += alive.length;
    }
    assertEquals(taken, expected);
    // What was restored is answered as what was learned.
    for (const { id = 0, secret } of GROUPS) {
      const records = held(next, id).length;
      const asked = { id: idOf(99), group: id, flags: KEEP_ENDPOINT };
      const answer = next.ask(secret === undefined ? asked : { ...asked, secret });
      assertEquals(answer?.records.length, records);
    }
  }));
});

test("a state of more peers than a table begins with comes back", () => {
  const driver = new RegistryDriver();
  const { table } = driver.group();
  const requests = Array.from({ length: 500 }, (_, i): Sent => requestOf({ id: idOf(i + 1) }));
  for (let at = 0; at < requests.length; at += 64) driver.send(requests.slice(at, at + 64));
  assertEquals(table.count, 500);
  const next = startedAfter(driver, 0, {});
  assertEquals(restore(saved(driver), next), 500);
  assertEquals(held(next), held(driver));
});

test("an empty registry is saved, and leaves a registry as it was", () => {
  for (const groups of [[], [{}], GROUPS]) {
    const driver = new RegistryDriver({ groups });
    const bytes = saved(driver);
    assertEquals(bytes.length, HEADER_SIZE + groups.length * GROUP_HEADER_SIZE + CRC_SIZE);
    const next = driverWith(2);
    const before = next.snapshot();
    assertEquals(restore(bytes, next), 0);
    assertEquals(next.snapshot(), before);
  }
});

test("peers of a group that there is no more are left out", () => {
  const driver = new RegistryDriver({ groups: [{ id: 5 }, { id: 6 }, { id: 7 }] });
  for (const group of [5, 6, 7]) driver.ask({ id: idOf(group), group });
  const next = startedAfter(driver, 0, { groups: [{ id: 7 }, { id: 0 }, { id: 5 }] });
  assertEquals(restore(saved(driver), next), 2);
  assertEquals([5, 0, 7].map((id) => keysHeld(next, id)), [keysOf(5), [], keysOf(7)]);
});

test("peers that are no longer allowed are left out", () => {
  const driver = driverWith(4);
  const groups = [{ allowed: [idOf(2), idOf(4), idOf(9)] }];
  const next = startedAfter(driver, 0, { groups });
  assertEquals(restore(saved(driver), next), 2);
  assertEquals(keysHeld(next), keysOf(4, 2));
});

test("peers that have become too old meanwhile are left out, and not counted", () => {
  // Ages when saved: 30, 20, 10, 0.
  const driver = driverWith(4, { maxAge: 100 });
  const cases: readonly (readonly [number, number[]])[] = [
    [70, [4, 3, 2, 1]],
    [71, [4, 3, 2]],
    [89, [4, 3]],
    [100, [4]],
    [101, []],
    [1e9, []],
  ];
  for (const [seconds, peers] of cases) {
    const next = startedAfter(driver, seconds, { groups: [{ maxAge: 100 }] });
    assertEquals(restore(saved(driver), next), peers.length, `after ${seconds} s`);
    assertEquals(keysHeld(next), keysOf(...peers), `after ${seconds} s`);
  }
});

test("of too many peers the newest are kept, and only they are counted", () => {
  const driver = driverWith(15);
  for (const maxPeers of [1, 2, 10, 14, 15, 16]) {
    const next = startedAfter(driver, 0, { groups: [{ maxPeers }] });
    const kept = Array.from({ length: Math.min(15, maxPeers) }, (_, i) => 15 - i);
    assertEquals(restore(saved(driver), next), kept.length, `${maxPeers} peers`);
    assertEquals(keysHeld(next), keysOf(...kept), `${maxPeers} peers`);
  }
});

test("peers that the registry knows already stay as they are", () => {
  const driver = driverWith(3);
  const next = startedAfter(driver, 1, {});
  next.ask({ id: idOf(2), from: "203.0.113.9 9" });
  const known = held(next);
  assertEquals(restore(saved(driver), next), 2);
  const record = held(next).find(({ record }) => record.startsWith(keysOf(2)[0]!));
  assertEquals(record, known[0]);
});

test("a clock that was set back makes no record younger than when it was saved", () => {
  const driver = driverWith(3);
  for (const seconds of [-1, -5000, -T0]) {
    const next = startedAfter(driver, seconds, {});
    assertEquals(restore(saved(driver), next), 3);
    assertEquals(held(next).map(({ age }) => age), [0, 10, 20]);
  }
});

test("a clock that went on makes records older by as much", () => {
  const driver = driverWith(3);
  const next = startedAfter(driver, 33.5, {});
  assertEquals(restore(saved(driver), next), 3);
  assertEquals(held(next).map(({ age }) => age), [33.5, 43.5, 53.5]);
});

test("a record that was seen after the clock went on stands before the restored ones", () => {
  const driver = driverWith(3);
  const next = startedAfter(driver, 5, {});
  restore(saved(driver), next);
  next.ask({ id: idOf(1) });
  assertEquals(keysHeld(next), keysOf(1, 3, 2));
});

test("a request that was answered before a restart is dropped after it", () => {
  const driver = new RegistryDriver();
  const requests = [0, KEEP_ENDPOINT, KEEP_BOTH].map((flags, i) =>
    requestOf({ id: idOf(1), nanoseconds: 5 + i, flags, sealed: i })
  );
  for (const request of requests) assertEquals(driver.send([request]).length, 1);
  const next = startedAfter(driver, 2, {});
  restore(saved(driver), next);
  for (const request of requests) assertEquals(next.reasonFor(request), "drop-replayed");
  assertEquals(next.reasonFor({ id: idOf(1), seconds: T0, nanoseconds: 7 }), "drop-replayed");
  assertEquals(next.reasonFor({ id: idOf(1), seconds: T0, nanoseconds: 8 }), undefined);
});

test("the requests of peers that found no room after a restart can't be replayed either", () => {
  const driver = new RegistryDriver();
  const requests = [1, 2, 3, 4].map((peer) => requestOf({ id: idOf(peer), nanoseconds: peer }));
  for (const request of requests) driver.send([request]);
  const next = startedAfter(driver, 2, { groups: [{ maxPeers: 2 }] });
  restore(saved(driver), next);
  for (const request of requests) assertEquals(next.reasonFor(request), "drop-replayed");
});

test("the requests of peers that were too old after a restart can't be replayed either", () => {
  const driver = new RegistryDriver();
  const request = requestOf({ id: idOf(1) });
  driver.send([request]);
  const next = startedAfter(driver, 8, { groups: [{ maxAge: 5 }] });
  assertEquals(restore(saved(driver), next), 0);
  assertEquals(next.reasonFor(request), "drop-replayed");
});

test("a file with any single bit flipped is refused", () => {
  const bytes = saved(driverWith(3));
  const next = driverWith(2);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >>> 3]! ^= 1 << (bit & 7);
    refused(damaged, "", next);
  }
});

test("a file that is cut off anywhere is refused", () => {
  const bytes = saved(driverWith(3));
  const next = driverWith(2);
  for (let size = 0; size < bytes.length; size++) refused(bytes.slice(0, size), "", next);
});

test("a file with something after it is refused", () => {
  const bytes = saved(driverWith(3));
  for (const tail of [[0], [0, 0, 0, 0], [...bytes]]) {
    refused(Uint8Array.from([...bytes, ...tail]), "its checksum is wrong");
    refused(withCrc(Uint8Array.from([...bytes, ...tail])), "its size is not what it says");
  }
});

test("counts that do not fit the size are refused, though the checksum is right", () => {
  const bytes = saved(driverWith(3));
  const withCount = (at: number, count: number) => {
    const changed = bytes.slice();
    new DataView(changed.buffer).setUint32(at, count);
    return withCrc(changed);
  };
  for (const groups of [0, 2, 3, 0xffff_ffff]) refused(withCount(16, groups));
  for (const peers of [0, 2, 4, 0x8000_0000, 0xffff_ffff]) refused(withCount(24, peers));
});

test("the message says what is wrong with a file", () => {
  refused(new Uint8Array(0), "it is too short");
  refused(new Uint8Array(HEADER_SIZE + CRC_SIZE - 1), "it is too short");
  refused(withCrc(new Uint8Array(HEADER_SIZE + CRC_SIZE)), "it is no state file");
  const bytes = saved(driverWith(1));
  bytes[bytes.length - 1]! ^= 1;
  refused(bytes, "its checksum is wrong");
});

test("a file of bytes that lie at an offset is read as well", () => {
  const driver = driverWith(3);
  const memory = Uint8Array.from([9, 9, 9, ...saved(driver), 9]);
  const next = startedAfter(driver, 0, {});
  assertEquals(restore(memory.subarray(3, memory.length - 1), next), 3);
  assertEquals(held(next), held(driver));
});

test("no bytes make it throw anything but a SyntaxError, with a right checksum or not", () => {
  const file = fc.record({
    groups: fc.oneof(fc.nat({ max: 3 }), uint32),
    rest: fc.uint8Array({ maxLength: 300 }),
    fits: fc.boolean(),
  });
  fc.assert(fc.property(file, ({ groups, rest, fits }) => {
    const bytes = saved(new RegistryDriver({ groups: [] }));
    const all = Uint8Array.from([...bytes.slice(0, HEADER_SIZE), ...rest, 0, 0, 0, 0]);
    new DataView(all.buffer).setUint32(16, groups);
    const next = new RegistryDriver();
    try {
      restore(fits ? withCrc(all) : all, next);
    } catch (error) {
      assert(error instanceof SyntaxError, String(error));
      assertEquals(next.group().table.count, 0);
    }
  }));
});

test("a peer without a label is left out", () => {
  const bytes = saved(driverWith(2));
  bytes[HEADER_SIZE + GROUP_HEADER_SIZE + 50] = 0;
  const next = new RegistryDriver();
  assertEquals(restore(withCrc(bytes), next), 1);
  assertEquals(keysHeld(next), keysOf(2));
});
