/** What becomes of registries that share a store when that store, or the way to it, fails. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { say } from "../../scripts/tools.ts";
import { BINARY, testWith } from "../support/program.ts";
import { callAt, freeTcpPort, Redis } from "../support/redis.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { Scene, type Served, until } from "./scene.ts";
import { agree, Crowd, Looker, sharedArgs, sharing } from "./shared_scene.ts";

const NEEDS = ["redis-server"];

/** A replica needn't wait for others. */
const SYNC_AT_ONCE = ["--repl-diskless-sync-delay", "0"];

/** How often a line of an event was logged. */
function countOf({ running }: Served, event: string): number {
  return running.out.split(` ${event} `).length - 1;
}

async function gone({ running }: Served, from = 0): Promise<void> {
  await running.printed(/ warn store-gone store=\S+ why=.* effect="goes on with what is/, 30, from);
}

async function back({ running }: Served, from = 0): Promise<void> {
  await running.printed(/ info store-back store=\S+ away=/, 60, from);
}

testWith(
  NEEDS,
  "a store that is not there at the start: who waits ends by a signal, who needn't serves",
  async () => {
    await using scene = await Scene.open();
    const port = freeTcpPort();
    const url = `redis://127.0.0.1:${port}`;
    const args = await sharedArgs(scene, url);
    const listen = ["--listen", "127.0.0.1:0", "--secret", scene.secretFile];
    const waiting = scene.start([BINARY, "serve", ...listen, ...args]);
    const ending = scene.start([BINARY, "serve", ...listen, ...args]);
    const alone = await scene.serve([...args, "--store-start", "alone"]);
    const crowd = new Crowd(scene);
    await crowd.join(alone.port, 3, 3);
    for (const one of [waiting, ending]) await one.printed(/ warn store-waiting /);
    assertEquals(await ending.stop("SIGTERM"), 0);
    assert(!waiting.out.includes(" ready "), "it answers before it knows anything");

    await using redis = await Redis.start({ port });
    const [, other] = await waiting.printed(/listening.*127\.0\.0\.1:(\d+)[^]* ready /, 60);
    await agree(new Looker(scene), [alone.port, Number(other)], crowd.known, { redis });
  },
);

for (
  const [what, fail, mend] of [
    ["is killed, and comes back without what it had", async (redis: Redis) => {
      await redis.kill();
    }, async (redis: Redis) => {
      await redis.restart();
    }],
    ["hangs", (redis: Redis) => {
      redis.signal("SIGSTOP");
      return Promise.resolve();
    }, (redis: Redis) => {
      redis.signal("SIGCONT");
      return Promise.resolve();
    }],
  ] as const
) {
  testWith(
    NEEDS,
    `a store ${what}: what was registered meanwhile is at all registries afterwards`,
    async () => {
      await using redis = await Redis.start();
      await using scene = await Scene.open();
      const served = await sharing(scene, [redis.url, redis.url, redis.url]);
      const ports = served.map(({ port }) => port);
      const crowd = new Crowd(scene);
      const looker = new Looker(scene);
      for (const port of ports) await crowd.join(port, 2, 2);
      await agree(looker, ports, crowd.known, { redis });
      await fail(redis);
      for (const port of ports) await crowd.join(port, 2, 2);
      await Promise.all(served.map((each) => gone(each)));
      for (const port of ports) await crowd.join(port, 1, 1);
      await mend(redis);
      const ms = await agree(looker, ports, crowd.known, { redis });
      say(`a store ${what}: all agree ${(ms / 1000).toFixed(1)} s afterwards`);
      await Promise.all(served.map((each) => back(each)));
      for (const each of served) assertEquals(countOf(each, "store-gone"), 1, "it is told of once");
    },
  );
}

testWith(NEEDS, "a store that loses all while it is used has all again", async () => {
  await using redis = await Redis.start();
  await using scene = await Scene.open();
  const served = await sharing(scene, [redis.url, redis.url]);
  const ports = served.map(({ port }) => port);
  const crowd = new Crowd(scene);
  const looker = new Looker(scene);
  for (const port of ports) await crowd.join(port, 3, 3);
  await agree(looker, ports, crowd.known, { redis });
  await redis.call("FLUSHALL");
  // One of them writes, and so finds out; the other one looks every 15 s.
  await crowd.join(ports[0]!, 1, 0);
  await agree(looker, ports, crowd.known, { redis });
  await served[0]!.running.printed(/ warn store-emptied /);
});

testWith(
  NEEDS,
  "a split: registries that are cut off go on, and all agree when it is over",
  async () => {
    await using redis = await Redis.start();
    await using away = TcpProxy.before(redis.port);
    await using mute = TcpProxy.before(redis.port);
    await using scene = await Scene.open();
    const served = await sharing(scene, [redis.url, away.url, mute.url]);
    const ports = served.map(({ port }) => port);
    const crowd = new Crowd(scene);
    const looker = new Looker(scene);
    for (const port of ports) await crowd.join(port, 1, 1);
    await agree(looker, ports, crowd.known, { redis });
    // Nothing comes through to the one; the other's questions arrive, and no answer to them.
    away.hold();
    mute.hold("answers");
    for (const port of ports) await crowd.join(port, 2, 2);
    await Promise.all(served.slice(1).map((each) => gone(each)));
    assertEquals(countOf(served[0]!, "store-gone"), 0);
    // A peer moves from one that is cut off to one that isn't: the later word holds.
    const mover = scene.peer();
    await mover.ask(ports[1]!);
    const elsewhere = scene.end();
    await elsewhere.send(mover.request(), ports[0]!);
    await elsewhere.next();
    crowd.known.set(mover.publicKey, elsewhere.endpoint);
    away.heal();
    mute.heal();
    const ms = await agree(looker, ports, crowd.known, { redis });
    say(`after a split all agree ${(ms / 1000).toFixed(1)} s after it is healed`);
    await Promise.all(served.slice(1).map((each) => back(each)));
  },
);

testWith(NEEDS, "a store that is slow is used as it is", async () => {
  await using redis = await Redis.start();
  await using slow = TcpProxy.before(redis.port);
  await using scene = await Scene.open();
  const served = await sharing(scene, [redis.url, slow.url]);
  const ports = served.map(({ port }) => port);
  slow.delay = 2;
  const crowd = new Crowd(scene);
  for (const port of ports) await crowd.join(port, 3, 3);
  const ms = await agree(new Looker(scene), ports, crowd.known, { redis });
  say(`with 2 s more each way all agree after ${(ms / 1000).toFixed(1)} s`);
  assertEquals(countOf(served[1]!, "store-gone"), 0);
  assertEquals(await served[1]!.running.stop(), 0);
});

testWith(
  NEEDS,
  "a store that is full is said to be, read on, and written to once it has room",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const served = await sharing(scene, [redis.url, redis.url]);
    const ports = served.map(({ port }) => port);
    const crowd = new Crowd(scene);
    await crowd.join(ports[0]!, 2, 2);
    await agree(new Looker(scene), ports, crowd.known, { redis });
    await redis.call("CONFIG", "SET", "maxmemory", "1mb");
    for (const port of ports) await crowd.join(port, 2, 2);
    for (const { running } of served) {
      await running.printed(/ warn store-not-written .*why="the store is full".*maxmemory/);
    }
    for (const each of served) assertEquals(countOf(each, "store-gone"), 0);
    await redis.call("CONFIG", "SET", "maxmemory", "0");
    await agree(new Looker(scene), ports, crowd.known, { redis });
    for (const { running } of served) await running.printed(/ info store-written-again /);
  },
);

testWith(NEEDS, "a fail-over to a replica that lacks the last writes loses nothing", async () => {
  await using primary = await Redis.start({ args: SYNC_AT_ONCE });
  const follow = ["--replicaof", "127.0.0.1", `${primary.port}`];
  await using replica = await Redis.start({ args: follow });
  await using proxy = TcpProxy.before(primary.port);
  await using scene = await Scene.open();
  const served = await sharing(scene, [proxy.url, proxy.url]);
  const ports = served.map(({ port }) => port);
  const crowd = new Crowd(scene);
  const looker = new Looker(scene);
  for (const port of ports) await crowd.join(port, 2, 2);
  await agree(looker, ports, crowd.known, { redis: primary });
  await agree(looker, ports, crowd.known, { redis: replica });
  // What comes now doesn't get to the replica.
  replica.signal("SIGSTOP");
  for (const port of ports) await crowd.join(port, 2, 2);
  await agree(looker, ports, crowd.known, { redis: primary });
  await primary.kill();
  replica.signal("SIGCONT");
  // It is asked before it has become the primary: it takes nothing in.
  proxy.turnTo(replica.port);
  for (const port of ports) await crowd.join(port, 1, 1);
  for (const { running } of served) {
    await running.printed(
      / warn store-(?:gone|not-written) .*(?:replica|nothing listens|ended)/,
      30,
    );
  }
  await replica.call("REPLICAOF", "NO", "ONE");
  const ms = await agree(looker, ports, crowd.known, { redis: replica });
  say(`all agree ${(ms / 1000).toFixed(1)} s after a replica has become the primary`);
});

testWith(NEEDS, "a replica that is named as the store is said to be one", async () => {
  await using primary = await Redis.start({ args: SYNC_AT_ONCE });
  const follow = ["--replicaof", "127.0.0.1", `${primary.port}`];
  await using replica = await Redis.start({ args: follow });
  await using scene = await Scene.open();
  const [served] = await sharing(scene, [primary.url]);
  const crowd = new Crowd(scene);
  await crowd.join(served!.port, 2, 2);
  await agree(new Looker(scene), [], crowd.known, { redis: replica });
  // It can be read, and so is used.
  const args = await sharedArgs(scene, replica.url);
  const second = await scene.serve(args);
  await agree(new Looker(scene), [second.port], crowd.known);
  await crowd.join(second.port, 1, 1);
  await second.running.printed(/ warn store-not-written .*is a replica.*name the primary/);
  await crowd.join(served!.port, 1, 1);
  await until("it reads on", async () => {
    const known = await new Looker(scene).look(second.port);
    return known.size === crowd.known.size || undefined;
  }, 60);
  assertMatch(second.running.out, / store-connected /);
});

testWith(
  NEEDS,
  "sentinels that have another server take over: the registries go there, and lose nothing",
  async () => {
    await using primary = await Redis.start({ args: SYNC_AT_ONCE });
    const follow = ["--replicaof", "127.0.0.1", `${primary.port}`];
    await using replica = await Redis.start({ args: follow });
    await using scene = await Scene.open();
    const settings = await scene.file(
      "sentinel.conf",
      `sentinel monitor main 127.0.0.1 ${primary.port} 1\n` +
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 5000\n",
    );
    await using sentinel = await Redis.startSentinel(settings);
    const url = `redis+sentinel://127.0.0.1:${sentinel.port}/main`;
    const served = await sharing(scene, [url, url]);
    const ports = served.map(({ port }) => port);
    const crowd = new Crowd(scene);
    const looker = new Looker(scene);
    for (const port of ports) await crowd.join(port, 2, 2);
    await agree(looker, ports, crowd.known, { redis: replica });
    await until("the sentinel knows the replica", async () => {
      const replicas = await callAt(sentinel.port, ["SENTINEL", "REPLICAS", "main"]);
      return Array.isArray(replicas) && replicas.length === 1 || undefined;
    }, 30);
    await primary.kill();
    for (const port of ports) await crowd.join(port, 1, 1);
    const ms = await agree(looker, ports, crowd.known, { redis: replica });
    say(`all agree ${(ms / 1000).toFixed(1)} s after the primary was killed`);
    await Promise.all(served.map((each) => back(each)));
  },
);
