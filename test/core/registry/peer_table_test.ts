import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NONE } from "../../../lib/core/net/none.ts";
import { PeerTable, type PeerTableOptions } from "../../../lib/core/registry/peer_table.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { hex } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import { twinLabel, twinRecord } from "../../support/twins.ts";
import { test } from "../../testing.ts";

const PAGE_SIZE = 540;
const RECORDS_SIZE = 500;

/** What the naive model knows of a peer. */
interface ModelPeer {
  readonly number: number;
  readonly peer: number;
  address: number[];
  port: number;
  /** Undefined before the first. */
  label: readonly [seconds: number, nanoseconds: number] | undefined;
  highest: readonly [seconds: number, nanoseconds: number];
  seenAt: number;
  /** The bytes of its record, once they were asked for. */
  record: string | undefined;
}

/** A table, next to a list that is simply kept in the order of the last sighting. */
class Twin {
  readonly table: PeerTable;
  /** Newest first. */
  readonly peers: ModelPeer[] = [];
  readonly #answerLimit: number;
  readonly #options: PeerTableOptions;
  #clock = 0;
  /** The records of each page when its dirty flag was last cleared. */
  readonly #clean = new Map<number, string>();

  constructor(options: PeerTableOptions) {
    this.table = new PeerTable(options);
    this.#options = options;
    this.#answerLimit = Math.max(10, Math.ceil(options.maxAnswer / 10) * 10);
  }

  /** Adds the peer with this number, or sees it again. */
  see(number: number): void {
    const seenAt = ++this.#clock;
    const known = this.find(number);
    if (known === undefined) {
      const added = this.#added(number, this.table.add(placedId(number), 5, seenAt), seenAt);
      if (added !== undefined) this.peers.unshift(added);
      return;
    }
    this.table.touch(known.peer, seenAt);
    known.seenAt = seenAt;
    this.peers.splice(this.peers.indexOf(known), 1);
    this.peers.unshift(known);
  }

  /** Adds the peer with this number as one that was seen before all others. */
  restore(number: number): void {
    if (this.find(number) !== undefined) return;
    const seenAt = -number;
    const added = this.#added(number, this.table.addOldest(placedId(number), 5, seenAt), seenAt);
    if (added !== undefined) this.peers.push(added);
  }

  /** What is known of a peer that was added, if there was room for it. */
  #added(number: number, peer: number, seenAt: number): ModelPeer | undefined {
    if (this.peers.length === this.#options.maxPeers) {
      assertEquals(peer, NONE, "added to a full table");
      return undefined;
    }
    assert(peer !== NONE, "not added");
    assert(!this.peers.some((other) => other.peer === peer), "a number was given twice");
    const empty = {
      address: [0x32, 0x2d, 0xcc, 0xac],
      port: 0,
      label: undefined,
      record: undefined,
    };
    return { number, peer, ...empty, highest: [-1, 0], seenAt };
  }

  remove(number: number): void {
    const known = this.find(number);
    if (known === undefined) return;
    this.table.remove(known.peer);
    this.peers.splice(this.peers.indexOf(known), 1);
  }

  setEndpoint(number: number, address: number[], port: number): void {
    const known = this.find(number);
    if (known === undefined) return;
    const value = address.reduce((sum, part) => sum * 256 + part, 0);
    this.table.setEndpoint(known.peer, value, port);
    Object.assign(known, { address, port, record: undefined });
  }

  setLabel(number: number, seconds: number, nanoseconds: number): void {
    const known = this.find(number);
    if (known === undefined) return;
    const label = new WireBuffer(Uint8Array.from([9, 9, ...twinLabel(seconds, nanoseconds), 9]));
    this.table.setLabel(known.peer, label, 2);
    this.table.setHighestLabel(known.peer, seconds + 1, nanoseconds);
    known.label = [seconds, nanoseconds];
    known.record = undefined;
    known.highest = [seconds + 1, nanoseconds];
  }

  /** Takes the changes for sent, as a group does that seals a page. */
  clean(page: number): void {
    if (page >= this.table.dirty.length) return;
    this.table.dirty[page] = 0;
    this.#clean.set(page, this.#pageRecords(page));
  }

  find(number: number): ModelPeer | undefined {
    return this.peers.find((peer) => peer.number === number);
  }

  /** Compares everything that can be seen of the table with the list. */
  check(allNumbers: number): void {
    const { table, peers } = this;
    assertEquals(table.count, peers.length);
    const found = Array.from({ length: allNumbers }, (_, n) => table.find(placedId(n), 5));
    const known = new Array<number>(allNumbers).fill(NONE);
    for (const { number, peer } of peers) known[number] = peer;
    assertEquals(found, known);
    this.#checkOrder();
    const expected = peers.map((peer) => peer.record ??= recordHex(peer));
    for (const [i, { peer, seenAt, highest }] of peers.entries()) {
      const at = table.recordAt(peer);
      assert(hex(table.pages.bytes.subarray(at, at + 50)) === expected[i], "another record");
      assert(table.seenAt(peer) === seenAt, "seen at another time");
      assert(table.labelSeconds(peer) === highest[0], "another label");
      assert(table.labelNanoseconds(peer) === highest[1], "another label");
    }
    const slots = Array.from({ length: table.dirty.length }, (_, page) => this.#slots(page)).flat();
    const empty = "00".repeat(50);
    assert(slots.slice(peers.length).every((slot) => slot === empty), "a record is left behind");
    const sameSet = (a: readonly string[], b: readonly string[]) =>
      assertEquals(a.toSorted(), b.toSorted());
    sameSet(slots.slice(0, Math.min(10, peers.length)), expected.slice(0, 10));
    const sent = Math.min(this.#answerLimit, peers.length);
    sameSet(slots.slice(0, sent), expected.slice(0, sent));
    assertEquals(table.pageCount, Math.max(1, Math.ceil(sent / 10)));
    for (let page = 0; page < table.dirty.length; page++) {
      if (table.dirty[page] !== 0) continue;
      assertEquals(this.#pageRecords(page), this.#clean.get(page), `page ${page} changed unseen`);
    }
  }

  #checkOrder(): void {
    const { table } = this;
    const walked: number[] = [];
    for (let peer = table.oldest; peer !== NONE; peer = table.newerThan(peer)) {
      walked.push(peer);
      assert(walked.length <= table.count, "the order has no end");
    }
    assertEquals(walked.reverse(), this.peers.map(({ peer }) => peer));
  }

  #slots(page: number): string[] {
    const records = this.#pageRecords(page);
    return Array.from({ length: 10 }, (_, i) => records.slice(100 * i, 100 * i + 100));
  }

  #pageRecords(page: number): string {
    const at = page * PAGE_SIZE;
    return hex(this.table.pages.bytes.subarray(at, at + RECORDS_SIZE));
  }
}

const placedIds = new Map<number, WireBuffer>();

/** The ID of a number, at offset 5. */
function placedId(number: number): WireBuffer {
  let placed = placedIds.get(number);
  if (placed === undefined) {
    placed = new WireBuffer(Uint8Array.from([1, 2, 3, 4, 5, ...idOf(number), 6]));
    placedIds.set(number, placed);
  }
  return placed;
}

function recordHex({ number, address, port, label }: ModelPeer): string {
  const id = idOf(number);
  const [seconds, nanoseconds] = label ?? [0, 0];
  const record = twinRecord({ id, address, port, seconds, nanoseconds });
  if (label === undefined) record.fill(0, 38);
  return hex(Uint8Array.from(record));
}

type Operation = (twin: Twin) => void;

function operations(numbers: number): fc.Arbitrary<Operation[]> {
  const number = fc.nat(numbers - 1);
  const byte = fc.nat(255);
  return fc.array(
    fc.oneof(
      { weight: 10, arbitrary: number.map((n): Operation => (twin) => twin.see(n)) },
      { weight: 3, arbitrary: number.map((n): Operation => (twin) => twin.restore(n)) },
      { weight: 3, arbitrary: number.map((n): Operation => (twin) => twin.remove(n)) },
      {
        weight: 1,
        arbitrary: fc.nat(500).map((n): Operation => (twin) => twin.table.reserve(n)),
      },
      {
        weight: 2,
        arbitrary: fc.tuple(number, fc.tuple(byte, byte, byte, byte), fc.nat(0xffff)).map(
          ([n, address, port]): Operation => (twin) => twin.setEndpoint(n, address, port),
        ),
      },
      {
        weight: 2,
        arbitrary: fc.tuple(number, fc.nat(), fc.nat(999_999_999)).map(
          ([n, seconds, nanoseconds]): Operation => (twin) => {
            twin.setLabel(n, seconds, nanoseconds);
          },
        ),
      },
      { weight: 3, arbitrary: fc.nat(7).map((page): Operation => (twin) => twin.clean(page)) },
      // The removals that the server makes: the oldest, and all of them.
      {
        weight: 1,
        arbitrary: fc.constant<Operation>((twin) => {
          const oldest = twin.peers.at(-1);
          if (oldest !== undefined) twin.remove(oldest.number);
        }),
      },
    ),
    { minLength: 100, maxLength: 250, size: "max" },
  );
}

for (const maxAnswer of [10, 20, 30]) {
  test(`a table that answers with ${maxAnswer} peers does what a sorted list does`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer(),
        fc.nat(60),
        operations(64),
        (maxPeers, seed, first, operations) => {
          const twin = new Twin({ maxPeers, maxAnswer, seed });
          for (let number = 0; number < first; number++) twin.see(number);
          for (let page = 0; page < 8; page++) twin.clean(page);
          twin.check(64);
          for (const operation of operations) {
            operation(twin);
            twin.check(64);
          }
        },
      ),
      // A failure is told at once: to shrink operations this many takes minutes. Remove to shrink.
      { numRuns: 12, endOnFailure: true },
    );
  });
}

test("a new table is one datagram without records", () => {
  const table = new PeerTable({ maxPeers: 5, maxAnswer: 10, seed: 1 });
  assertEquals([table.count, table.pageCount, table.oldest], [0, 1, NONE]);
  assertEquals(table.find(placedId(0), 5), NONE);
  assert(table.pages.bytes.every((byte) => byte === 0));
});

test("the answer limit is rounded up to whole datagrams, ten peers at least", () => {
  for (const [maxAnswer, pages] of [[1, 1], [10, 1], [11, 2], [20, 2], [25, 3], [1000, 5]]) {
    const twin = new Twin({ maxPeers: 100, maxAnswer: maxAnswer!, seed: 1 });
    for (let number = 0; number < 45; number++) twin.see(number);
    assertEquals(twin.table.pageCount, pages, `${maxAnswer}`);
    twin.check(50);
  }
});

test("a peer that is seen again changes no record, only the places of as many as there are tiers", () => {
  const twin = new Twin({ maxPeers: 100, maxAnswer: 30, seed: 1 });
  for (let number = 0; number < 60; number++) twin.see(number);
  const clean = () => twin.table.dirty.fill(0);
  const dirtyPages = () => twin.table.dirty.reduce((sum, flag) => sum + flag, 0);
  clean();
  twin.see(59);
  twin.see(55);
  assertEquals(dirtyPages(), 0, "of the first ten");
  twin.see(45);
  assertEquals(dirtyPages(), 2, "of the next twenty");
  clean();
  twin.see(0);
  assertEquals(dirtyPages(), 3, "of those that are not sent");
});

test("a table grows beyond its first 160 peers, up to 5000, and shrinks to nothing", () => {
  const maxPeers = 5000;
  const twin = new Twin({ maxPeers, maxAnswer: 30, seed: -7 });
  const checked = new Set([159, 160, 161, 320, 321, 640, 641, 2560, 2561, 5000]);
  for (let number = 0; number < maxPeers; number++) {
    twin.see(number);
    twin.setLabel(number, number, number);
    // Some are seen again, so that slots are not in the order of numbers.
    if (number % 3 === 0) twin.see((number * 7919) % (number + 1));
    if (checked.has(twin.peers.length)) twin.check(number + 2);
  }
  twin.see(maxPeers);
  twin.check(maxPeers + 1);
  for (let i = 0; twin.peers.length > 0; i++) {
    twin.remove(twin.peers[(i * 4801) % twin.peers.length]!.number);
    if (checked.has(twin.peers.length)) twin.check(maxPeers);
  }
  twin.check(200);
  for (let number = 0; number < 200; number++) twin.see(number);
  twin.check(201);
});

test("peers whose hashes have the same place in the index are told apart", () => {
  // 160 peers in an index of 512 places: with 40 seeds, many share a place and a run of places.
  for (let seed = 0; seed < 40; seed++) {
    const twin = new Twin({ maxPeers: 160, maxAnswer: 10, seed });
    for (let number = 0; number < 160; number++) twin.see(number);
    for (let number = seed % 3; number < 160; number += 3) twin.remove(number);
    for (let number = 0; number < 165; number++) {
      const expected = twin.find(number)?.peer ?? NONE;
      assertEquals(twin.table.find(placedId(number), 5), expected, `seed ${seed}, ${number}`);
    }
  }
});
