/** The tables of a relay against slow models of them. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { EndpointIndex } from "../../../lib/core/relay/endpoint_index.ts";
import { FreeNumbers } from "../../../lib/core/net/free_numbers.ts";
import { RelayedPairs } from "../../../lib/core/relay/relayed_pairs.ts";
import { Sessions } from "../../../lib/core/relay/sessions.ts";
import { TokenBuckets } from "../../../lib/core/relay/token_buckets.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { test } from "../../testing.ts";

const PLACES = 12;

/** An endpoint: a few, so that several places have the same. */
function endpointOf(number: number): WireBuffer {
  const endpoint = new WireBuffer(18);
  endpoint.view.setUint16(10, 0xffff);
  endpoint.view.setUint32(12, 0xc000_0200 + (number >> 1));
  endpoint.view.setUint16(16, 1000 + number % 2);
  return endpoint;
}

test("an endpoint is found at all of its places, and nowhere else", () => {
  const step = fc.record({
    place: fc.integer({ min: 0, max: PLACES - 1 }),
    endpoint: fc.option(fc.integer({ min: 0, max: 5 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.maxSafeNat(), (steps, seed) => {
      const index = new EndpointIndex(PLACES, seed);
      const model = new Map<number, number>();
      for (const { place, endpoint } of steps) {
        if (endpoint === null) {
          index.clear(place);
          model.delete(place);
        } else {
          index.set(place, endpointOf(endpoint), 0);
          model.set(place, endpoint);
        }
        for (let number = 0; number < 6; number++) {
          const found: number[] = [];
          const wanted = endpointOf(number);
          for (let at = index.find(wanted, 0); at >= 0; at = index.next(at, wanted, 0)) {
            found.push(at);
          }
          const expected = [...model].filter(([, each]) => each === number).map(([each]) => each);
          assertEquals(found.toSorted((a, b) => a - b), expected.toSorted((a, b) => a - b));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("each peer's pairs are a list, with the one that was greeted last at its end", () => {
  const step = fc.record({
    a: fc.integer({ min: 0, max: 4 }),
    b: fc.integer({ min: 0, max: 4 }),
    what: fc.constantFrom("add", "add", "remove", "greeted"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pairs = new RelayedPairs();
      const lists: number[][] = [[], [], [], [], []];
      for (const { a, b, what } of steps) {
        if (a === b) continue;
        const side = pairs.find(a, b);
        const isKnown = lists[a]!.includes(b);
        assertEquals(side >= 0, isKnown);
        if (what === "add" && !isKnown) {
          assertEquals(pairs.peerOf(pairs.add(a, b, 0)), a);
          lists[a]!.unshift(b);
          lists[b]!.unshift(a);
        } else if (what !== "add" && isKnown) {
          assertEquals([pairs.peerOf(side), pairs.peerOf(side ^ 1)], [a, b]);
          lists[a] = lists[a]!.filter((each) => each !== b);
          lists[b] = lists[b]!.filter((each) => each !== a);
          if (what === "remove") pairs.remove(side >>> 1);
          else {
            pairs.greeted(side >>> 1);
            lists[a].push(b);
            lists[b].push(a);
          }
        }
        lists.forEach((list, peer) => {
          const found: number[] = [];
          for (let at = pairs.firstOf(peer); at >= 0; at = pairs.nextOf(at)) {
            found.push(pairs.peerOf(at ^ 1));
          }
          assertEquals(found, list);
        });
        assertEquals(pairs.count, lists.reduce((sum, { length }) => sum + length, 0) / 2);
      }
    }),
    { numRuns: 60 },
  );
});

test("an index leads to the side that it was told, until it ends", () => {
  const step = fc.record({
    side: fc.integer({ min: 0, max: 3 }),
    index: fc.integer({ min: 0, max: 9 }),
    what: fc.constantFrom("offer", "offer", "settle", "confirm", "forget"),
    after: fc.constantFrom(0, 1, 5, 29, 61, 200),
  });
  /** Sides 0 and 2 are the same peer's. */
  const userOf = (side: number) => side % 2 === 0 ? 7 : side;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.maxSafeNat(), (steps, seed) => {
      const sessions = new Sessions(seed);
      /** What may be found at most: who was told an index when, for how long. */
      const told = new Map<string, { side: number; until: number }>();
      let mono = 1000;
      for (const { side, index, what, after } of steps) {
        mono += after;
        const user = userOf(side);
        const key = `${user} ${index}`;
        const before = sessions.find(user, index, mono);
        const owner = before < 0 ? undefined : sessions.sideOf(before);
        if (what === "forget") {
          sessions.forget(side >>> 1);
          for (const [each, value] of told) if (value.side >>> 1 === side >>> 1) told.delete(each);
        } else if (what === "confirm") {
          if (before < 0) continue;
          sessions.confirm(before, mono);
          told.set(key, { side: owner!, until: mono + 240 });
        } else {
          const isTaken = owner !== undefined && owner !== side;
          assertEquals(sessions[what](side, user, index, mono), !isTaken);
          if (!isTaken && owner === undefined) {
            told.set(key, { side, until: mono + (what === "offer" ? 30 : 240) });
          }
          // What was just told is there.
          if (!isTaken) assertEquals(sessions.sideOf(sessions.find(user, index, mono)), side);
        }
        for (let each = 0; each < 10; each++) {
          for (const peer of [7, 1, 3]) {
            const slot = sessions.find(peer, each, mono);
            const known = told.get(`${peer} ${each}`);
            if (slot < 0) continue;
            assertEquals(sessions.sideOf(slot), known?.side);
            assertEquals(known!.until > mono, true, `${peer} ${each}`);
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("numbers are given out once, and again when they came back", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 60 }), (steps) => {
    const pool = new FreeNumbers(6);
    const out = new Set<number>();
    for (const step of steps) {
      if (step < 5) {
        const number = pool.take();
        assertEquals(number === -1, out.size === 6);
        assertEquals(out.has(number), false);
        if (number >= 0) out.add(number);
      } else {
        const [number] = [...out].slice(step % Math.max(1, out.size));
        if (number === undefined) continue;
        out.delete(number);
        pool.giveBack(number);
      }
      assertEquals(pool.count, out.size);
      for (const number of out) assertEquals(number < pool.end, true);
    }
  }));
});

test("nobody spends more than its burst and its rate since", () => {
  const step = fc.record({
    cost: fc.nat({ max: 60 }),
    after: fc.double({ min: 0, max: 3, noNaN: true }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const buckets = new TokenBuckets(2, 10, 50);
    let [mono, spent] = [500, 0];
    for (const { cost, after } of steps) {
      mono += after;
      if (buckets.has(1, cost, mono)) {
        buckets.spend(1, cost);
        spent += cost;
      }
      assertEquals(spent <= 50 + 10 * (mono - 500) + 1e-6, true);
      assertEquals(buckets.has(0, 50, mono), true);
    }
    assertEquals(buckets.has(1, 50, mono + 5), true);
  }));
});
