import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CHANGE, ChangeLog, changeLogSize, FLAG, MAX_MEMBERS } from "../../lib/core/change_log.ts";
import { readNanoseconds, readSeconds } from "../../lib/wire/tai64n.ts";
import { WireBuffer } from "../../lib/wire/wire_buffer.ts";
import {
  bytesOf,
  key32,
  nanoseconds,
  uint16,
  uint32,
  unixSeconds,
} from "../support/arbitraries.ts";
import { hex } from "../support/bytes.ts";
import { test } from "../testing.ts";

const time = fc.double({ noNaN: true });

function logs(capacity: number, members: number, first = 0): ChangeLog[] {
  const memory = new SharedArrayBuffer(changeLogSize(capacity));
  new Int32Array(memory).fill(first, 1, 2 + members);
  return Array.from({ length: members }, (_, i) => new ChangeLog(memory, i, members));
}

/** Reads all that there is, and returns the times. */
function read(log: ChangeLog): number[] {
  const times: number[] = [];
  for (let count = log.pending; count > 0; count--, log.skip()) times.push(log.monoAt(log.at));
  return times;
}

test("a request is read as it was written, without its MAC", () => {
  fc.assert(fc.property(
    bytesOf(90),
    fc.integer({ min: 0, max: 8 }),
    uint32,
    uint16,
    time,
    (bytes, at, address, port, mono) => {
      const [writer, reader] = logs(2, 2);
      writer!.begin();
      writer!.writeRequest(new WireBuffer(bytes), at, address, port, mono);
      assertEquals(writer!.commit(), 1);
      const entry = reader!.at;
      assertEquals(reader!.kindAt(entry), CHANGE.request);
      assertEquals([reader!.addressAt(entry), reader!.portAt(entry)], [address, port]);
      assertEquals(reader!.monoAt(entry), mono);
      const { bytes: entries, view } = reader!.entries;
      const requestAt = reader!.requestAt(entry);
      assertEquals(hex(entries.slice(requestAt, requestAt + 50)), hex(bytes.slice(at, at + 50)));
      assertEquals(reader!.groupAt(entry), view.getUint32(requestAt + 46));
      // Neither the MAC nor anything behind the request is there.
      const text = hex(entries);
      assertEquals(text.includes(hex(bytes.slice(at + 50, at + 82))), false);
    },
  ));
});

test("what was observed is read as it was written", () => {
  fc.assert(fc.property(
    fc.tuple(uint32, uint32, uint32, uint16),
    key32,
    unixSeconds,
    nanoseconds,
    time,
    time,
    ([, group, address, port], id, seconds, nanoseconds, unix, mono) => {
      const [writer, reader] = logs(2, 2);
      writer!.begin();
      const seen = { seconds, nanoseconds };
      writer!.writeObserved(group, new WireBuffer(id), address, port, seen, unix, mono);
      writer!.commit();
      const entry = reader!.at;
      const at = reader!.requestAt(entry);
      const { entries } = reader!;
      assertEquals(reader!.kindAt(entry), CHANGE.observed);
      assertEquals(
        [reader!.groupAt(entry), reader!.addressAt(entry), reader!.portAt(entry)],
        [group, address, port],
      );
      assertEquals([reader!.unixAt(entry), reader!.monoAt(entry)], [unix, mono]);
      assertEquals(hex(entries.bytes.slice(at, at + 32)), hex(id));
      assertEquals(
        [readSeconds(entries, at + 32), readNanoseconds(entries, at + 32)],
        [seconds, nanoseconds],
      );
    },
  ));
});

test("all read the same in the same order, and nothing is written over before", () => {
  const step = fc.record({
    member: fc.integer({ min: 0, max: 2 }),
    write: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(fc.property(
    fc.array(step, { maxLength: 60 }),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    fc.constantFrom(2, 4, 8),
    (steps, first, capacity) => {
      const members = logs(capacity, 3, first);
      const known: number[][] = [[], [], []];
      const all: number[] = [];
      for (const { member, write } of steps) {
        const log = members[member]!;
        known[member]!.push(...read(log));
        assertEquals(known[member], all);
        const room = capacity - Math.max(...known.map((each) => all.length - each.length));
        assertEquals(log.begin(), room);
        const count = Math.min(write, room);
        for (let i = 0; i < count; i++) {
          all.push(all.length);
          known[member]!.push(all.length - 1);
          log.writeExpired(all.length - 1);
        }
        if (count === room) assertThrows(() => log.writeExpired(0), RangeError, "no room");
        assertEquals(log.commit(), count);
        assertEquals(log.pending, 0);
      }
    },
  ));
});

test("others see what was written once it is committed, and none of it before", () => {
  const [writer, reader] = logs(4, 2);
  writer!.begin();
  writer!.writeExpired(1);
  writer!.writeConfigured(7, 2);
  assertEquals(reader!.pending, 0);
  writer!.commit();
  assertEquals(reader!.pending, 2);
  assertEquals(reader!.kindAt(reader!.at), CHANGE.expired);
  reader!.skip();
  assertEquals(reader!.kindAt(reader!.at), CHANGE.configured);
  assertEquals(reader!.groupAt(reader!.at), 7);
  reader!.skip();
  assertEquals(reader!.pending, 0);
  assertThrows(() => reader!.writeExpired(0), RangeError);
});

test("nobody writes who has not read", () => {
  const [writer, reader] = logs(4, 2);
  writer!.begin();
  writer!.writeExpired(1);
  writer!.commit();
  assertThrows(() => reader!.begin(), RangeError, "come before");
});

test("a flag is raised by one until it is lowered", () => {
  const [one, other] = logs(4, 2);
  assertEquals(one!.raise(FLAG.changed), true);
  assertEquals(other!.raise(FLAG.changed), false);
  assertEquals(other!.raise(FLAG.behind), true);
  one!.lower(FLAG.changed);
  assertEquals(other!.raise(FLAG.changed), true);
  assertEquals(one!.raise(FLAG.behind), false);
  // They are words of their own.
  assertEquals(one!.pending, 0);
  assertEquals(one!.behind(MAX_MEMBERS - 1), 0);
});

test("a log needs memory for a power of two of entries, and has so many members", () => {
  assertThrows(() => new ChangeLog(new SharedArrayBuffer(changeLogSize(3)), 0, 2), RangeError);
  const memory = new SharedArrayBuffer(changeLogSize(4));
  assertThrows(() => new ChangeLog(memory, 2, 2), RangeError);
  assertThrows(() => new ChangeLog(memory, 0, MAX_MEMBERS + 1), RangeError);
  assertEquals(new ChangeLog(memory, MAX_MEMBERS - 1, MAX_MEMBERS).room, 4);
});
