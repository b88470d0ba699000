import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatLeaseCidr, parseLeaseIp } from "../../lib/core/lease_address.ts";
import { LeaseBook, type LeaseBookOptions } from "../../lib/core/lease_book.ts";
import { encodeLeases, restoreLeases } from "../../lib/core/lease_state.ts";
import { formatKey } from "../../lib/core/peer_key.ts";
import { crc32 } from "../../lib/wire/crc32.ts";
import { hex } from "../support/bytes.ts";
import { idOf } from "../support/fake_random.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { test } from "../testing.ts";

const UNIX = 1_795_291_448;
const LEASE_SIZE = 52;
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

test("a file of leases is laid out as its drawing says", () => {
  const bytes = saved();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertEquals(bytes.length, 20 + 4 * LEASE_SIZE + 4);
  assertEquals(String.fromCharCode(...bytes.slice(0, 8)), "wgsiglt1");
  assertEquals([view.getFloat64(8), view.getUint32(16)], [UNIX, 4]);
  assertEquals(hex(bytes.slice(20, 52)), hex(idOf(1)));
  assertEquals(hex(bytes.slice(52, 68)), "00000000000000000000ffff0a000001");
  assertEquals(view.getUint32(68), 70);
  const last = 20 + 3 * LEASE_SIZE;
  assertEquals(hex(bytes.slice(last + 32, last + 48)), "fd000000000000000000000000000003");
  // Rounded up: nobody was promised less.
  assertEquals(view.getUint32(last + 48), 91);
  assertEquals(view.getUint32(bytes.length - 4), crc32(bytes, 0, bytes.length - 4));
});

test("leases come back with what is left of them, on another clock", () => {
  const book = bookOf();
  const counts = restoreLeases(saved(), book, { unix: UNIX + 40, mono: 7 });
  assertEquals(counts, { restored: 4, expired: 0, dropped: 0 });
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
      [["10.0.0.1/32", "fd00::1/128"], []],
      [["10.0.0.2/32"], []],
      [["fd00::3/128"], []],
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
  assertEquals(counts, { restored: 2, expired: 2, dropped: 0 });
  assertEquals(book.takeChanges()[0], {
    publicKey: keyOf(1),
    addresses: [],
    gone: ["10.0.0.1/32", "fd00::1/128"],
  });
  const later = bookOf();
  const none = restoreLeases(saved(), later, { unix: UNIX + 1e9, mono: 7 });
  assertEquals([none, later.count], [{ restored: 0, expired: 4, dropped: 0 }, 0]);
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
  assertEquals(book.takeChanges()[0], {
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
  assertEquals(counts, { restored: 2, expired: 0, dropped: 2 });
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
  assertEquals(none.length, 24);
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

test("a damaged file is refused whole", () => {
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
  const whole = saved();
  for (let size = 0; size < whole.length; size++) refused(whole.subarray(0, size));
  refused(Uint8Array.of(...whole, 0), "checksum");
  for (let bit = 0; bit < 8 * whole.length; bit += 5) {
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
  refused(set(7, 0x32), "no file of leases");
  refused(set(19, 3), "size");
  refused(set(16, 0xff), "size");
  refused(withCrc(whole.slice(0, -1)), "size");
  const notANumber = whole.slice();
  new DataView(notANumber.buffer).setFloat64(8, NaN);
  refused(withCrc(notANumber), "when");
});

test("whatever stands in a file that fits, the book stays right", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ at: fc.nat({ max: 4 * LEASE_SIZE - 1 }), byte: fc.nat({ max: 255 }) })),
    (mutations) => {
      const bytes = saved().slice();
      for (const { at, byte } of mutations) bytes[20 + at] = byte;
      const end = bytes.length - 4;
      new DataView(bytes.buffer).setUint32(end, crc32(bytes, 0, end));
      const book = bookOf();
      const { restored, expired, dropped } = restoreLeases(bytes, book, { unix: UNIX, mono: 0 });
      assertEquals(restored + expired + dropped, 4);
      const addresses = held(book, 0).map((text) => text.split(" ")[1]!);
      assertEquals(new Set(addresses).size, addresses.length);
      assert(addresses.every((text) => /^(?:10\.0\.0\.|fd00::)/.test(text)));
    },
  ));
});
