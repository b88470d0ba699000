import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Family,
  formatLeaseAddress,
  parseLeaseAddress,
  parseLeasePrefix,
} from "../../../../lib/core/lease/address.ts";
import { LeasePool } from "../../../../lib/core/lease/server/pool.ts";
import { seededRandom } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

function poolOf(
  family: Family,
  prefixes: readonly string[],
  excluded: readonly string[] = [],
): LeasePool {
  return new LeasePool(family, prefixes.map(parseLeasePrefix), excluded.map(parseLeasePrefix));
}

function valueOf(text: string): bigint {
  const address = parseLeaseAddress(text);
  assert(address !== undefined, text);
  return address.value;
}

/** All addresses, drawn until none is left. */
function drain(pool: LeasePool, family: Family, seed = 1): string[] {
  const random = seededRandom(seed);
  const drawn: bigint[] = [];
  for (;;) {
    const address = pool.draw(random);
    if (address === undefined) break;
    drawn.push(address);
  }
  return drawn.sort((a, b) => a < b ? -1 : 1)
    .map((value) => formatLeaseAddress({ family, value }));
}

function hosts(prefix: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${prefix}${from + i}`);
}

test("network, broadcast and reserved addresses are not drawn, everything else once", () => {
  const pool = poolOf(4, ["10.0.0.0/28"], ["10.0.0.1", "10.0.0.6/31", "10.0.0.15", "10.0.9.9"]);
  assertEquals(pool.size, 11n);
  const expected = hosts("10.0.0.", 2, 14).filter((each) => !/\.[67]$/.test(each));
  assertEquals(drain(pool, 4), expected);
  assertEquals([pool.free, pool.taken], [0n, 11]);
});

test("only the ends of a prefix are network and broadcast", () => {
  const pool = poolOf(4, ["10.0.0.0/23"]);
  assertEquals(drain(pool, 4), [...hosts("10.0.0.", 1, 255), ...hosts("10.0.1.", 0, 254)]);
});

test("prefixes may overlap and touch; each one's ends stay out", () => {
  const pool = poolOf(4, ["10.0.0.4/30", "10.0.0.0/29", "10.0.0.8/30", "10.0.0.0/29"]);
  // Not 0, 4, 7, 8, 11.
  assertEquals(drain(pool, 4), ["1", "2", "3", "5", "6", "9", "10"].map((n) => `10.0.0.${n}`));
});

test("prefixes of one or two addresses have no ends", () => {
  assertEquals(drain(poolOf(4, ["10.0.0.0/31"]), 4), ["10.0.0.0", "10.0.0.1"]);
  assertEquals(drain(poolOf(4, ["10.0.0.0/32"]), 4), ["10.0.0.0"]);
  assertEquals(drain(poolOf(6, ["fd00::/127"]), 6), ["fd00::", "fd00::1"]);
  assertEquals(drain(poolOf(6, ["fd00::/128"]), 6), ["fd00::"]);
  assertEquals(drain(poolOf(6, ["fd00::/126"]), 6), ["fd00::1", "fd00::2", "fd00::3"]);
});

test("a family has its own prefixes alone", () => {
  const prefixes = ["10.0.0.0/30", "fd00::/126"];
  assertEquals(drain(poolOf(4, prefixes, ["fd00::1"]), 4), ["10.0.0.1", "10.0.0.2"]);
  assertEquals(drain(poolOf(6, prefixes, ["10.0.0.1"]), 6), ["fd00::1", "fd00::2", "fd00::3"]);
  assertEquals(poolOf(6, ["10.0.0.0/8"]).size, 0n);
});

test("what no host may have is in no pool", () => {
  const none = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.3.0/24",
    "224.0.0.0/4",
    "255.255.255.255",
    "fe80::/64",
    "febf::/16",
    "ff02::/16",
    "::/127",
  ];
  for (const prefix of none) {
    const family = prefix.includes(":") ? 6 : 4;
    assertEquals(poolOf(family, [prefix]).size, 0n, prefix);
  }
  const all = poolOf(6, ["::/0"]);
  for (const address of ["::", "::1", "::ffff:10.0.0.1", "fe80::1", "ff02::1"]) {
    assert(!all.has(valueOf(address)), address);
  }
  for (const address of ["::2", "fe7f::1", "fec0::1", "2001:db8::1"]) {
    assert(all.has(valueOf(address)), address);
  }
});

test("an address is taken once, and given back once", () => {
  const pool = poolOf(4, ["10.0.0.0/24"], ["10.0.0.9"]);
  const address = valueOf("10.0.0.7");
  assert(pool.isFree(address));
  assert(pool.take(address));
  assert(!pool.isFree(address));
  assert(pool.has(address));
  assert(!pool.take(address));
  assert(pool.giveBack(address));
  assert(!pool.giveBack(address));
  assert(pool.take(address));
  for (const other of ["10.0.0.0", "10.0.0.255", "10.0.0.9", "10.0.1.7", "9.255.255.255"]) {
    const value = valueOf(other);
    assertEquals(
      [pool.has(value), pool.isFree(value), pool.take(value), pool.giveBack(value)],
      [false, false, false, false],
      other,
    );
  }
});

test("each free address has the same chance, also where most are taken", () => {
  const pool = poolOf(4, ["10.0.0.0/26", "10.0.3.0/26"]);
  const random = seededRandom(7);
  const free = new Set(["10.0.0.1", "10.0.0.2", "10.0.0.40", "10.0.3.1", "10.0.3.62"].map(valueOf));
  for (let host = 0; host < 64; host++) {
    for (const net of [0x0a00_0000n, 0x0a00_0300n]) {
      const address = net + BigInt(host);
      if (!free.has(address)) pool.take(address);
    }
  }
  const counts = new Map<bigint, number>();
  for (let i = 0; i < 5000; i++) {
    const address = pool.draw(random);
    assert(address !== undefined && free.has(address));
    counts.set(address, (counts.get(address) ?? 0) + 1);
    pool.giveBack(address);
  }
  // 1000 each are expected, with a standard deviation of 28.
  for (const count of counts.values()) assert(Math.abs(count - 1000) < 150, `${count}`);
  assertEquals(counts.size, 5);
});

test("draws of a /64 lie all over it", () => {
  const pool = poolOf(6, ["fd00:20::/64"]);
  assertEquals(pool.size, (1n << 64n) - 1n);
  const random = seededRandom(3);
  const quarters = [0, 0, 0, 0];
  for (let i = 0; i < 4000; i++) {
    const address = pool.draw(random);
    assert(address !== undefined);
    assertEquals(address >> 64n, 0xfd00_0020_0000_0000n);
    quarters[Number((address >> 62n) & 3n)]!++;
  }
  for (const count of quarters) assert(Math.abs(count - 1000) < 150, `${count}`);
  assertEquals(pool.taken, 4000);
});

test("few random bytes are drawn", () => {
  const seeded = seededRandom(9);
  let drawn = 0;
  const random = (bytes: Uint8Array) => {
    drawn += bytes.length;
    seeded(bytes);
  };
  // 2 to 129 addresses: at most one try of two bytes in two is in vain.
  const pool = poolOf(4, ["10.0.0.0/25", "10.0.1.0/31", "10.0.1.2/32"]);
  for (let i = 0; i < 128; i++) pool.draw(random);
  assert(drawn < 400, `${drawn}`);
});

test("random bytes that never fit end, too", () => {
  const pool = poolOf(4, ["10.0.0.0/24"]);
  const address = pool.draw((bytes) => bytes.fill(0xff));
  assert(address !== undefined && pool.has(address));
});

interface Model {
  readonly family: Family;
  readonly prefixes: readonly string[];
  readonly excluded: readonly string[];
}

const models: readonly Model[] = [
  { family: 4, prefixes: ["10.0.0.0/29", "10.0.0.8/30"], excluded: ["10.0.0.3"] },
  { family: 4, prefixes: ["10.0.0.0/28", "10.0.0.4/30"], excluded: [] },
  { family: 6, prefixes: ["fd00::/125", "fd01::/127"], excluded: ["fd00::4/127"] },
];
const steps = fc.array(
  fc.record({ kind: fc.constantFrom("draw", "take", "give"), pick: fc.nat({ max: 40 }) }),
  { maxLength: 80 },
);

test("a pool is a set of free addresses", () => {
  fc.assert(fc.property(
    fc.constantFrom(...models),
    steps,
    fc.integer(),
    ({ family, prefixes, excluded }, steps, seed) => {
      const all = drain(poolOf(family, prefixes, excluded), family).map(valueOf);
      const outside = family === 4 ? valueOf("10.0.0.0") : valueOf("fd00::");
      const pool = poolOf(family, prefixes, excluded);
      const random = seededRandom(seed);
      const taken = new Set<bigint>();
      for (const { kind, pick } of steps) {
        const address = pick < all.length ? all[pick]! : outside;
        const isFree = all.includes(address) && !taken.has(address);
        if (kind === "draw") {
          const drawn = pool.draw(random);
          assertEquals(drawn === undefined, taken.size === all.length);
          if (drawn === undefined) continue;
          assert(all.includes(drawn) && !taken.has(drawn));
          taken.add(drawn);
        } else if (kind === "take") {
          assertEquals(pool.take(address), isFree);
          if (isFree) taken.add(address);
        } else {
          assertEquals(pool.giveBack(address), taken.delete(address));
        }
        assertEquals(pool.taken, taken.size);
        for (const each of all) assertEquals(pool.isFree(each), !taken.has(each));
      }
    },
  ));
});

test("a blocked address is not free, whoever gives it back", () => {
  const pool = poolOf(4, ["10.0.0.0/29"]);
  const [a, b] = [valueOf("10.0.0.2"), valueOf("10.0.0.3")];
  pool.take(a);
  assertEquals([pool.block(a), pool.block(b), pool.block(b)], [true, false, false]);
  assertEquals([pool.giveBack(a), pool.giveBack(b), pool.take(a), pool.take(b)], [
    false,
    false,
    false,
    false,
  ]);
  assertEquals([pool.free, pool.block(valueOf("10.9.9.9"))], [4n, false]);
  pool.unblock(a);
  pool.unblock(a);
  assertEquals([pool.isFree(a), pool.isFree(b), pool.free], [true, false, 5n]);
  pool.take(a);
  pool.unblock(a);
  assertEquals(pool.isFree(a), false);
});
