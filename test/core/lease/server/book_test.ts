import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatLeaseAddress, parseLeaseAddress } from "../../../../lib/core/lease/address.ts";
import { LeaseBook, type LeaseChange } from "../../../../lib/core/lease/server/book.ts";
import type { LeaseBookOptions } from "../../../../lib/core/lease/server/options.ts";
import { seededNumbers, seededRandom } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

const OPTIONS: LeaseBookOptions = {
  pools: ["10.0.0.0/29", "fd00::/125"],
  reserved: ["10.0.0.1", "fd00::1"],
  fixed: new Map(),
  leaseTime: 100,
  maxLeases: 1000,
};
const [A, B, C] = ["A", "B", "C"];

function bookOf(options: Partial<LeaseBookOptions> = {}, seed = 1): LeaseBook {
  return new LeaseBook({ ...OPTIONS, ...options }, seededRandom(seed));
}

function valueOf(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const address = parseLeaseAddress(text);
  assert(address !== undefined, text);
  return address.value;
}

/** Asks, and gives what was granted as text; `!` where something was refused. */
function ask(book: LeaseBook, key: string, mono: number, ...wanted: string[]): string[] {
  const wish = {
    ipv4: valueOf(wanted.find((text) => !text.includes(":"))),
    ipv6: valueOf(wanted.find((text) => text.includes(":"))),
  };
  const { ipv4, ipv6, refused } = book.request(key, wish, mono);
  return [
    ...(ipv4 === undefined ? [] : [formatLeaseAddress({ family: 4, value: ipv4 })]),
    ...(ipv6 === undefined ? [] : [formatLeaseAddress({ family: 6, value: ipv6 })]),
    ...(refused ? ["!"] : []),
  ];
}

/** What changed, after which the device is in line. */
function take(book: LeaseBook): LeaseChange[] {
  const changes = book.takeChanges();
  for (const { publicKey, gone } of changes) book.settled(publicKey, gone);
  return changes;
}

function change(publicKey: string, addresses: string[], gone: string[] = []): LeaseChange {
  return { publicKey, addresses, gone };
}

test("an address is leased, renewed, kept from others, and ends", () => {
  const book = bookOf();
  assertEquals(ask(book, A, 0, "10.0.0.2", "fd00::2"), ["10.0.0.2", "fd00::2"]);
  assertEquals(take(book), [change(A, ["10.0.0.2/32", "fd00::2/128"])]);
  assertEquals(ask(book, A, 60, "10.0.0.2", "fd00::2"), ["10.0.0.2", "fd00::2"]);
  assertEquals(take(book), []);
  assertEquals(ask(book, B, 150, "10.0.0.2", "fd00::2"), ["!"]);
  assertEquals(take(book), []);
  book.expire(159.9);
  assertEquals(book.addressesOf(A), ["10.0.0.2/32", "fd00::2/128"]);
  assertEquals(book.nothingBefore <= 160, true);
  book.expire(160);
  assertEquals(take(book), [change(A, [], ["10.0.0.2/32", "fd00::2/128"])]);
  assertEquals([book.count, book.nothingBefore], [0, Infinity]);
  assertEquals(ask(book, B, 160, "10.0.0.2", "fd00::2"), ["10.0.0.2", "fd00::2"]);
});

test("a lease that has ended is free for the next, before anybody looked", () => {
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2");
  assertEquals(ask(book, B, 100, "10.0.0.2"), ["10.0.0.2"]);
  assertEquals(
    take(book),
    [
      change(A, [], ["10.0.0.2/32"]),
      change(B, ["10.0.0.2/32"]),
    ].sort((a, b) => a.publicKey < b.publicKey ? -1 : 1),
  );
});

test("a family that is not asked for is given back", () => {
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2", "fd00::2");
  take(book);
  assertEquals(ask(book, A, 1, "fd00::2"), ["fd00::2"]);
  assertEquals(take(book), [change(A, ["fd00::2/128"], ["10.0.0.2/32"])]);
  assertEquals(ask(book, B, 1, "10.0.0.2"), ["10.0.0.2"]);
  assertEquals(ask(book, A, 2), []);
  assertEquals(book.addressesOf(A), []);
});

test("any address is a new one, and the old one is given back", () => {
  const book = bookOf({ pools: ["10.0.0.0/24"], reserved: [] });
  const seen = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const [address = ""] = ask(book, A, i, "0.0.0.0");
    seen.add(address);
    take(book);
    assertEquals(book.count, 1);
    assertEquals(book.addressesOf(A), [`${address}/32`]);
  }
  assert(seen.size > 30, `${seen.size}`);
});

test("a client that switches gives back what it had", () => {
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2");
  take(book);
  assertEquals(ask(book, A, 1, "10.0.0.3"), ["10.0.0.3"]);
  assertEquals(take(book), [change(A, ["10.0.0.3/32"], ["10.0.0.2/32"])]);
  assertEquals(ask(book, B, 1, "10.0.0.2"), ["10.0.0.2"]);
  // Back and forth, and nothing leaks.
  for (let i = 0; i < 100; i++) ask(book, A, 2, i % 2 === 0 ? "10.0.0.4" : "10.0.0.0");
  assertEquals(book.count, 2);
  assertEquals(ask(book, C, 3, "10.0.0.3"), ["10.0.0.3"]);
});

test("a refused client keeps what it had, until that ends", () => {
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2", "fd00::2");
  ask(book, B, 0, "10.0.0.3");
  take(book);
  assertEquals(ask(book, A, 50, "10.0.0.3", "fd00::2"), ["fd00::2", "!"]);
  assertEquals(take(book), []);
  assertEquals(book.addressesOf(A), ["10.0.0.2/32", "fd00::2/128"]);
  book.expire(100);
  assertEquals(book.addressesOf(A), ["fd00::2/128"]);
});

test("addresses outside the pools, reserved ones and their ends are refused", () => {
  const book = bookOf();
  const wrong = ["10.0.0.0", "10.0.0.1", "10.0.0.7", "10.0.0.8", "9.9.9.9", "fd00::1", "fd00::8"];
  for (const address of [...wrong, "fe80::2", "::ffff:10.0.0.2"]) {
    assertEquals(ask(book, A, 0, address), ["!"], address);
  }
  assertEquals(book.count, 0);
  assertEquals(take(book), []);
});

test("an empty pool refuses, and one family may still get something", () => {
  const book = bookOf({ pools: ["10.0.0.0/30", "fd00::/64"], reserved: ["10.0.0.1"] });
  assertEquals(ask(book, A, 0, "0.0.0.0"), ["10.0.0.2"]);
  const [granted = "", refused] = ask(book, B, 0, "0.0.0.0", "::");
  assert(granted.startsWith("fd00::"));
  assertEquals(refused, "!");
  // Who has the last one gets it again.
  assertEquals(ask(book, A, 1, "0.0.0.0"), ["10.0.0.2"]);
  assertEquals(ask(bookOf({ pools: ["fd00::/64"] }), A, 0, "0.0.0.0"), ["!"]);
});

test("so many peers get an address, and no more", () => {
  const book = bookOf({ pools: ["10.0.0.0/16"], maxLeases: 2 });
  ask(book, A, 0, "0.0.0.0");
  ask(book, B, 0, "0.0.0.0");
  assertEquals(ask(book, C, 0, "0.0.0.0"), ["!"]);
  assertEquals(ask(book, C, 0, "10.0.9.9"), ["!"]);
  assertEquals(ask(book, A, 0, "10.0.9.9"), ["10.0.9.9"]);
  ask(book, B, 0);
  assertEquals(ask(book, C, 0, "10.0.9.8"), ["10.0.9.8"]);
});

test("a fixed address is its peer's alone, in the pool or not", () => {
  const fixed = new Map([[A, ["10.0.0.2", "fd99::9"]], [B, ["10.0.0.3"]]]);
  const book = bookOf({ pools: ["10.0.0.0/29", "fd00::/125"], fixed });
  assertEquals(ask(book, A, 0, "0.0.0.0", "::"), ["10.0.0.2", "fd99::9"]);
  assertEquals(ask(book, A, 1, "10.0.0.2", "fd99::9"), ["10.0.0.2", "fd99::9"]);
  assertEquals(ask(book, A, 1, "10.0.0.4", "fd00::4"), ["!"]);
  assertEquals(ask(book, C, 1, "10.0.0.2", "fd99::9"), ["!"]);
  for (let i = 0; i < 30; i++) {
    const [drawn = ""] = ask(book, C, 1, "0.0.0.0");
    assert(["10.0.0.4", "10.0.0.5", "10.0.0.6"].includes(drawn), drawn);
  }
  // Also when nobody has it.
  ask(book, A, 2);
  assertEquals(ask(book, C, 2, "10.0.0.2"), ["!"]);
  assertEquals(ask(book, A, 3, "10.0.0.2"), ["10.0.0.2"]);
});

test("a peer that was removed is not brought back", () => {
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2", "fd00::2");
  book.forget(A);
  assertEquals(take(book), []);
  book.expire(1000);
  assertEquals(take(book), []);
  assertEquals(ask(book, B, 0, "10.0.0.2"), ["10.0.0.2"]);
});

test("changes are told once, all of a peer in one", () => {
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2");
  ask(book, A, 0, "10.0.0.3");
  ask(book, A, 0, "10.0.0.4", "fd00::2");
  ask(book, A, 0, "10.0.0.3", "fd00::2");
  assertEquals(take(book), [
    change(A, ["10.0.0.3/32", "fd00::2/128"], ["10.0.0.2/32", "10.0.0.4/32"]),
  ]);
  assertEquals(take(book), []);
});

test("a change is noted for saving, a refusal is not", () => {
  const book = bookOf();
  const changes = (key: string, mono: number, ...wanted: string[]) => {
    ask(book, key, mono, ...wanted);
    take(book);
    const isChanged = book.changed;
    const notes = book.takeUnsaved();
    assertEquals([isChanged, book.changed], [notes.length > 0, false]);
    return notes.map(({ publicKey, address, expiresAt }) =>
      `${publicKey} ${formatLeaseAddress(address)} ${expiresAt}`
    );
  };
  assertEquals(changes(A, 0, "10.0.0.2"), ["A 10.0.0.2 100"]);
  assertEquals(changes(A, 1, "10.0.0.2"), ["A 10.0.0.2 101"]);
  assertEquals(changes(B, 1, "10.0.0.2"), []);
  assertEquals(changes(B, 1), []);
  assertEquals(changes(A, 1, "10.0.0.3", "fd00::3"), [
    "A 10.0.0.2 undefined",
    "A 10.0.0.3 101",
    "A fd00::3 101",
  ]);
  assertEquals(changes(A, 1), ["A 10.0.0.3 undefined", "A fd00::3 undefined"]);
  ask(book, B, 1, "10.0.0.2");
  book.forget(B);
  assertEquals(book.takeUnsaved().map(({ expiresAt }) => expiresAt), [undefined]);
});

test("what a peer held is owed until it is off", () => {
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2", "fd00::2");
  take(book);
  ask(book, A, 1);
  const gone = ["10.0.0.2/32", "fd00::2/128"];
  assertEquals(book.takeChanges(), [change(A, [], gone)]);
  assertEquals([book.takeChanges(), book.owedBy(A)], [[], gone]);
  const ends = () => Array.from(book.notes(), ({ expiresAt }) => expiresAt);
  assertEquals(ends(), [-Infinity, -Infinity]);
  // Meanwhile, it is free for all, and its own again where it asks for it.
  assertEquals(ask(book, B, 2, "fd00::2"), ["fd00::2"]);
  assertEquals(ask(book, A, 2, "10.0.0.2"), ["10.0.0.2"]);
  assertEquals(book.owedBy(A), ["fd00::2/128"]);
  assertEquals(book.changeOf(A), change(A, ["10.0.0.2/32"], ["fd00::2/128"]));
  book.settled(A, ["fd00::2/128", "10.0.0.2/32"]);
  assertEquals([book.owedBy(A), book.addressesOf(A)], [[], ["10.0.0.2/32"]]);
  assertEquals(ends(), [100, 100].map((end) => end + 2));
});

test("a peer can't owe more and more", () => {
  const book = bookOf({ pools: ["10.0.0.0/16"] });
  let granted = 0;
  for (let i = 0; i < 200; i++) granted += ask(book, A, i / 10, "0.0.0.0")[0] === "!" ? 0 : 1;
  assert(granted < 40, `${granted}`);
  assert(book.owedBy(A).length < 40);
  take(book);
  assertEquals(ask(book, A, 30, "0.0.0.0").length, 1);
});

test("a blocked address is nobody's, and anybody's again later", () => {
  const book = bookOf({ pools: ["10.0.0.0/29", "fd00::/64"], fixed: new Map([[C, ["10.0.9.9"]]]) });
  const blocked = (text: string) => {
    const address = parseLeaseAddress(text);
    assert(address !== undefined);
    return address;
  };
  ask(book, A, 0, "10.0.0.2", "fd00::2");
  ask(book, C, 0, "10.0.9.9");
  take(book);
  assertEquals(book.block(blocked("10.0.0.2")), 1);
  assertEquals(book.block(blocked("10.0.0.2")), 0);
  assertEquals(take(book), [change(A, ["fd00::2/128"], ["10.0.0.2/32"])]);
  for (const text of ["10.0.0.3", "10.0.0.1", "10.9.9.9", "10.0.9.9"]) {
    assertEquals(book.block(blocked(text)), 0, text);
  }
  const drawn = Array.from({ length: 3 }, (_, i) => ask(book, `${i}`, 1, "0.0.0.0")[0]).sort();
  assertEquals(drawn, ["10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  assertEquals(ask(book, B, 1, "0.0.0.0"), ["!"]);
  // It outlives other settings.
  book.configure({ ...OPTIONS, pools: ["10.0.0.0/29", "fd00::/64"] });
  assertEquals(ask(book, B, 1, "10.0.0.2"), ["!"]);
  book.unblock(blocked("10.0.0.2"));
  book.unblock(blocked("10.0.0.1"));
  book.unblock(blocked("10.0.0.6"));
  assertEquals(ask(book, B, 1, "0.0.0.0"), ["10.0.0.2"]);
  // Reserved it still is, and another's.
  assertEquals(ask(book, B, 1, "10.0.0.1"), ["!"]);
  assertEquals(ask(book, B, 1, "10.0.0.6"), ["!"]);
  book.unblockAll();
  assertEquals(ask(book, B, 1, "10.0.0.3"), ["10.0.0.3"]);
});

test("so many leases end at once, and the rest a little later", () => {
  const book = bookOf({ pools: ["10.0.0.0/16"] });
  for (let i = 0; i < 500; i++) ask(book, `${i}`, i / 1000, "0.0.0.0");
  take(book);
  book.expire(200, 100);
  assertEquals([take(book).length, book.count, book.nothingBefore], [100, 400, 100.1]);
  // A request doesn't have to do all of it.
  ask(book, "new", 200, "0.0.0.0");
  assertEquals(book.count, 400 - 64 + 1);
  book.expire(200);
  assertEquals([book.count, book.nothingBefore], [1, 300]);
});

test("with other settings, leases that don't fit are taken back", () => {
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2", "fd00::2");
  ask(book, B, 0, "10.0.0.3", "fd00::3");
  ask(book, C, 0, "10.0.0.4", "fd00::4");
  take(book);
  const dropped = book.configure({
    ...OPTIONS,
    pools: ["10.0.0.0/28", "fd01::/64"],
    reserved: ["10.0.0.2"],
    fixed: new Map([[B, ["10.0.0.9"]], [C, ["fd00::4"]]]),
    leaseTime: 5,
  });
  // A's IPv4 is reserved, B has another one fixed; of IPv6, only C's is fixed.
  assertEquals(dropped, 4);
  assertEquals(take(book), [
    change(A, [], ["10.0.0.2/32", "fd00::2/128"]),
    change(B, [], ["10.0.0.3/32", "fd00::3/128"]),
  ]);
  assertEquals(book.addressesOf(C), ["10.0.0.4/32", "fd00::4/128"]);
  assertEquals(ask(book, A, 1, "10.0.0.4"), ["!"]);
  assertEquals(ask(book, B, 1, "0.0.0.0"), ["10.0.0.9"]);
  assertEquals(ask(book, A, 1, "10.0.0.14"), ["10.0.0.14"]);
  // What stayed keeps its end.
  book.expire(99);
  assertEquals(book.addressesOf(C).length, 2);
  book.expire(100);
  assertEquals(book.addressesOf(C), []);
});

test("settings that cannot be are refused, and change nothing", () => {
  const wrong: readonly (readonly [Partial<LeaseBookOptions>, string])[] = [
    [{ pools: ["10.0.0.0/33"] }, "10.0.0.0/33"],
    [{ pools: ["fe80::/64"] }, "fe80::/64"],
    [{ pools: ["10.0.0.0/24", "127.0.0.0/24"] }, "127.0.0.0/24"],
    [{ reserved: ["x"] }, "x"],
    [{ fixed: new Map([[A, ["10.0.0.2", "10.0.0.3"]]]) }, "two fixed"],
    [{ fixed: new Map([[A, ["10.0.0.2"]], [B, ["10.0.0.2/32"]]]) }, "two peers"],
    [{ fixed: new Map([[A, ["10.0.0.0/24"]]]) }, "10.0.0.0/24"],
    [{ fixed: new Map([[A, ["fe80::2"]]]) }, "fe80::2"],
  ];
  const book = bookOf();
  ask(book, A, 0, "10.0.0.2");
  for (const [options, why] of wrong) {
    assertThrows(() => bookOf(options), SyntaxError, why);
    assertThrows(() => book.configure({ ...OPTIONS, ...options }), SyntaxError, why);
  }
  assertEquals(book.addressesOf(A), ["10.0.0.2/32"]);
});

interface Step {
  readonly kind: "any" | "some" | "none" | "forget" | "expire" | "configure" | "block";
  readonly peer: number;
  readonly pick4: number;
  readonly pick6: number;
  readonly pause: number;
}

const KEYS = ["P0", "P1", "P2", "P3", "P4"];
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(
      ...["any", "any", "some", "some", "none"] as const,
      ...["forget", "expire", "configure", "block"] as const,
    ),
    peer: fc.nat({ max: KEYS.length - 1 }),
    pick4: fc.nat({ max: 8 }),
    pick6: fc.nat({ max: 8 }),
    pause: fc.constantFrom(0, 1, 30, 99, 100),
  }),
  { maxLength: 60 },
);
const LAYOUTS: readonly LeaseBookOptions[] = [
  OPTIONS,
  { ...OPTIONS, fixed: new Map([["P0", ["10.0.0.3"]], ["P1", ["fd00::5", "10.0.7.7"]]]) },
  { ...OPTIONS, pools: ["10.0.0.0/30", "fd00::4/126"], reserved: [] },
];
const USABLE = [
  [/^10\.0\.0\.[2-6]\/32$/, /^fd00::[2-7]\/128$/],
  [/^10\.0\.(?:0\.[2-6]|7\.7)\/32$/, /^fd00::[2-7]\/128$/],
  [/^10\.0\.0\.[12]\/32$/, /^fd00::[567]\/128$/],
] as const;

test("no address is leased twice or from outside, and all come back in the end", () => {
  fc.assert(fc.property(steps, fc.integer(), (steps, seed) => {
    const book = bookOf({}, seed);
    let layout = 0;
    let mono = 0;
    // What the caller's device would have, by what it is told alone.
    const device = new Map<string, Set<string>>();
    const ends = new Map<string, number>();
    const blocked = new Set<string>();
    for (const { kind, peer, pick4, pick6, pause } of steps) {
      mono += pause;
      const key = KEYS[peer]!;
      let granted: string[] = [];
      if (kind === "any") granted = ask(book, key, mono, "0.0.0.0", "::");
      if (kind === "some") granted = ask(book, key, mono, `10.0.0.${pick4}`, `fd00::${pick6}`);
      if (kind === "none") assertEquals(ask(book, key, mono), []);
      if (kind === "expire") book.expire(mono);
      if (kind === "configure") {
        layout = (layout + 1) % LAYOUTS.length;
        book.configure(LAYOUTS[layout]!);
      }
      if (kind === "block") {
        const address = { family: 4, value: valueOf(`10.0.0.${pick4}`)! } as const;
        const text = `10.0.0.${pick4}/32`;
        if (blocked.delete(text)) book.unblock(address);
        else {
          blocked.add(text);
          book.block(address);
        }
      }
      if (kind === "forget") {
        book.forget(key);
        device.delete(key);
      }
      for (const address of granted) {
        if (address !== "!") ends.set(`${key} ${address}`, mono + OPTIONS.leaseTime);
      }
      for (const { publicKey, addresses, gone } of take(book)) {
        const set = device.get(publicKey) ?? new Set();
        device.set(publicKey, set);
        for (const address of gone) assert(set.delete(address), `${address} was not there`);
        for (const address of addresses) set.add(address);
      }
      const all = [...book.leases()];
      assertEquals(all.length, book.count);
      const texts = all.map(({ address }) => formatLeaseAddress(address));
      assertEquals(new Set(texts).size, texts.length, "leased twice");
      for (const { publicKey, address, expiresAt } of all) {
        assertEquals(expiresAt, ends.get(`${publicKey} ${formatLeaseAddress(address)}`));
        assert(expiresAt >= book.nothingBefore);
      }
      for (const each of KEYS) {
        const addresses = book.addressesOf(each);
        assertEquals([...device.get(each) ?? []].sort(), addresses.sort());
        assert(addresses.every((text) => USABLE[layout]!.some((form) => form.test(text))));
        const fixed = LAYOUTS[layout]!.fixed.get(each)?.map((text) => `${text}/32`) ?? [];
        assert(addresses.every((text) => !blocked.has(text) || fixed.includes(text)));
      }
    }
    book.expire(mono + OPTIONS.leaseTime);
    assertEquals(book.count, 0);
    book.unblockAll();
    // Everything is free again: as many as an empty book has.
    const drain = (book: LeaseBook) => {
      let count = 0;
      while (ask(book, `N${count}`, mono + 1000, "0.0.0.0")[0] !== "!") count++;
      return count;
    };
    assertEquals(drain(book), drain(new LeaseBook(LAYOUTS[layout]!, seededRandom(1))));
  }));
});

test("a /16 with 10 000 leases, and a nearly full /24, stay right", () => {
  const number = seededNumbers(5);
  const book = bookOf({
    pools: ["10.20.0.0/16", "fd00:20::/64"],
    reserved: ["10.20.0.1"],
    maxLeases: 20_000,
  });
  for (let i = 0; i < 10_000; i++) {
    assertEquals(ask(book, `${i}`, i / 1000, "0.0.0.0", "::").length, 2);
  }
  assertEquals(book.count, 20_000);
  for (let i = 0; i < 3000; i++) {
    const key = `${Math.floor(number() * 10_000)}`;
    const held = book.addressesOf(key).map((text) => text.split("/")[0]!);
    assertEquals(ask(book, key, 20, ...held), held);
    if (i % 3 === 0) assertEquals(ask(book, key, 20, "0.0.0.0", "::").length, 2);
  }
  const texts = Array.from(book.leases(), ({ address }) => formatLeaseAddress(address));
  assertEquals(new Set(texts).size, 20_000);
  assert(texts.every((text) => /^(?:10\.20\.|fd00:20::)/.test(text)));
  take(book);
  book.expire(115);
  assertEquals(
    take(book).length,
    20_000 / 2 - new Set(
      Array.from(book.leases(), ({ publicKey }) => publicKey),
    ).size,
  );

  const small = bookOf({ pools: ["10.0.0.0/24"], reserved: [] });
  for (let i = 0; i < 254; i++) assertEquals(ask(small, `${i}`, 0, "0.0.0.0").length, 1);
  assertEquals(ask(small, "one more", 0, "0.0.0.0"), ["!"]);
  const [last = ""] = small.addressesOf("77");
  ask(small, "77", 1);
  assertEquals(ask(small, "one more", 1, "0.0.0.0"), [last.split("/")[0]!]);
});
