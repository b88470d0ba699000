import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  BATCH_HEAD,
  encodeBatch,
  JOURNAL_HEAD,
  journalHead,
  readJournal,
} from "../../../lib/core/store/journal_file.ts";
import { joinBytes, WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { crc32 } from "../../../lib/wire/bytes/crc32.ts";
import { KEEP_ENDPOINT, KEEP_LABEL } from "../../../lib/wire/wgsig/request.ts";
import { hex } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import {
  type DriverGroup,
  RegistryDriver,
  requestOf,
  type Sent,
  T0,
} from "../../support/registry_driver.ts";
import {
  driverWith,
  encodeFormerState,
  encodeState,
  held,
  keysHeld,
  keysOf,
  restoreState,
  startedAfter,
} from "../../support/saved_state.ts";
import { test } from "../../testing.ts";

const KEEP_BOTH = KEEP_ENDPOINT | KEEP_LABEL;
const PEER_SIZE = 70;

function restore(bytes: Uint8Array, driver: RegistryDriver): number {
  return restoreState(bytes, driver.registry, driver).restored[0]!.counts["peers"]!;
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

test("a state is laid out as the drawings say", () => {
  const driver = driverWith(2);
  driver.pass(7.75);
  const bytes = encodeState(driver.registry, driver);
  assertEquals(bytes.length, JOURNAL_HEAD + BATCH_HEAD + 4 + 2 * PEER_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertEquals(String.fromCharCode(...bytes.slice(0, 8)), "wgsigst2");
  assertEquals([view.getUint32(8), view.getUint32(12)], [bytes.length, crc32(bytes, 0, 12)]);
  const size = 4 + 2 * PEER_SIZE;
  assertEquals([view.getUint32(16), view.getInt32(20)], [size, ~size]);
  assertEquals(view.getUint32(24), crc32(bytes, 28, bytes.length - 28));
  assertEquals(view.getFloat64(28), driver.unix);
  assertEquals(String.fromCharCode(...bytes.slice(36, 40)), "peer");
  assertEquals(view.getUint32(40), 0);
  const entries = [44, 44 + PEER_SIZE];
  const ids = entries.map((at) => hex(bytes.slice(at, at + 32)));
  assertEquals(ids, [hex(idOf(1)), hex(idOf(2))]);
  assertEquals(entries.map((at) => view.getUint32(at + 62)), [0, 0]);
  assertEquals(entries.map((at) => view.getFloat32(at + 66)), [17.75, 7.75]);
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

/** How files are laid out: as they are, and as they were before there was a journal. */
const FORMATS = [
  {
    name: "journal",
    encode: encodeState,
    emptySize: () => JOURNAL_HEAD,
    savedAge: (age: number) => age,
  },
  {
    name: "former file",
    encode: encodeFormerState,
    emptySize: (groups: number) => 20 + groups * 8 + 4,
    // An age was kept in whole seconds.
    savedAge: (age: number) => Math.floor(age),
  },
] as const;

for (const { name, encode, emptySize, savedAge } of FORMATS) {
  const saved = (driver: RegistryDriver) => encode(driver.registry, driver);

  test(`${name}: groups come back with their records, labels, order and ages`, () => {
    fc.assert(fc.property(steps, fc.nat({ max: 100 }), (steps, pause) => {
      const driver = new RegistryDriver({ groups: GROUPS });
      steps.forEach(({ peer, group, port, flags, pause }, i) => {
        driver.pass(pause);
        const { id = 0, secret } = GROUPS[group]!;
        const from = `198.51.100.${peer} ${port}`;
        const asked = { id: idOf(peer), group: id, flags, from, nanoseconds: i };
        assert(driver.ask(secret === undefined ? asked : { ...asked, secret }) !== undefined);
      });
      driver.registry.expire(driver);
      const next = startedAfter(driver, pause, { groups: GROUPS });
      const taken = restore(saved(driver), next);
      let expected = 0;
      for (const { id = 0, maxAge = 0 } of GROUPS) {
        const before = held(driver, id);
        const after = held(next, id);
        const alive = before.filter(({ age }) => savedAge(age) + pause <= maxAge);
        assertEquals(
          after,
          alive.map((each) => ({ ...each, age: savedAge(each.age) + pause })),
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

  test(`${name}: a state of more peers than a table begins with comes back`, () => {
    const driver = new RegistryDriver();
    const { table } = driver.group();
    const requests = Array.from({ length: 500 }, (_, i): Sent => requestOf({ id: idOf(i + 1) }));
    for (let at = 0; at < requests.length; at += 64) driver.send(requests.slice(at, at + 64));
    assertEquals(table.count, 500);
    const next = startedAfter(driver, 0, {});
    assertEquals(restore(saved(driver), next), 500);
    assertEquals(held(next), held(driver));
  });

  test(`${name}: an empty registry is saved, and leaves a registry as it was`, () => {
    for (const groups of [[], [{}], GROUPS]) {
      const driver = new RegistryDriver({ groups });
      const bytes = saved(driver);
      assertEquals(bytes.length, emptySize(groups.length));
      const next = driverWith(2);
      const before = next.snapshot();
      assertEquals(restore(bytes, next), 0);
      assertEquals(next.snapshot(), before);
    }
  });

  test(`${name}: peers of a group that there is no more are left out`, () => {
    const driver = new RegistryDriver({ groups: [{ id: 5 }, { id: 6 }, { id: 7 }] });
    for (const group of [5, 6, 7]) driver.ask({ id: idOf(group), group });
    const next = startedAfter(driver, 0, { groups: [{ id: 7 }, { id: 0 }, { id: 5 }] });
    assertEquals(restore(saved(driver), next), 2);
    assertEquals([5, 0, 7].map((id) => keysHeld(next, id)), [keysOf(5), [], keysOf(7)]);
  });

  test(`${name}: peers that are no longer allowed are left out`, () => {
    const driver = driverWith(4);
    const groups = [{ allowed: [idOf(2), idOf(4), idOf(9)] }];
    const next = startedAfter(driver, 0, { groups });
    assertEquals(restore(saved(driver), next), 2);
    assertEquals(keysHeld(next), keysOf(4, 2));
  });

  test(`${name}: peers that have become too old meanwhile are left out, and not counted`, () => {
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

  test(`${name}: of too many peers the newest are kept, and only they are counted`, () => {
    const driver = driverWith(15);
    for (const maxPeers of [1, 2, 10, 14, 15, 16]) {
      const next = startedAfter(driver, 0, { groups: [{ maxPeers }] });
      const kept = Array.from({ length: Math.min(15, maxPeers) }, (_, i) => 15 - i);
      assertEquals(restore(saved(driver), next), kept.length, `${maxPeers} peers`);
      assertEquals(keysHeld(next), keysOf(...kept), `${maxPeers} peers`);
    }
  });

  test(`${name}: peers that the registry knows already stay as they are`, () => {
    const driver = driverWith(3);
    const next = startedAfter(driver, 1, {});
    next.ask({ id: idOf(2), from: "203.0.113.9 9" });
    const known = held(next);
    assertEquals(restore(saved(driver), next), 2);
    const record = held(next).find(({ record }) => record.startsWith(keysOf(2)[0]!));
    assertEquals(record, known[0]);
  });

  test(`${name}: a clock that was set back makes no record younger than when it was saved`, () => {
    const driver = driverWith(3);
    for (const seconds of [-1, -5000, -T0]) {
      const next = startedAfter(driver, seconds, {});
      assertEquals(restore(saved(driver), next), 3);
      assertEquals(held(next).map(({ age }) => age), [0, 10, 20]);
    }
  });

  test(`${name}: a clock that went on makes records older by as much`, () => {
    const driver = driverWith(3);
    const next = startedAfter(driver, 33.5, {});
    assertEquals(restore(saved(driver), next), 3);
    assertEquals(held(next).map(({ age }) => age), [33.5, 43.5, 53.5]);
  });

  test(`${name}: a record that was seen after the clock went on stands before the restored ones`, () => {
    const driver = driverWith(3);
    const next = startedAfter(driver, 5, {});
    restore(saved(driver), next);
    next.ask({ id: idOf(1) });
    assertEquals(keysHeld(next), keysOf(1, 3, 2));
  });

  test(`${name}: a request that was answered before a restart is dropped after it`, () => {
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

  test(`${name}: the requests of peers that found no room after a restart can't be replayed either`, () => {
    const driver = new RegistryDriver();
    const requests = [1, 2, 3, 4].map((peer) => requestOf({ id: idOf(peer), nanoseconds: peer }));
    for (const request of requests) driver.send([request]);
    const next = startedAfter(driver, 2, { groups: [{ maxPeers: 2 }] });
    restore(saved(driver), next);
    for (const request of requests) assertEquals(next.reasonFor(request), "drop-replayed");
  });

  test(`${name}: the requests of peers that were too old after a restart can't be replayed either`, () => {
    const driver = new RegistryDriver();
    const request = requestOf({ id: idOf(1) });
    driver.send([request]);
    const next = startedAfter(driver, 8, { groups: [{ maxAge: 5 }] });
    assertEquals(restore(saved(driver), next), 0);
    assertEquals(next.reasonFor(request), "drop-replayed");
  });
}

test("an entry whose age is no number of seconds takes no other one with it", () => {
  for (const age of [Infinity, NaN, -Infinity, 3e38]) {
    const driver = driverWith(4);
    const file = new WireBuffer(encodeState(driver.registry, driver));
    const [batch] = readJournal(file).parts.get("peer")!;
    const content = new WireBuffer(file.bytes.slice(batch!.at, batch!.end));
    content.view.setFloat32(4 + 2 * PEER_SIZE - 4, age);
    const written = encodeBatch("peer", content.bytes, driver);
    const next = new RegistryDriver();
    const bytes = joinBytes([journalHead(JOURNAL_HEAD + written.length), written]);
    assertEquals([restore(bytes, next), keysHeld(next).sort()], [3, keysOf(1, 3, 4).sort()]);
    next.pass(1);
    assert(next.ask({ id: idOf(9), seconds: next.unix }) !== undefined);
    next.registry.expire({ unix: next.unix + 1e6, mono: next.mono + 1e6 });
    assertEquals(next.registry.peerCount, 0);
  }
});
