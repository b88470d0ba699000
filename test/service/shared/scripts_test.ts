/** What runs in the store, in a real Redis: it comes to what test/vectors/shared.json says, byte for byte. */

import { assertEquals, assertRejects } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import type { StoreConnection } from "../../../lib/host/shared_stores.ts";
import { openStore } from "../../../lib/host/node/store.ts";
import { parseStorePlace } from "../../../lib/core/net/store_place.ts";
import { StoreCalls } from "../../../lib/service/shared/store_calls.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { newShared, readShared, registerEnd } from "../../../lib/wire/shared/record.ts";
import vectors from "../../vectors/shared.json" with { type: "json" };
import { testWith } from "../../support/program.ts";
import { Redis } from "../../support/redis.ts";

const GROUP = 7;
const PEERS = "{wgsig}:peers:7";
const ID = Uint8Array.from({ length: 32 }, (_, i) => i);
const TIMEOUT = 10;
const NEEDS = ["redis-server"];

async function connect(redis: Redis): Promise<StoreConnection> {
  return await openStore({
    place: parseStorePlace(redis.url)!,
    user: undefined,
    password: undefined,
    authority: undefined,
    timeout: TIMEOUT,
    stop: new Promise(() => {}),
    onEnd: () => {},
  });
}

function callsOf(store: number): StoreCalls {
  return new StoreCalls((bytes) => bytes.fill(store));
}

async function stored(store: StoreConnection): Promise<string> {
  const reply = await store.call(["HGET", PEERS, ID], TIMEOUT);
  return reply instanceof Uint8Array ? encodeHex(reply) : "";
}

testWith(
  NEEDS,
  "the script merges records as the vectors say, and tells of what has changed",
  async () => {
    await using redis = await Redis.start();
    const store = await connect(redis);
    const calls = callsOf(1);
    const { id, last } = await calls.greet(store, 60);
    assertEquals([id, last], ["01".repeat(16), ""]);
    assertEquals((await calls.greet(store, 60)).evicts, false);
    await store.call(["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"], TIMEOUT);
    assertEquals((await calls.greet(store, 60)).evicts, true);
    let place = "0-0";
    for (const { name, stored: before, incoming, record, changed } of vectors.merges) {
      await store.call(["DEL", PEERS], TIMEOUT);
      if (before !== "") await store.call(["HSET", PEERS, ID, decodeHex(before)], TIMEOUT);
      const write = { group: GROUP, records: [{ id: ID, record: decodeHex(incoming) }] };
      const { changed: count, wasEmpty } = (await calls.write(store, id, write))!;
      assertEquals(wasEmpty, before === "", name);
      assertEquals(await stored(store), record, name);
      assertEquals(count, changed === "" ? 0 : 1, name);
      if (changed === "") continue;
      const read = await calls.read(store, place);
      assertEquals(read.changes.length, 1, name);
      const [{ group, peers } = { group: -1, peers: [] }] = read.changes;
      assertEquals(group, GROUP);
      assertEquals(peers.map((peer) => [encodeHex(peer.id), encodeHex(peer.record)]), [[
        encodeHex(ID),
        changed,
      ]], name);
      place = read.last ?? place;
    }
    store.close();
  },
);

testWith(NEEDS, "several peers go into one write, and into one entry of the stream", async () => {
  await using redis = await Redis.start();
  const store = await connect(redis);
  const calls = callsOf(1);
  const { id } = await calls.greet(store, 60);
  const record = decodeHex(vectors.merges[0]!.incoming);
  const ids = Array.from({ length: 256 }, (_, i) => ID.map((byte, at) => at === 0 ? i : byte));
  const write = { group: GROUP, records: ids.map((id) => ({ id, record })) };
  assertEquals((await calls.write(store, id, write))?.changed, 256);
  assertEquals((await calls.write(store, id, write))?.changed, 0);
  const { changes } = await calls.read(store, "0-0");
  assertEquals(changes.map(({ peers }) => peers.map(({ id }) => encodeHex(id))), [
    ids.map((id) => encodeHex(id)),
  ]);
  const seen = new Set<string>();
  for (let cursor = "0", first = true; first || cursor !== "0"; first = false) {
    const piece = await calls.scan(store, GROUP, cursor);
    for (const { id, record: found } of piece.peers) {
      seen.add(encodeHex(id));
      assertEquals(found, Uint8Array.from(record));
    }
    cursor = piece.cursor;
  }
  assertEquals(seen.size, 256);
  store.close();
});

testWith(NEEDS, "only who was heard nowhere since is forgotten", async () => {
  await using redis = await Redis.start();
  const store = await connect(redis);
  const calls = callsOf(1);
  const { id } = await calls.greet(store, 60);
  // Of one second and another: one register was heard at 1700000000.25, one at 1700000000.5.
  const both = vectors.merges.find(({ name }) => name === "a later one and another one")!;
  const record = decodeHex(both.record);
  await calls.write(store, id, { group: GROUP, records: [{ id: ID, record }] });
  const other = ID.toReversed();
  await calls.forget(store, { group: GROUP, notHeardSince: 1_700_000_001.25, ids: [other, ID] });
  assertEquals(await stored(store), both.record, "it was heard after that");
  await calls.forget(store, { group: GROUP, notHeardSince: 1_700_000_001.75, ids: [other, ID] });
  assertEquals(await stored(store), "");
  assertEquals(await store.call(["EXISTS", PEERS], TIMEOUT), 0);
  store.close();
});

testWith(NEEDS, "nobody is forgotten whom another registry keeps for longer", async () => {
  await using redis = await Redis.start();
  const store = await connect(redis);
  const [short, long] = [callsOf(1), callsOf(2)];
  const { id, time } = await short.greet(store, 10);
  await long.greet(store, 3600);
  await short.greet(store, 10);
  const record = decodeHex(vectors.merges[0]!.incoming);
  // Its one register was heard a minute ago.
  new DataView(record.buffer).setFloat64(2 + 12, time - 60);
  const write = { group: GROUP, records: [{ id: ID, record }] };
  const gone = { group: GROUP, notHeardSince: time - 10, ids: [ID] };
  await long.write(store, id, write);
  await short.forget(store, gone);
  assertEquals(await stored(store), encodeHex(record));
  // The other one is gone for good.
  await store.call(["DEL", "{wgsig}:max-age"], TIMEOUT);
  await short.greet(store, 10);
  await short.forget(store, gone);
  assertEquals(await stored(store), "");
  await store.call(["DEL", "{wgsig}:max-age"], TIMEOUT);
  await store.call(["RPUSH", "{wgsig}:max-age", "something else"], TIMEOUT);
  await long.greet(store, 3600);
  store.close();
});

testWith(NEEDS, "nothing is written to a store that has become another one", async () => {
  await using redis = await Redis.start();
  const store = await connect(redis);
  const { id } = await callsOf(1).greet(store, 60);
  assertEquals((await callsOf(2).greet(store, 60)).id, id, "the first one names it");
  await store.call(["FLUSHALL"], TIMEOUT);
  const record = decodeHex(vectors.merges[0]!.incoming);
  const write = { group: GROUP, records: [{ id: ID, record }] };
  assertEquals(await callsOf(1).write(store, id, write), undefined);
  assertEquals(await stored(store), "");
  assertEquals((await callsOf(2).greet(store, 60)).id, "02".repeat(16));
  store.close();
});

testWith(NEEDS, "scripts that the store has forgotten are sent again", async () => {
  await using redis = await Redis.start();
  const store = await connect(redis);
  const calls = callsOf(1);
  const { id } = await calls.greet(store, 60);
  await store.call(["SCRIPT", "FLUSH"], TIMEOUT);
  const record = decodeHex(vectors.merges[0]!.incoming);
  const write = { group: GROUP, records: [{ id: ID, record }] };
  assertEquals((await calls.write(store, id, write))?.changed, 1);
  store.close();
});

testWith(
  NEEDS,
  "changes of more than two minutes ago are dropped from the stream, later ones are not",
  async () => {
    await using redis = await Redis.start();
    const store = await connect(redis);
    const calls = callsOf(1);
    const { id, time } = await calls.greet(store, 60);
    const add = (age: number, many: number) =>
      Promise.all(Array.from({ length: many }, (_, i) =>
        store.call(
          ["XADD", "{wgsig}:changes", `${Math.round((time - age) * 1000)}-${i}`, "g", "7"],
          TIMEOUT,
        )));
    await add(600, 1000);
    await add(100, 10);
    const record = decodeHex(vectors.merges[0]!.incoming);
    await calls.write(store, id, { group: GROUP, records: [{ id: ID, record }] });
    const left = await store.call(["XLEN", "{wgsig}:changes"], TIMEOUT);
    // A stream drops whole nodes, of some 100.
    assertEquals(typeof left === "number" && left >= 11 && left < 200, true, `${left} are left`);
    const { last } = await calls.greet(store, 60);
    assertEquals((await calls.read(store, last)).last, undefined, "it waits, and nothing comes");
    store.close();
  },
);

testWith(NEEDS, "where a change can't be told of, nothing is written", async () => {
  await using redis = await Redis.start();
  const store = await connect(redis);
  const calls = callsOf(1);
  const { id } = await calls.greet(store, 60);
  await store.call(["SET", "{wgsig}:changes", "something else"], TIMEOUT);
  const record = decodeHex(vectors.merges[0]!.incoming);
  const write = { group: GROUP, records: [{ id: ID, record }] };
  await assertRejects(() => calls.write(store, id, write), Error, "WRONGTYPE");
  assertEquals(await stored(store), "");
  await store.call(["DEL", "{wgsig}:changes"], TIMEOUT);
  assertEquals((await calls.write(store, id, write))?.changed, 1);
  store.close();
});

testWith(
  NEEDS,
  "what stays though something else was given is said, and replaced by name alone",
  async () => {
    await using redis = await Redis.start();
    const store = await connect(redis);
    const calls = callsOf(1);
    const { id } = await calls.greet(store, 60);
    let kept = 0;
    for (const { name, stored: before, incoming, record, changed } of vectors.merges) {
      // Alone, it is written as it is.
      await store.call(["DEL", PEERS], TIMEOUT);
      await calls.write(store, id, {
        group: GROUP,
        records: [{ id: ID, record: decodeHex(incoming) }],
      });
      const alone = await stored(store);
      if (before === "" || before.length % 2 !== 0) continue;
      await store.call(["HSET", PEERS, ID, decodeHex(before)], TIMEOUT);
      const mine = { id: ID, record: decodeHex(incoming) };
      const outcome = await calls.write(store, id, { group: GROUP, records: [mine] });
      if (changed !== "" || outcome?.kept.length === 0) continue;
      kept++;
      assertEquals(outcome?.kept.map((peer) => encodeHex(peer.record)), [record], name);
      const macs = macsOf(decodeHex(before));
      const other = { ...mine, wrong: macs.map((byte) => byte ^ 1) };
      assertEquals((await calls.write(store, id, { group: GROUP, records: [other] }))?.changed, 0);
      const right = { ...mine, wrong: macs };
      assertEquals((await calls.write(store, id, { group: GROUP, records: [right] }))?.changed, 1);
      assertEquals(await stored(store), alone, name);
    }
    assertEquals(kept > 1, true, `${kept}`);
    store.close();
  },
);

function macsOf(record: Uint8Array): Uint8Array {
  const shared = newShared();
  const buffer = new WireBuffer(record);
  assertEquals(readShared(buffer, 0, record.length, shared), true);
  const macs = [...shared.places].filter((at) => at >= 0).flatMap((at) => {
    const end = registerEnd(buffer, at);
    return [...record.subarray(end - 16, end)];
  });
  return Uint8Array.from(macs);
}
