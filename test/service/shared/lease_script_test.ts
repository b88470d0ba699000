/** What decides of leases in a real Redis, against the slow and readable one. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatLeaseCidr } from "../../../lib/core/lease/address.ts";
import { encodeClaim } from "../../../lib/core/lease/server/claim_codec.ts";
import type {
  ClaimCursor,
  ClaimKind,
  ClaimLog,
  ClaimScan,
  LeaseClaim,
  SharedLease,
} from "../../../lib/core/lease/server/claims.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { parseStorePlace } from "../../../lib/core/net/store_place.ts";
import { openStore } from "../../../lib/host/node/store.ts";
import type { StoreConnection } from "../../../lib/host/shared_stores.ts";
import { LeaseCalls } from "../../../lib/service/shared/lease_calls.ts";
import { CLAIM, LEASE_KEYS } from "../../../lib/service/shared/lease_script.ts";
import { ClaimTwin } from "../../core/lease/server/claim_twin.ts";
import { idOf } from "../../support/fake_random.ts";
import { testWith } from "../../support/program.ts";
import { Redis } from "../../support/redis.ts";

const NEEDS = ["redis-server"];
const START = 1_700_000_000;
const READERS = ["reader 0", "reader 1", "reader 2"];
const CLOCK = "local time = redis.call('TIME')\nlocal now = time[1] + time[2] / 1000000";
const FAKE_CLOCK = "local now = tonumber(redis.call('GET', 'now'))";

async function open(redis: Redis): Promise<StoreConnection> {
  return await openStore({
    place: parseStorePlace(redis.url)!,
    user: undefined,
    password: undefined,
    authority: undefined,
    timeout: 5,
    stop: new Promise(() => {}),
    onEnd: () => {},
  });
}

/** The same connection, on which the script has the time that the test says. */
function withFakeClock(store: StoreConnection): StoreConnection {
  assert(CLAIM.includes(CLOCK));
  return {
    call: (command, timeout) => {
      const all = command.map((each) => each === CLAIM ? CLAIM.replace(CLOCK, FAKE_CLOCK) : each);
      return store.call(all, timeout);
    },
    close: () => store.close(),
  };
}

const claim = fc.record({
  kind: fc.constantFrom<ClaimKind>("any", "exact", "exact", "put-back", "release", "hold"),
  publicKey: fc.integer({ min: 0, max: 3 }).map((i) => formatKey(idOf(i))),
  address: fc.oneof(
    fc.bigInt({ min: 1n, max: 4n }).map((i) => ({ family: 4 as const, value: 0x0a14_0000n + i })),
    fc.bigInt({ min: 1n, max: 3n }).map((i) => ({
      family: 6 as const,
      value: (0xfdn << 120n) + i,
    })),
  ),
  time: fc.integer({ min: 1, max: 40 }),
});
const event = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      reader: fc.nat(2),
      claims: fc.array(claim, { maxLength: 3 }),
      isTaken: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 25 }) },
  { weight: 1, arbitrary: fc.constantFrom("lose" as const, "leave" as const, "late" as const) },
);

function said({ at, cursor: { count }, entries, hasMore, isGap, isYoung }: ClaimLog) {
  return { at, count, entries: entries.map(lineOf), hasMore, isGap, isYoung };
}

function lineOf({ publicKey, address, ends, isReleased }: SharedLease): string {
  return `${publicKey} ${formatLeaseCidr(address)} ${ends} ${isReleased}`;
}

function isLog(said: ClaimLog | ClaimScan): said is ClaimLog {
  return said.kind === "claim-log";
}

/** Asks both; returns what the real one says, which is what the slow one does. */
testWith(NEEDS, "leases: the script does as the slow one, whatever is claimed when", async () => {
  await using redis = await Redis.start();
  const real = await open(redis);
  const store = withFakeClock(real);
  let granted = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 60 }), async (events) => {
        await real.call(["FLUSHALL"], 5);
        const twin = new ClaimTwin(START);
        let tables = 0;
        const calls = READERS.map((name) =>
          new LeaseCalls(new TextEncoder().encode(name), () => `table ${tables++}`)
        );
        const cursors: { real?: ClaimCursor; twin?: ClaimCursor }[] = READERS.map(() => ({}));
        for (const what of events) {
          if (typeof what === "number") twin.now += what;
          else if (what === "lose") {
            twin.lose();
            await real.call(["DEL", LEASE_KEYS[4]!], 5);
          } else if (what === "leave") {
            twin.leave(READERS[0]!);
            await calls[0]!.leave(real);
          }
          if (typeof what !== "object" && what !== "late") continue;
          await real.call(["SET", "now", `${twin.now}`], 5);
          const { reader, claims, isTaken } = what === "late"
            ? { reader: 0, claims: [], isTaken: true }
            : what;
          const by = twin.now + (what === "late" ? -1 : 3);
          const cursor = cursors[reader]!;
          const after = cursor.real && { ...cursor.real, isTaken };
          const isFirst = after === undefined;
          const ask: { readonly claims: readonly LeaseClaim[]; readonly by: number } = {
            claims: isFirst ? [] : claims,
            by: isFirst ? Infinity : by,
          };
          const answer = await calls[reader]!.do(store, { kind: "claim", after, ...ask });
          assert(isLog(answer));
          const slow = twin.claim(
            READERS[reader]!,
            cursor.twin && { ...cursor.twin, isTaken },
            ask.claims,
            ask.by,
          );
          assertEquals(said(answer), said(slow));
          cursors[reader] = answer.isGap ? {} : { real: answer.cursor, twin: slow.cursor };
          granted += answer.entries.length;
          // The table is the same, but for what has ended and was removed.
          const table = await calls[reader]!.do(real, { kind: "scan-claims", from: "0" });
          const isOn = ({ ends }: SharedLease) => ends > twin.now;
          assertEquals(
            table.entries.filter(isOn).map(lineOf).sort(),
            twin.scan("0").entries.filter(isOn).map(lineOf).sort(),
          );
        }
      }),
      { numRuns: 150 },
    );
    assert(granted > 500, `${granted}`);
  } finally {
    real.close();
  }
});

testWith(
  NEEDS,
  "leases: a store that is full or has lost a part says so, and has all or nothing",
  async () => {
    await using redis = await Redis.start();
    const store = await open(redis);
    try {
      const calls = new LeaseCalls(new Uint8Array(8), () => "table");
      const ask = async (after: ClaimCursor | undefined, claims: readonly LeaseClaim[]) => {
        const start = after && { ...after, isTaken: true };
        const log = await calls.do(store, { kind: "claim", after: start, claims, by: Infinity });
        assert(isLog(log));
        return log;
      };
      const address = { family: 4 as const, value: 0x0a14_0001n };
      const publicKey = formatKey(idOf(1));
      const wish = { kind: "put-back", publicKey, address, time: 60 } as const;
      assertEquals(encodeClaim({ ...wish, publicKey: "none" }), undefined);
      const first = await ask(undefined, []);
      await store.call(["CONFIG", "SET", "maxmemory", "1"], 5);
      let why = "";
      await ask(first.cursor, [wish]).catch((error) => why = error.message);
      assert(why.includes("OOM"), why);
      await store.call(["CONFIG", "SET", "maxmemory", "0"], 5);
      const second = await ask(first.cursor, [wish]);
      assertEquals(second.entries.map(({ publicKey }) => publicKey), [publicKey]);
      assert(second.isYoung && !second.isGap);
      // One key alone was evicted.
      await store.call(["DEL", LEASE_KEYS[2]!], 5);
      assert((await ask(second.cursor, [])).isGap);
      const table = await calls.do(store, { kind: "scan-claims", from: "0" });
      assertEquals(table.entries.length, 0);
    } finally {
      store.close();
    }
  },
);
