import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatLeaseCidr, parseLeaseIp } from "../../../../lib/core/lease/address.ts";
import { LeaseBook } from "../../../../lib/core/lease/server/book.ts";
import type { LeaseBookOptions } from "../../../../lib/core/lease/server/options.ts";
import {
  encodeLeaseNotes,
  encodeLeases,
  leaseStateHead,
  MAX_GROUP_ENTRIES,
  restoreLeases,
} from "../../../../lib/core/lease/server/state.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { crc32 } from "../../../../lib/wire/bytes/crc32.ts";
import { hex } from "../../../support/bytes.ts";
import { idOf } from "../../../support/fake_random.ts";
import { seededNumbers, seededRandom } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

const UNIX = 1_795_291_448;
const HEAD_SIZE = 8;
const GROUP_HEAD = 16;
const LEASE_SIZE = 52;
const WHOLE = { cut: 0, isDamaged: false };
const OPTIONS: LeaseBookOptions = {
  pools: ["10.0.0.0/24", "fd00::/64"],
  reserved: [],
  fixed: new Map(),
  leaseTime: 100,
  maxLeases: 1000,
};

function bookOf(options: Partial<LeaseBookOptions> = {}): LeaseBook {
  return new LeaseBook({ ...OPTIONS, ...options }, seededRandom(1));
}

function keyOf(number: number): string {
  return formatKey(idOf(number));
}

function lease(book: LeaseBook, peer: number, mono: number, ipv4?: string, ipv6?: string): void {
  const valueOf = (text?: string) => text === undefined ? undefined : parseLeaseIp(text)?.value;
  const wish = { ipv4: valueOf(ipv4), ipv6: valueOf(ipv6) };
  assert(!book.request(keyOf(peer), wish, mono).refused);
}

/** What is held: key, address, seconds left. */
function held(book: LeaseBook, mono: number): string[] {
  return Array.from(
    book.leases(),
    ({ publicKey, address, expiresAt }) =>
      `${publicKey} ${formatLeaseCidr(address)} ${expiresAt - mono}`,
  ).sort();
}

function changeOf(book: LeaseBook, peer: number) {
  return book.takeChanges().find(({ publicKey }) => publicKey === keyOf(peer));
}

/** Peers 1 to 3, leased at 0, 10 and 20.25. */
function threePeers(): LeaseBook {
  const book = bookOf();
  lease(book, 1, 0, "10.0.0.1", "fd00::1");
  lease(book, 2, 10, "10.0.0.2");
  lease(book, 3, 20.25, undefined, "fd00::3");
  book.takeChanges();
  return book;
}

const saved = () => encodeLeases(threePeers(), { unix: UNIX, mono: 30 });

/** The same leases in the first version's layout. */
function firstVersion(): Uint8Array {
  const entries = saved().subarray(HEAD_SIZE + GROUP_HEAD);
  const bytes = new Uint8Array(20 + entries.length + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("wgsiglt1"));
  view.setFloat64(8, UNIX);
  view.setUint32(16, entries.length / LEASE_SIZE);
  bytes.set(entries, 20);
  view.setUint32(20 + entries.length, crc32(bytes, 0, 20 + entries.length));
  return bytes;
}

test("a file of leases is laid out as its drawing says", () => {
  const bytes = saved();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertEquals(bytes.length, HEAD_SIZE + GROUP_HEAD + 4 * LEASE_SIZE);
  assertEquals(String.fromCharCode(...bytes.slice(0, 8)), "wgsiglt2");
  assertEquals([view.getUint32(8), view.getFloat64(16)], [4 * LEASE_SIZE, UNIX]);
  assertEquals(view.getUint32(12), crc32(bytes, 16, bytes.length - 16));
  assertEquals(hex(bytes.slice(24, 56)), hex(idOf(1)));
  assertEquals(hex(bytes.slice(56, 72)), "00000000000000000000ffff0a000001");
  assertEquals(view.getUint32(72), 70);
  const last = 24 + 3 * LEASE_SIZE;
  assertEquals(hex(bytes.slice(last + 32, last + 48)), "fd000000000000000000000000000003");
  // Rounded up: nobody was promised less.
  assertEquals(view.getUint32(last + 48), 91);
  // What is added: an address that is off, one that ought to be.
  const book = threePeers();
  book.takeUnsaved();
  book.request(keyOf(2), { ipv4: undefined, ipv6: undefined }, 30);
  assertEquals(encodeLeaseNotes(book.takeUnsaved(), { unix: UNIX, mono: 30 }).length, 0);
  const owed = encodeLeases(book, { unix: UNIX, mono: 30 });
  assertEquals(new DataView(owed.buffer).getUint32(last + 48), 0);
  book.settled(keyOf(2), ["10.0.0.2/32"]);
  const added = encodeLeaseNotes(book.takeUnsaved(), { unix: UNIX + 1, mono: 31 });
  const addedView = new DataView(added.buffer);
  assertEquals([added.length, addedView.getUint32(0)], [GROUP_HEAD + LEASE_SIZE, LEASE_SIZE]);
  assertEquals([addedView.getFloat64(8), addedView.getUint32(16 + 48)], [UNIX + 1, 2 ** 32 - 1]);
});

test("a file of the first version is read", () => {
  const book = bookOf();
  const counts = restoreLeases(firstVersion(), book, { unix: UNIX, mono: 30 });
  assertEquals(counts, { restored: 4, expired: 0, dropped: 0, ...WHOLE });
  const other = bookOf();
  restoreLeases(saved(), other, { unix: UNIX, mono: 30 });
  assertEquals(held(book, 0), held(other, 0));
});

test("leases come back with what is left of them, on another clock", () => {
  const book = bookOf();
  const counts = restoreLeases(saved(), book, { unix: UNIX + 40, mono: 7 });
  assertEquals(counts, { restored: 4, expired: 0, dropped: 0, ...WHOLE });
  assertEquals(
    held(book, 7),
    [
      `${keyOf(1)} 10.0.0.1/32 30`,
      `${keyOf(1)} fd00::1/128 30`,
      `${keyOf(2)} 10.0.0.2/32 40`,
      `${keyOf(3)} fd00::3/128 51`,
    ].sort(),
  );
  // All of it is told, and nobody else gets any of it.
  assertEquals(
    book.takeChanges().map(({ addresses, gone }) => [addresses, gone]),
    [
      [["fd00::3/128"], []],
      [["10.0.0.1/32", "fd00::1/128"], []],
      [["10.0.0.2/32"], []],
    ],
  );
  const wish = { ipv4: parseLeaseIp("10.0.0.1")?.value, ipv6: undefined };
  assert(book.request(keyOf(9), wish, 7).refused);
  book.expire(7 + 30);
  assertEquals(book.count, 2);
});

test("leases that ended meanwhile are counted, and are changes", () => {
  const book = bookOf();
  const counts = restoreLeases(saved(), book, { unix: UNIX + 70, mono: 7 });
  assertEquals(counts, { restored: 2, expired: 2, dropped: 0, ...WHOLE });
  assertEquals(changeOf(book, 1), {
    publicKey: keyOf(1),
    addresses: [],
    gone: ["fd00::1/128", "10.0.0.1/32"],
  });
  const later = bookOf();
  const none = restoreLeases(saved(), later, { unix: UNIX + 1e9, mono: 7 });
  assertEquals([none, later.count], [{ restored: 0, expired: 4, dropped: 0, ...WHOLE }, 0]);
});

test("a clock that was set back makes no lease longer", () => {
  const book = bookOf();
  restoreLeases(saved(), book, { unix: UNIX - 1e6, mono: 0 });
  assertEquals(held(book, 0).map((text) => text.split(" ")[2]).sort(), ["70", "70", "80", "91"]);
});

test("leases that can't be any more are dropped and counted", () => {
  const restored = (options: Partial<LeaseBookOptions>) => {
    const book = bookOf(options);
    const { dropped } = restoreLeases(saved(), book, { unix: UNIX, mono: 0 });
    return [dropped, ...held(book, 0).map((text) => text.split(" ")[1]).sort()];
  };
  assertEquals(restored({ pools: ["10.1.0.0/24", "fd00::/64"] }), [
    2,
    "fd00::1/128",
    "fd00::3/128",
  ]);
  assertEquals(restored({ pools: ["fd00::2/127"] }), [3, "fd00::3/128"]);
  assertEquals(restored({ reserved: ["10.0.0.0/30", "fd00::1"] }), [3, "fd00::3/128"]);
  const fixed = new Map([[keyOf(1), ["10.0.0.2"]], [keyOf(3), ["fd00::3"]]]);
  assertEquals(restored({ fixed }), [2, "fd00::1/128", "fd00::3/128"]);

  const book = bookOf({ pools: ["fd00::/64"] });
  restoreLeases(saved(), book, { unix: UNIX, mono: 0 });
  assertEquals(changeOf(book, 1), {
    publicKey: keyOf(1),
    addresses: ["fd00::1/128"],
    gone: ["10.0.0.1/32"],
  });
});

test("what the book has already stays", () => {
  const book = bookOf();
  lease(book, 9, 0, "10.0.0.1");
  lease(book, 2, 0, "10.0.0.7");
  lease(book, 3, 0, undefined, "fd00::3");
  const counts = restoreLeases(saved(), book, { unix: UNIX, mono: 0 });
  assertEquals(counts, { restored: 2, expired: 0, dropped: 2, ...WHOLE });
  assertEquals(
    held(book, 0),
    [
      `${keyOf(1)} fd00::1/128 70`,
      `${keyOf(2)} 10.0.0.7/32 100`,
      `${keyOf(3)} fd00::3/128 100`,
      `${keyOf(9)} 10.0.0.1/32 100`,
    ].sort(),
  );
});

test("no lease, and a file of 10 000, come back", () => {
  const none = encodeLeases(bookOf(), { unix: UNIX, mono: 0 });
  assertEquals(none, leaseStateHead());
  const empty = bookOf();
  assertEquals(restoreLeases(none, empty, { unix: UNIX, mono: 0 }).restored, 0);
  assertEquals(empty.takeChanges(), []);
  const options = { pools: ["10.0.0.0/16"], maxLeases: 10_000 };
  const book = bookOf(options);
  for (let i = 0; i < 10_000; i++) lease(book, i, 0, "0.0.0.0");
  const next = bookOf(options);
  const bytes = encodeLeases(book, { unix: UNIX, mono: 0 });
  assertEquals(restoreLeases(bytes, next, { unix: UNIX, mono: 0 }).restored, 10_000);
  assertEquals(held(next, 0), held(book, 0));
});

test("a damaged file of the first version is refused whole", () => {
  const withCrc = (bytes: Uint8Array) => {
    const changed = bytes.slice();
    const end = changed.length - 4;
    new DataView(changed.buffer).setUint32(end, crc32(changed, 0, end));
    return changed;
  };
  const refused = (bytes: Uint8Array, why = "") => {
    const book = bookOf();
    lease(book, 1, 0, "10.0.0.9");
    const before = held(book, 0);
    book.takeChanges();
    assertThrows(() => restoreLeases(bytes, book, { unix: UNIX, mono: 0 }), SyntaxError, why);
    assertEquals(held(book, 0), before);
    assertEquals(book.takeChanges(), []);
  };
  const whole = firstVersion();
  for (let size = 0; size < whole.length; size++) refused(whole.subarray(0, size));
  refused(Uint8Array.of(...whole, 0), "checksum");
  for (let bit = 64; bit < 8 * whole.length; bit += 5) {
    const changed = whole.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    refused(changed);
  }
  const set = (at: number, value: number) => {
    const changed = whole.slice();
    changed[at] = value;
    return withCrc(changed);
  };
  refused(set(0, 0x57), "no file of leases");
  refused(set(7, 0x33), "no file of leases");
  refused(set(19, 3), "size");
  refused(set(16, 0xff), "size");
  refused(withCrc(whole.slice(0, -1)), "size");
  const notANumber = whole.slice();
  new DataView(notANumber.buffer).setFloat64(8, NaN);
  refused(withCrc(notANumber), "when");
  // Of the second, this much must be there.
  for (let size = 0; size < HEAD_SIZE; size++) refused(saved().subarray(0, size));
});

/** A file that was added to, and what it said after each time. */
function history() {
  const number = seededNumbers(3);
  const book = bookOf({ pools: ["10.0.0.0/27", "fd00::/123"] });
  const words: { readonly size: number; readonly held: string[] }[] = [];
  let bytes = leaseStateHead();
  for (let i = 0; i < 50; i++) {
    const peer = Math.floor(number() * 8);
    const wish = { ipv4: number() < 0.8 ? 0n : undefined, ipv6: number() < 0.6 ? 0n : undefined };
    book.request(keyOf(peer), wish, i);
    for (const { publicKey, gone } of book.takeChanges()) book.settled(publicKey, gone);
    const added = encodeLeaseNotes(book.takeUnsaved(), { unix: UNIX + i, mono: i });
    bytes = Uint8Array.of(...bytes, ...added);
    words.push({ size: bytes.length, held: held(book, 0) });
  }
  return { bytes, words };
}

test("a file that a crash has cut at any byte says what it said before", () => {
  const { bytes, words } = history();
  const now = { unix: UNIX + 120, mono: 120 };
  const said = (size: number) => {
    const before = words.filter((word) => word.size <= size).at(-1);
    const alive = (text: string) => Number(text.split(" ")[2]) > 120;
    return { held: before?.held.filter(alive) ?? [], size: before?.size ?? HEAD_SIZE };
  };
  const check = (file: Uint8Array, size: number) => {
    const book = bookOf({ pools: ["10.0.0.0/27", "fd00::/123"] });
    const { cut, isDamaged } = restoreLeases(file, book, now);
    const expected = said(size);
    assertEquals(held(book, 0), expected.held);
    assertEquals([cut, isDamaged], [file.length - expected.size, false]);
  };
  for (let size = HEAD_SIZE; size <= bytes.length; size += 7) {
    check(bytes.subarray(0, size), size);
    // The file's new size may have come to the disk without what was written.
    const { size: whole } = said(size);
    if (size > whole + GROUP_HEAD) {
      const zeros = bytes.slice(0, size).fill(0, whole);
      check(zeros, size);
    }
  }
});

test("what is damaged before the end is said, and all before it is read", () => {
  const { bytes, words } = history();
  const number = seededNumbers(4);
  const now = { unix: UNIX + 49, mono: 49 };
  for (let i = 0; i < 150; i++) {
    const at = HEAD_SIZE + Math.floor(number() * (bytes.length - HEAD_SIZE));
    const changed = bytes.slice();
    changed[at]! ^= 1 << Math.floor(number() * 8);
    const book = bookOf({ pools: ["10.0.0.0/27", "fd00::/123"] });
    const { cut, isDamaged } = restoreLeases(changed, book, now);
    const before = words.filter(({ size }) => size <= at).at(-1);
    assertEquals(cut, bytes.length - (before?.size ?? HEAD_SIZE));
    const alive = before?.held.filter((text) => Number(text.split(" ")[2]) > 49) ?? [];
    assertEquals(held(book, 0), alive);
    // Near the end, it could be what a crash has left.
    if (cut > 2 * MAX_GROUP_ENTRIES) assert(isDamaged, `${at}`);
  }
});

test("a lease that changed hands in a crash is the last one's", () => {
  const book = bookOf();
  const now = { unix: UNIX, mono: 0 };
  lease(book, 1, 0, "10.0.0.1");
  const first = encodeLeaseNotes(book.takeUnsaved(), now);
  // Given back and granted to another, and the crash comes before it is off the first one.
  book.request(keyOf(1), { ipv4: parseLeaseIp("10.0.0.7")?.value, ipv6: undefined }, 0);
  lease(book, 2, 0, "10.0.0.1");
  const second = encodeLeaseNotes(book.takeUnsaved(), now);
  const next = bookOf();
  restoreLeases(Uint8Array.of(...leaseStateHead(), ...first, ...second), next, now);
  assertEquals(held(next, 0), held(book, 0));
  assertEquals(next.changeOf(keyOf(1)), {
    publicKey: keyOf(1),
    addresses: ["10.0.0.7/32"],
    gone: ["10.0.0.1/32"],
  });
  assertEquals(next.changeOf(keyOf(2)).gone, []);
  // And comes back to the first.
  book.request(keyOf(2), { ipv4: parseLeaseIp("10.0.0.8")?.value, ipv6: undefined }, 0);
  lease(book, 1, 0, "10.0.0.1");
  const third = encodeLeaseNotes(book.takeUnsaved(), now);
  const last = bookOf();
  restoreLeases(Uint8Array.of(...leaseStateHead(), ...first, ...second, ...third), last, now);
  assertEquals(held(last, 0), held(book, 0));
});

test("a book that changes while it is written is written right", () => {
  const number = seededNumbers(5);
  for (let round = 0; round < 40; round++) {
    const pools = ["10.0.0.0/26", "fd00::/122"];
    const book = bookOf({ pools });
    const ask = () => {
      const wish = { ipv4: number() < 0.8 ? 0n : undefined, ipv6: number() < 0.6 ? 0n : undefined };
      book.request(keyOf(Math.floor(number() * 30)), wish, 0);
    };
    const settle = () => {
      for (const { publicKey, gone } of book.takeChanges()) book.settled(publicKey, gone);
    };
    for (let i = 0; i < 60; i++) ask();
    settle();
    book.takeUnsaved();
    const notes = [];
    for (const note of book.notes()) {
      notes.push(note);
      if (number() < 0.5) ask();
      if (number() < 0.2) settle();
    }
    const now = { unix: UNIX, mono: 0 };
    const added = encodeLeaseNotes(book.takeUnsaved(), now);
    const file = Uint8Array.of(...leaseStateHead(), ...encodeLeaseNotes(notes, now), ...added);
    const next = bookOf({ pools });
    restoreLeases(file, next, now);
    assertEquals(held(next, 0), held(book, 0));
    // Nothing is lost that is to be taken off.
    for (let peer = 0; peer < 30; peer++) {
      const publicKey = keyOf(peer);
      const owed = new Set(next.owedBy(publicKey));
      for (const each of book.owedBy(publicKey)) assert(owed.has(each), `${publicKey} ${each}`);
    }
  }
});

test("groups have a limit", () => {
  const book = bookOf({ pools: ["10.0.0.0/16"], maxLeases: 10_000 });
  for (let i = 0; i < 2 * MAX_GROUP_ENTRIES + 1; i++) lease(book, i, 0, "0.0.0.0");
  const bytes = encodeLeases(book, { unix: UNIX, mono: 0 });
  assertEquals(bytes.length, HEAD_SIZE + 3 * GROUP_HEAD + (2 * MAX_GROUP_ENTRIES + 1) * LEASE_SIZE);
  const long = bytes.slice();
  const size = (MAX_GROUP_ENTRIES + 1) * LEASE_SIZE;
  const view = new DataView(long.buffer);
  view.setUint32(HEAD_SIZE, size);
  view.setUint32(HEAD_SIZE + 4, crc32(long, HEAD_SIZE + 8, size + 8));
  const next = bookOf({ pools: ["10.0.0.0/16"], maxLeases: 10_000 });
  const { restored, isDamaged } = restoreLeases(long, next, { unix: UNIX, mono: 0 });
  assertEquals([restored, isDamaged], [0, true]);
});

/** Groups whose checksums are right, and their bytes not. */
const group = fc.record({
  writtenAt: fc.oneof(fc.double(), fc.constant(UNIX)),
  entries: fc.array(
    fc.record({
      peer: fc.nat({ max: 3 }),
      address: fc.oneof(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.nat({ max: 9 }).map((n) =>
          Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, n)
        ),
      ),
      left: fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1), fc.nat({ max: 2 ** 32 - 1 })),
    }),
    { minLength: 1, maxLength: 4 },
  ),
}).map(({ writtenAt, entries }) => {
  const bytes = new Uint8Array(GROUP_HEAD + entries.length * LEASE_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entries.length * LEASE_SIZE);
  view.setFloat64(8, writtenAt);
  for (const [i, { peer, address, left }] of entries.entries()) {
    const at = GROUP_HEAD + i * LEASE_SIZE;
    bytes.set(idOf(peer), at);
    bytes.set(address, at + 32);
    view.setUint32(at + 48, left);
  }
  view.setUint32(4, crc32(bytes, 8, bytes.length - 8));
  return bytes;
});
const piece = fc.oneof(group, group, fc.uint8Array({ maxLength: 80 }));

test("whatever stands in a file, the book stays right", () => {
  fc.assert(fc.property(
    fc.constantFrom("wgsiglt2", "wgsiglt2", "wgsiglt1", ""),
    fc.array(piece, { maxLength: 6 }),
    (magic, pieces) => {
      const size = pieces.reduce((sum, { length }) => sum + length, magic.length);
      const bytes = new Uint8Array(size);
      bytes.set(new TextEncoder().encode(magic));
      let at = magic.length;
      for (const each of pieces) {
        bytes.set(each, at);
        at += each.length;
      }
      const book = bookOf();
      try {
        const { restored, cut } = restoreLeases(bytes, book, { unix: UNIX, mono: 0 });
        assert(restored >= book.count && cut <= size);
      } catch (error) {
        assert(error instanceof SyntaxError, String(error));
        assertEquals(book.count, 0);
      }
      const addresses = held(book, 0).map((text) => text.split(" ")[1]!);
      assertEquals(new Set(addresses).size, addresses.length);
      assert(addresses.every((text) => /^(?:10\.0\.0\.|fd00::)/.test(text)));
    },
  ));
});
