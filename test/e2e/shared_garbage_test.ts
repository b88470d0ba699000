/** What registries make of a store in which others have written what they shouldn't have. */

import { assert, assertEquals } from "@std/assert";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import {
  FIRST_REGISTER,
  PROVED_REGISTER,
  REGISTER,
  REGISTER_CONTENT,
  REGISTER_FLAGS,
  REGISTER_HEARD,
  REGISTER_SIZE,
  registerEnd,
  ROW_SIZE,
  SHARED_FORMAT,
} from "../../lib/wire/shared/record.ts";
import { StoreKey } from "../../lib/wire/shared/store_key.ts";
import { writeLabel } from "../../lib/wire/wgsig/tai64n.ts";
import { testWith } from "../support/program.ts";
import { Redis } from "../support/redis.ts";
import { randomBytes, Scene, type Served, until } from "./scene.ts";
import {
  agree,
  Crowd,
  isSameKnown,
  Looker,
  lookIntoStore,
  sharedArgs,
  sharing,
} from "./shared_scene.ts";

const NEEDS = ["redis-server"];

const PEERS = "{wgsig}:peers:0";
const CHANGES = "{wgsig}:changes";

function lines({ running }: Served, event: string): number {
  return running.out.split(` ${event} `).length - 1;
}

/** Bytes of a size that is often next to the one that something should have. */
function garbage(): Uint8Array {
  const sizes = [0, 1, 2, 31, 32, 33, 34, 45, 46, 60, 200, 1000];
  const bytes = randomBytes(sizes[Math.floor(Math.random() * sizes.length)]!);
  if (Math.random() < 0.5 && bytes.length > 2) bytes.set([1, 1 + bytes[1]! % 7]);
  return bytes;
}

/** A record of where a peer is, proved, as somebody makes it who has another key. */
function forged(id: Uint8Array, seconds: number): Uint8Array {
  const key = new StoreKey(new ExchangeKey(randomBytes(32), PORTABLE), PORTABLE);
  const record = new WireBuffer(FIRST_REGISTER + REGISTER_CONTENT + ROW_SIZE + 16);
  const at = FIRST_REGISTER;
  record.bytes.set([SHARED_FORMAT, REGISTER.row]);
  writeLabel(record, at, { seconds, nanoseconds: 0 });
  record.view.setFloat64(at + REGISTER_HEARD, Date.now() / 1000);
  record.bytes[at + REGISTER_FLAGS] = PROVED_REGISTER;
  record.bytes[at + REGISTER_SIZE] = ROW_SIZE;
  record.bytes.set([192, 0, 2, 66, 0, 66], at + REGISTER_CONTENT);
  key.seal(0, new WireBuffer(id), 0, REGISTER.row, record, at);
  assertEquals(registerEnd(record, at), record.size);
  return record.bytes;
}

/** A record as a change tells of it. */
function changed(id: Uint8Array, record: Uint8Array): Uint8Array {
  return Uint8Array.from([...id, record.length >> 8, record.length & 255, ...record]);
}

testWith(NEEDS, "garbage in the store is passed over, and stops nothing", async () => {
  await using redis = await Redis.start();
  await using scene = await Scene.open();
  const served = await sharing(scene, [redis.url, redis.url]);
  const ports = served.map(({ port }) => port);
  const crowd = new Crowd(scene);
  const looker = new Looker(scene);
  await crowd.join(ports[0]!, 3, 3);
  await agree(looker, ports, crowd.known);
  for (let i = 0; i < 150; i++) {
    await redis.call("HSET", PEERS, garbage(), garbage());
    await redis.call("HSET", PEERS, randomBytes(32), garbage());
    await redis.call("XADD", CHANGES, "*", "w", garbage(), "g", "0", "r", garbage());
    await redis.call("XADD", CHANGES, "*", garbage(), garbage());
    const change = changed(randomBytes(32), garbage());
    await redis.call("XADD", CHANGES, "*", "w", "x", "g", "0", "r", change);
  }
  const large = new Uint8Array(8_000_000).fill(1);
  await redis.call("HSET", PEERS, randomBytes(32), large);
  for (const group of ["", "-1", "7", "1e99", "4294967296", "nan"]) {
    const change = changed(randomBytes(32), garbage());
    await redis.call("XADD", CHANGES, "*", "w", "x", "g", group, "r", change);
  }
  await redis.call("XADD", CHANGES, "*", "g", "0", "r", large);
  // What comes after it is heard, and who starts reads what is right.
  for (const port of ports) await crowd.join(port, 2, 2);
  const third = await scene.serve(await sharedArgs(scene, redis.url));
  await agree(looker, [...ports, third.port], crowd.known);
  for (const each of [...served, third]) {
    assertEquals(lines(each, "store-gone"), 0);
    assert((await each.counters())["shared-damaged"]! > 0, "it isn't counted");
  }
});

testWith(
  NEEDS,
  "who has another key can't forge a proof, nor keep from others what is right",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const served = await sharing(scene, [redis.url, redis.url]);
    const ports = served.map(({ port }) => port);
    const crowd = new Crowd(scene);
    const looker = new Looker(scene);
    await crowd.join(ports[0]!, 2, 2);
    const moving = scene.peer();
    await moving.ask(ports[0]!);
    crowd.known.set(moving.publicKey, moving.endpoint);
    await agree(looker, ports, crowd.known, { redis });
    const ids = [...crowd.known.keys()].map((key) => Uint8Array.fromBase64(key));
    const soon = Math.floor(Date.now() / 1000) + 20;
    const nobody = randomBytes(32);
    for (const id of [...ids, nobody]) {
      const record = forged(id, soon);
      await redis.call("HSET", PEERS, id, record);
      await redis.call("XADD", CHANGES, "*", "w", "x", "g", "0", "r", changed(id, record));
    }
    for (const each of served) {
      await until("it is counted", async () => {
        return ((await each.counters())["shared-bad-mac"] ?? 0) >= ids.length || undefined;
      });
      assertEquals(lines(each, "store-records-refused"), 1);
    }
    // What is right takes its place; of whom nobody knows, it stays, and is passed over.
    const third = await scene.serve(await sharedArgs(scene, redis.url));
    const all = [...ports, third.port];
    await agree(looker, all, crowd.known);
    await until("the forged records are replaced", async () => {
      const inStore = new Map(await lookIntoStore(redis));
      inStore.delete(nobody.toBase64());
      return isSameKnown(inStore, crowd.known) || undefined;
    });

    // Nobody is told of this one: it is found when there is something to be written.
    await redis.call("HSET", PEERS, moving.id, forged(moving.id, soon + 1));
    const elsewhere = scene.end();
    await elsewhere.send(moving.request(), ports[0]!);
    await elsewhere.next();
    crowd.known.set(moving.publicKey, elsewhere.endpoint);
    await agree(looker, all, crowd.known);
  },
);

for (
  const [key, command] of [
    [PEERS, ["SET", PEERS, "something else"]],
    [CHANGES, ["RPUSH", CHANGES, "something else"]],
    ["{wgsig}:id", ["RPUSH", "{wgsig}:id", "something else"]],
  ] as const
) {
  testWith(
    NEEDS,
    `something else under the name ${key}: said, and shared again once it is gone`,
    async () => {
      await using redis = await Redis.start();
      await using scene = await Scene.open();
      await redis.call(...command);
      const args = await sharedArgs(scene, redis.url, ["--store-start", "alone"]);
      const served = [await scene.serve(args), await scene.serve(args)];
      const ports = served.map(({ port }) => port);
      const crowd = new Crowd(scene);
      for (const each of served) {
        await crowd.join(each.port, 1, 1);
        await each.running.printed(/ warn store-gone .*something else's.*redis:\/\/HOST\/N/);
      }
      await redis.call("DEL", key);
      const looker = new Looker(scene);
      await agree(looker, ports, crowd.known, { redis });
      // The same while it is used.
      await redis.call("DEL", key);
      await redis.call(...command);
      for (const each of served) await crowd.join(each.port, 1, 1);
      const from = served.map(({ running }) => running.out.length);
      await served[0]!.running.printed(/something else's/);
      await redis.call("DEL", key);
      await agree(looker, ports, crowd.known, { redis });
      for (const [i, { running }] of served.entries()) {
        const said = running.out.slice(from[i]).split("\n").filter((line) =>
          line.includes(" warn ")
        );
        assert(said.length <= 3, `it is said again and again: ${said.join("\n")}`);
      }
    },
  );
}

testWith(NEEDS, "the data of a later release are left alone", async () => {
  await using redis = await Redis.start();
  await using scene = await Scene.open();
  await redis.call("MSET", "{wgsig}:id", "later", "{wgsig}:format", "2");
  const args = await sharedArgs(scene, redis.url, ["--store-start", "alone"]);
  const served = await scene.serve(args);
  const crowd = new Crowd(scene);
  await crowd.join(served.port, 2, 1);
  await served.running.printed(/ warn store-gone .*of a later release.*update/);
  await until("it has tried again", async () => {
    const stats = await redis.call("INFO", "commandstats");
    assert(stats instanceof Uint8Array);
    const [, calls] = /cmdstat_eval:calls=(\d+)/.exec(new TextDecoder().decode(stats)) ?? [];
    return Number(calls) >= 2 || undefined;
  });
  assertEquals(await redis.call("DBSIZE"), 2, "something was written");
  assertEquals(lines(served, "store-gone"), 1);
});

testWith(
  NEEDS,
  "a change from the far future stops nobody for longer than it is there",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const served = await sharing(scene, [redis.url, redis.url]);
    const ports = served.map(({ port }) => port);
    const crowd = new Crowd(scene);
    const looker = new Looker(scene);
    await crowd.join(ports[0]!, 1, 1);
    await agree(looker, ports, crowd.known, { redis });
    // No change can come after this one.
    const last = "18446744073709551615-18446744073709551615";
    await redis.call("XADD", CHANGES, last, "w", "x");
    const before = await callsOf(redis, "xread");
    for (const each of ports) await crowd.join(each, 1, 1);
    await served[0]!.running.printed(/ warn store-not-written .*exhausted/);
    const after = await callsOf(redis, "xread");
    assert(
      after - before < 100,
      `it is asked for changes again and again: ${after - before} times`,
    );
    // Who follows it finds that out at its next look: see test/core/shared/sharing_test.ts.
    await redis.call("DEL", CHANGES);
    await served[0]!.running.printed(/ info store-written-again /, 40);
  },
);

async function callsOf(redis: Redis, command: string): Promise<number> {
  const stats = await redis.call("INFO", "commandstats");
  assert(stats instanceof Uint8Array);
  const found = new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(new TextDecoder().decode(stats));
  return Number(found?.[1] ?? 0);
}
