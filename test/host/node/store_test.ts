/** Connections to a real Redis: what they say where it refuses, hangs, goes, or is another one. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { errorCode } from "../../../lib/host/error.ts";
import { openStore } from "../../../lib/host/node/store.ts";
import {
  type StoreConnection,
  type StoreOptions,
  StoreRefusal,
} from "../../../lib/host/shared_stores.ts";
import { parseStorePlace } from "../../../lib/core/net/store_place.ts";
import { testWith } from "../../support/program.ts";
import { freeTcpPort, Redis } from "../../support/redis.ts";

const TIMEOUT = 10;
const NEEDS = ["redis-server"];
const never = new Promise<void>(() => {});

function optionsFor(url: string, rest: Partial<StoreOptions> = {}): StoreOptions {
  return {
    place: parseStorePlace(url)!,
    user: undefined,
    password: undefined,
    authority: undefined,
    timeout: TIMEOUT,
    stop: never,
    onEnd: () => {},
    ...rest,
  };
}

function textOf(reply: unknown): string {
  return reply instanceof Uint8Array ? new TextDecoder().decode(reply) : String(reply);
}

/** What opening, or else the first command, fails with. */
async function failureOf(open: Promise<StoreConnection>): Promise<unknown> {
  try {
    const store = await open;
    try {
      await store.call(["GET", "x"], TIMEOUT);
    } finally {
      store.close();
    }
  } catch (error) {
    return error;
  }
  return undefined;
}

testWith(NEEDS, "bytes come back as they were, numbers, lists and nothing as well", async () => {
  await using redis = await Redis.start();
  const store = await openStore(optionsFor(`${redis.url}/2`));
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const [set, got, missing, count, list] = await Promise.all([
    store.call(["SET", bytes, bytes], TIMEOUT),
    store.call(["GET", bytes], TIMEOUT),
    store.call(["GET", "none"], TIMEOUT),
    store.call(["STRLEN", bytes], TIMEOUT),
    store.call(["EVAL", "return {1, {ARGV[1]}}", "0", bytes], TIMEOUT),
  ]);
  assertEquals([textOf(set), got, missing, count, list], ["OK", bytes, null, 256, [1, [bytes]]]);
  const refusal = await assertRejects(
    () => store.call(["LPUSH", bytes, "x"], TIMEOUT),
    StoreRefusal,
  );
  assert(refusal instanceof Error && refusal.message.startsWith("WRONGTYPE "));
  store.close();
  assertEquals(await redis.call("GET", bytes), null, "it was another database");
});

testWith(NEEDS, "a store that goes is told of once, and what is on its way fails", async () => {
  await using redis = await Redis.start();
  const ends: string[] = [];
  let tell = () => {};
  const ended = new Promise<void>((done) => tell = done);
  const onEnd = (why: string) => {
    ends.push(why);
    tell();
  };
  const store = await openStore(optionsFor(redis.url, { onEnd }));
  const waiting = store.call(["BLPOP", "none", "0"], TIMEOUT).catch(errorCode);
  await redis.kill();
  assertEquals(await waiting, "ECONNRESET");
  await ended;
  assertEquals(ends, ["ECONNRESET"]);
  assertEquals(await store.call(["PING"], TIMEOUT).catch(errorCode), "ECONNRESET");
  store.close();
  assertEquals(errorCode(await failureOf(openStore(optionsFor(redis.url)))), "ECONNREFUSED");
  assertEquals(ends.length, 1);
});

testWith(
  NEEDS,
  "a store that hangs is given up in time, and so is what is of no use any more",
  async () => {
    await using redis = await Redis.start({ args: ["--requirepass", "hush"], password: "hush" });
    const ends: string[] = [];
    const onEnd = (why: string) => ends.push(why);
    const store = await openStore(optionsFor(redis.url, { password: "hush", onEnd }));
    redis.signal("SIGSTOP");
    assertEquals(await store.call(["PING"], 0.2).catch(errorCode), "ETIMEDOUT");
    const opening = openStore(optionsFor(redis.url, { password: "hush", timeout: 0.2, onEnd }));
    assertEquals(errorCode(await failureOf(opening)), "ETIMEDOUT");
    let stop = () => {};
    const stopped = openStore(
      optionsFor(redis.url, { password: "hush", stop: new Promise((done) => stop = done), onEnd }),
    );
    stop();
    assertEquals(errorCode(await failureOf(stopped)), "ECONNABORTED");
    redis.signal("SIGCONT");
    store.close();
    store.close();
    assertEquals(ends, [], "whoever closes it knows that");
  },
);

testWith(NEEDS, "a password that is missing or wrong is the store's refusal", async () => {
  await using redis = await Redis.start({ args: ["--requirepass", "hush"], password: "hush" });
  for (const [password, word] of [[undefined, "NOAUTH"], ["wrong", "WRONGPASS"]] as const) {
    const error = await failureOf(openStore(optionsFor(redis.url, { password })));
    assert(error instanceof StoreRefusal && error.message.startsWith(word), String(error));
  }
  assertEquals(await failureOf(openStore(optionsFor(redis.url, { password: "hush" }))), undefined);
});

testWith(
  NEEDS,
  "a sentinel is asked which server is the one, the next where the first is away",
  async () => {
    await using redis = await Redis.start();
    await redis.call("SET", "who", "primary");
    const folder = await Deno.makeTempDir({ prefix: "wgsig-sentinel-" });
    await Deno.writeTextFile(
      `${folder}/sentinel.conf`,
      `sentinel monitor main 127.0.0.1 ${redis.port} 1\n`,
    );
    {
      await using sentinel = await Redis.startSentinel(`${folder}/sentinel.conf`);
      const dead = freeTcpPort();
      const url = `redis+sentinel://127.0.0.1:${dead},127.0.0.1:${sentinel.port}`;
      const store = await openStore(optionsFor(`${url}/main`));
      assertEquals(textOf(await store.call(["GET", "who"], TIMEOUT)), "primary");
      store.close();
      const error = await failureOf(openStore(optionsFor(`${url}/other`)));
      assertEquals(errorCode(error), "its sentinel knows of no other");
    }
    await Deno.remove(folder, { recursive: true });
  },
);

testWith(NEEDS, "in a cluster, the server that has the slot is found", async () => {
  const args = ["--cluster-enabled", "yes", "--cluster-port"];
  await using one = await Redis.start({ args: [...args, `${freeTcpPort()}`] });
  const busPort = freeTcpPort();
  await using two = await Redis.start({ args: [...args, `${busPort}`] });
  // The slot of all keys of wgsig is the second one's.
  const slot = Number(await one.call("CLUSTER", "KEYSLOT", "{wgsig}:id"));
  const ranges = [["0", `${slot - 1}`], [`${slot + 1}`, "16383"]].flat();
  await one.call("CLUSTER", "ADDSLOTSRANGE", ...ranges);
  await two.call("CLUSTER", "ADDSLOTS", `${slot}`);
  await one.call("CLUSTER", "SET-CONFIG-EPOCH", "1");
  await two.call("CLUSTER", "SET-CONFIG-EPOCH", "2");
  await one.call("CLUSTER", "MEET", "127.0.0.1", `${two.port}`, `${busPort}`);
  const until = performance.now() + 30_000;
  for (const each of [one, two]) {
    while (!textOf(await each.call("CLUSTER", "INFO")).includes("cluster_state:ok")) {
      assert(performance.now() < until, "the cluster doesn't come up");
      await new Promise((done) => setTimeout(done, 50));
    }
  }
  const store = await openStore(optionsFor(`redis+cluster://127.0.0.1:${one.port}`));
  assertEquals(textOf(await store.call(["SET", "{wgsig}:id", "x"], TIMEOUT)), "OK");
  store.close();
  assertEquals(textOf(await two.call("GET", "{wgsig}:id")), "x");
});

/** A server that says the same to whatever it is asked. */
function sayer(
  hostname: string,
  answer: string,
): { readonly port: number; close(): Promise<void> } {
  const listener = Deno.listen({ hostname, port: 0 });
  const connections: Deno.Conn[] = [];
  const serving = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      const buffer = new Uint8Array(4096);
      // A command comes in one piece here.
      void (async () => {
        while (await connection.read(buffer) !== null) {
          await connection.write(new TextEncoder().encode(answer));
        }
      })().catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    close: async () => {
      listener.close();
      await serving;
      for (const each of connections) each.close();
    },
  };
}

Deno.test("a server of a cluster names another one by its IPv6 address, or by a port alone", async () => {
  const there = sayer("::1", "$5\r\nthere\r\n");
  const here = sayer("127.0.0.1", "$4\r\nhere\r\n");
  const cases = [
    [`-MOVED 7 ::1:${there.port}\r\n`, "there"],
    [`-MOVED 7 :${here.port}\r\n`, "here"],
    ["-MOVED 7 ::1:0\r\n", "it names a server that has no port"],
    ["-MOVED 7 ::1:70000\r\n", "it names a server that has no port"],
  ] as const;
  for (const [answer, expected] of cases) {
    const asked = sayer("127.0.0.1", answer);
    const url = `redis+cluster://127.0.0.1:${asked.port}`;
    try {
      const store = await openStore(optionsFor(url));
      assertEquals(textOf(await store.call(["GET", "x"], TIMEOUT)), expected);
      store.close();
    } catch (error) {
      assertEquals(errorCode(error), expected);
    }
    await asked.close();
  }
  await there.close();
  await here.close();
});

Deno.test("a sentinel that names no port is no help", async () => {
  const sentinel = sayer("127.0.0.1", "*2\r\n$3\r\n::1\r\n$1\r\nx\r\n");
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/main`;
  const error = await failureOf(openStore(optionsFor(url)));
  assertEquals(errorCode(error), "it names a server that has no port");
  await sentinel.close();
});
