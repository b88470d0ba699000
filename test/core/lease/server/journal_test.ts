import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatLeaseCidr, parseLeaseIp } from "../../../../lib/core/lease/address.ts";
import { LeaseBook } from "../../../../lib/core/lease/server/book.ts";
import type { LeaseBookOptions } from "../../../../lib/core/lease/server/options.ts";
import { LEASE_ENTRY_SIZE, NotePieces } from "../../../../lib/core/lease/server/journal.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { encodeFile } from "../../../../lib/core/store/encoding.ts";
import { BATCH_HEAD, encodeBatch, JOURNAL_HEAD } from "../../../../lib/core/store/journal_file.ts";
import { joinBytes } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { crc32 } from "../../../../lib/wire/bytes/crc32.ts";
import { hex } from "../../../support/bytes.ts";
import { idOf } from "../../../support/fake_random.ts";
import { encodeAdded, encodeLeases, restoreLeases } from "../../../support/saved_leases.ts";
import { seededNumbers, seededRandom } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

const UNIX = 1_795_291_448;
const WHOLE = { cut: 0, isDamaged: false };
const MOST_ENTRIES = 1024;
const FORMER_GROUP_HEAD = 16;
const NOW = { unix: UNIX, mono: 0 };
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
  const entries = saved().subarray(JOURNAL_HEAD + BATCH_HEAD);
  const bytes = new Uint8Array(20 + entries.length + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("wgsiglt1"));
  view.setFloat64(8, UNIX);
  view.setUint32(16, entries.length / LEASE_ENTRY_SIZE);
  bytes.set(entries, 20);
  view.setUint32(20 + entries.length, crc32(bytes, 0, 20 + entries.length));
  return bytes;
}

test("leases are laid out as the drawing says", () => {
  const bytes = saved();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertEquals(bytes.length, JOURNAL_HEAD + BATCH_HEAD + 4 * LEASE_ENTRY_SIZE);
  assertEquals(String.fromCharCode(...bytes.slice(0, 8)), "wgsigst2");
  assertEquals([view.getUint32(8), view.getUint32(12)], [bytes.length, crc32(bytes, 0, 12)]);
  assertEquals([view.getUint32(16), view.getInt32(20)], [4 * 52, ~(4 * 52)]);
  assertEquals(view.getUint32(24), crc32(bytes, 28, bytes.length - 28));
  assertEquals(view.getFloat64(28), UNIX);
  assertEquals(String.fromCharCode(...bytes.slice(36, 40)), "leas");
  assertEquals(hex(bytes.slice(40, 72)), hex(idOf(1)));
  assertEquals(hex(bytes.slice(72, 88)), "00000000000000000000ffff0a000001");
  assertEquals(view.getUint32(88), 70);
  const last = 40 + 3 * LEASE_ENTRY_SIZE;
  assertEquals(hex(bytes.slice(last + 32, last + 48)), "fd000000000000000000000000000003");
  // Rounded up: nobody was promised less.
  assertEquals(view.getUint32(last + 48), 91);
  // What is added: an address that is off, one that ought to be.
  const book = threePeers();
  book.takeUnsaved();
  book.request(keyOf(2), { ipv4: undefined, ipv6: undefined }, 30);
  assertEquals(encodeAdded(book, { unix: UNIX, mono: 30 }).length, 0);
  const owed = encodeLeases(book, { unix: UNIX, mono: 30 });
  assertEquals(new DataView(owed.buffer).getUint32(last + 48), 0);
  book.settled(keyOf(2), ["10.0.0.2/32"]);
  const added = encodeAdded(book, { unix: UNIX + 1, mono: 31 });
  const addedView = new DataView(added.buffer);
  assertEquals([added.length, addedView.getUint32(0)], [BATCH_HEAD + 52, 52]);
  assertEquals([addedView.getFloat64(12), addedView.getUint32(24 + 48)], [UNIX + 1, 2 ** 32 - 1]);
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
  assertEquals(none.length, JOURNAL_HEAD);
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
  refused(set(0, 0x57), "no state file");
  refused(set(7, 0x33), "no state file");
  refused(set(19, 3), "size");
  refused(set(16, 0xff), "size");
  refused(withCrc(whole.slice(0, -1)), "size");
  const notANumber = whole.slice();
  new DataView(notANumber.buffer).setFloat64(8, NaN);
  refused(withCrc(notANumber), "when");
  // Of a file of today, this much must be there.
  for (let size = 0; size < JOURNAL_HEAD; size++) refused(saved().subarray(0, size));
});

/** How files are laid out: today's, and those that were there before. */
interface Format {
  readonly name: string;
  readonly head: Uint8Array;
  /** What a batch begins with. */
  readonly groupHead: number;
  /** Of what is added today, as it is in this format. */
  group(added: Uint8Array): Uint8Array;
}
const FORMATS: readonly Format[] = [
  { name: "journal", head: encodeFile([], NOW), groupHead: BATCH_HEAD, group: (added) => added },
  {
    name: "former file",
    head: new TextEncoder().encode("wgsiglt2"),
    groupHead: FORMER_GROUP_HEAD,
    group(added) {
      if (added.length === 0) return added;
      const entries = added.subarray(BATCH_HEAD);
      const bytes = new Uint8Array(FORMER_GROUP_HEAD + entries.length);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, entries.length);
      bytes.set(added.subarray(12, 20), 8);
      bytes.set(entries, FORMER_GROUP_HEAD);
      view.setUint32(4, crc32(bytes, 8, bytes.length - 8));
      return bytes;
    },
  },
];

/** A file that was added to, and what it said after each time. */
function history({ head, group }: Format) {
  const number = seededNumbers(3);
  const book = bookOf({ pools: ["10.0.0.0/27", "fd00::/123"] });
  const words: { readonly size: number; readonly held: string[] }[] = [];
  let bytes = Uint8Array.of(...head);
  for (let i = 0; i < 50; i++) {
    const peer = Math.floor(number() * 8);
    const wish = { ipv4: number() < 0.8 ? 0n : undefined, ipv6: number() < 0.6 ? 0n : undefined };
    book.request(keyOf(peer), wish, i);
    for (const { publicKey, gone } of book.takeChanges()) book.settled(publicKey, gone);
    const added = encodeAdded(book, { unix: UNIX + i, mono: i });
    bytes = Uint8Array.of(...bytes, ...group(added));
    words.push({ size: bytes.length, held: held(book, 0) });
  }
  return { bytes, words };
}

for (const format of FORMATS) {
  const headSize = format.head.length;

  test(`${format.name}: a file that a crash has cut at any byte says what it said before`, () => {
    const { bytes, words } = history(format);
    const now = { unix: UNIX + 120, mono: 120 };
    const said = (size: number) => {
      const before = words.filter((word) => word.size <= size).at(-1);
      const alive = (text: string) => Number(text.split(" ")[2]) > 120;
      return { held: before?.held.filter(alive) ?? [], size: before?.size ?? headSize };
    };
    const check = (file: Uint8Array, size: number) => {
      const book = bookOf({ pools: ["10.0.0.0/27", "fd00::/123"] });
      const { cut, isDamaged } = restoreLeases(file, book, now);
      const expected = said(size);
      assertEquals(held(book, 0), expected.held);
      assertEquals([cut, isDamaged], [file.length - expected.size, false]);
    };
    for (let size = headSize; size <= bytes.length; size += 7) {
      check(bytes.subarray(0, size), size);
      // The file's new size may have come to the disk without what was written.
      const { size: whole } = said(size);
      if (size > whole + format.groupHead) {
        const zeros = bytes.slice(0, size).fill(0, whole);
        check(zeros, size);
      }
    }
  });

  test(`${format.name}: what is damaged is said, and all before it is read`, () => {
    const { bytes, words } = history(format);
    const number = seededNumbers(4);
    const now = { unix: UNIX + 49, mono: 49 };
    for (let i = 0; i < 150; i++) {
      const at = headSize + Math.floor(number() * (bytes.length - headSize));
      const changed = bytes.slice();
      changed[at]! ^= 1 << Math.floor(number() * 8);
      const book = bookOf({ pools: ["10.0.0.0/27", "fd00::/123"] });
      const { cut, isDamaged } = restoreLeases(changed, book, now);
      const before = words.filter(({ size }) => size <= at).at(-1);
      assertEquals(cut, bytes.length - (before?.size ?? headSize));
      const alive = before?.held.filter((text) => Number(text.split(" ")[2]) > 49) ?? [];
      assertEquals(held(book, 0), alive);
      // Near the end, it could be what a crash has left.
      if (cut > 2 * MOST_ENTRIES) assert(isDamaged, `${at}`);
    }
  });
}

test("a lease that changed hands in a crash is the last one's", () => {
  const book = bookOf();
  const now = { unix: UNIX, mono: 0 };
  lease(book, 1, 0, "10.0.0.1");
  const first = encodeAdded(book, now);
  // Given back and granted to another, and the crash comes before it is off the first one.
  book.request(keyOf(1), { ipv4: parseLeaseIp("10.0.0.7")?.value, ipv6: undefined }, 0);
  lease(book, 2, 0, "10.0.0.1");
  const second = encodeAdded(book, now);
  const next = bookOf();
  restoreLeases(Uint8Array.of(...encodeFile([], now), ...first, ...second), next, now);
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
  const third = encodeAdded(book, now);
  const last = bookOf();
  restoreLeases(Uint8Array.of(...encodeFile([], now), ...first, ...second, ...third), last, now);
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
    const added = encodeAdded(book, now);
    const content = new NotePieces(notes.values()).next(now)!;
    const batch = encodeBatch("leas", content, now);
    const file = Uint8Array.of(...encodeFile([], now), ...batch, ...added);
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

test("batches have a limit", () => {
  const options = { pools: ["10.0.0.0/16"], maxLeases: 10_000 };
  const book = bookOf(options);
  for (let i = 0; i < 2 * MOST_ENTRIES + 1; i++) lease(book, i, 0, "0.0.0.0");
  const bytes = encodeLeases(book, NOW);
  const entries = (2 * MOST_ENTRIES + 1) * LEASE_ENTRY_SIZE;
  assertEquals(bytes.length, JOURNAL_HEAD + 3 * BATCH_HEAD + entries);
  const next = bookOf(options);
  assertEquals(restoreLeases(bytes, next, NOW).restored, 2 * MOST_ENTRIES + 1);
  assertEquals(held(next, 0), held(book, 0));
  // In a file of the former format, too.
  const former = FORMATS.find(({ name }) => name === "former file")!;
  const size = (MOST_ENTRIES + 1) * LEASE_ENTRY_SIZE;
  const long = former.group(encodeBatch("leas", new Uint8Array(size), NOW));
  const { restored, isDamaged } = restoreLeases(
    Uint8Array.of(...former.head, ...long),
    bookOf(options),
    NOW,
  );
  assertEquals([restored, isDamaged], [0, true]);
});

/** Batches whose checksums are right, and their bytes not. */
const batch = fc.record({
  writtenAt: fc.oneof(fc.double(), fc.constant(UNIX)),
  part: fc.constantFrom("leas", "leas", "leas", "peer"),
  isFormer: fc.boolean(),
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
      odd: fc.nat({ max: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
}).map(({ writtenAt, part, isFormer, entries }) => {
  const content = new Uint8Array(entries.length * LEASE_ENTRY_SIZE);
  const view = new DataView(content.buffer);
  for (const [i, { peer, address, left }] of entries.entries()) {
    const at = i * LEASE_ENTRY_SIZE;
    content.set(idOf(peer), at);
    content.set(address, at + 32);
    view.setUint32(at + 48, left);
  }
  const now = { unix: writtenAt, mono: 0 };
  if (isFormer) return FORMATS[1]!.group(encodeBatch(part, content, now));
  return encodeBatch(part, content.subarray(0, content.length - entries[0]!.odd), now);
});
const piece = fc.oneof(batch, batch, fc.uint8Array({ maxLength: 80 }));
const heads = [
  ...FORMATS.map(({ head }) => head),
  new TextEncoder().encode("wgsiglt1"),
  new Uint8Array(0),
];

test("whatever stands in a file, the book stays right", () => {
  fc.assert(fc.property(
    fc.constantFrom(...heads, ...heads.slice(0, 2)),
    fc.array(piece, { maxLength: 6 }),
    (head, pieces) => {
      const bytes = joinBytes([head, ...pieces]);
      const book = bookOf();
      try {
        const { restored, cut } = restoreLeases(bytes, book, NOW);
        assert(restored >= book.count && cut <= bytes.length);
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
