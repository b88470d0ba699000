/** What peers, and those who play back what peers have sent, bring about at registries that share a store. */

import { assert, assertEquals } from "@std/assert";
import { say } from "../../scripts/tools.ts";
import { otherClock } from "../support/faketime.ts";
import { testWith } from "../support/program.ts";
import { Redis } from "../support/redis.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { Asker } from "./asker.ts";
import { Scene, type Served, until } from "./scene.ts";
import { agree, Crowd, Looker, sharedArgs, sharing } from "./shared_scene.ts";

const NEEDS = ["redis-server"];

testWith(
  NEEDS,
  "a request that is played to another registry is refused there once its label is",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const served = await sharing(scene, [redis.url, redis.url]);
    const [here, there] = served.map(({ port }) => port) as [number, number];
    const looker = new Looker(scene);
    const known = new Map<string, string>();
    // How often it is heard that much later, as a figure.
    const heard: string[] = [];
    const asked: Uint8Array[] = [];
    for (const wait of [0, 1, 2, 5, 20]) {
      let count = 0;
      for (let i = 0; i < 6; i++) {
        const [peer, thief] = [scene.peer(), scene.end()];
        const request = peer.request();
        asked.push(request);
        await peer.send(request, here);
        await peer.answer();
        if (wait > 0) await new Promise((done) => setTimeout(done, wait));
        await thief.send(request, there);
        known.set(peer.publicKey, peer.endpoint);
        // Whether it was answered is seen as soon as the next one is.
        await scene.peer().ask(there, { flags: 3 });
        if ((await thief.drain()).length > 0) count++;
      }
      heard.push(`${count} of 6 after ${wait} ms`);
    }
    say(`a new peer's request is heard by another registry: ${heard.join(", ")}`);
    // Where it was heard before, that is put right.
    await agree(looker, [here, there], known, { redis });
    const other = scene.peer();
    known.set(other.publicKey, other.endpoint);
    for (const request of asked) await other.assertSilent(there, request);
    await agree(looker, [here, there], known, { redis });

    // What merely goes on isn't written; whoever plays it back is put right all the same.
    const peer = scene.peer();
    await peer.ask(here);
    known.set(peer.publicKey, peer.endpoint);
    await agree(looker, [here, there], known, { redis });
    const again = peer.request();
    await peer.send(again, here);
    await peer.answer();
    const thief = scene.end();
    await thief.send(again, there);
    await thief.next();
    const ms = await agree(looker, [here, there], known, { redis });
    say(`what a label that merely goes on was played back for is right after ${ms.toFixed(0)} ms`);
    await other.assertSilent(there, again);
  },
);

testWith(NEEDS, "a question that is played to another registry moves nobody", async () => {
  await using redis = await Redis.start();
  await using scene = await Scene.open();
  const served = await sharing(scene, [redis.url, redis.url]);
  const [here, there] = served.map(({ port }) => port) as [number, number];
  const looker = new Looker(scene);
  const known = new Map<string, string>();
  for (let number = 1; number <= 8; number++) {
    const asker = new Asker(scene, number);
    await asker.ask(here, { candidates: [`lan 192.168.1.2:${number}`] });
    known.set(asker.client.key, `${asker.end.endpoint} proved`);
    const thief = scene.end();
    for (const question of asker.sent) await thief.send(question, there);
    await thief.drain();
    assert((await looker.look(there)).get(asker.client.key) !== `${thief.endpoint} proved`);
    await agree(looker, [here, there], known, { redis });
    for (const question of asker.sent) await thief.send(question, there);
    await thief.drain();
  }
  await agree(looker, [here, there], known, { redis });
});

testWith(
  NEEDS,
  "a peer that asks two registries from two ports of one address doesn't go back and forth",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const served = await sharing(scene, [redis.url, redis.url]);
    const [here, there] = served.map(({ port }) => port) as [number, number];
    const looker = new Looker(scene);
    const peer = scene.peer();
    const ends = [scene.end(), scene.end()] as const;
    const asker = new Asker(scene, 1);
    const proved = [scene.end(), scene.end()] as const;
    const cookies: (Uint8Array | undefined)[] = [undefined, undefined];
    const askBoth = async () => {
      for (const [i, port] of [here, there].entries()) {
        await ends[i]!.send(peer.request(), port);
        await ends[i]!.next();
        // Each registry has cookies and versions of its own.
        const { client } = asker;
        client.cookie = cookies[i];
        client.version = 0;
        await asker.ask(port, {}, proved[i]!);
        cookies[i] = client.cookie;
        await new Promise((done) => setTimeout(done, 30));
      }
    };
    await askBoth();
    await askBoth();
    const entries = async () => Number(await redis.call("XLEN", "{wgsig}:changes"));
    const before = await entries();
    const [a, b] = [await looker.look(here), await looker.look(there)];
    for (let i = 0; i < 10; i++) await askBoth();
    assertEquals(await looker.look(here), a);
    assertEquals(await looker.look(there), b);
    const more = await entries() - before;
    assert(more <= 2, `it was written ${more} times that the peer has moved`);
    assertEquals(a, b);
  },
);

testWith(
  [...NEEDS, "faketime"],
  "registries whose clocks are 20 s apart agree on who is where, and how long ago",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const args = await sharedArgs(scene, redis.url);
    const right = await scene.serve(args);
    // One that is ahead would answer requests of before its start, by its clock, and heed none of them.
    const behind = await scene.serve(args, { env: await otherClock("-20s") });
    const ports = [right.port, behind.port];
    const timeOf = (served: Served) => Date.parse(/^\S+/.exec(served.running.out)![0]);
    assert(timeOf(right) > timeOf(behind), "its clock isn't behind");
    const looker = new Looker(scene);
    const crowd = new Crowd(scene);
    for (const port of ports) await crowd.join(port, 2, 2);
    await agree(looker, ports, crowd.known, { redis });
    // The last word is the peer's, whatever the registries' clocks say.
    const mover = scene.peer();
    for (const port of [right.port, behind.port, behind.port, right.port]) {
      const end = scene.end();
      await end.send(mover.request(), port);
      await end.next();
      crowd.known.set(mover.publicKey, end.endpoint);
      await agree(looker, ports, crowd.known, { redis });
    }
    // How long ago somebody was heard is by the store's clock.
    for (const port of ports) {
      const asker = new Asker(scene, 100 + port % 50, { unproved: true });
      await asker.ask(port);
      for (const [key, { age }] of asker.client.peers) assert(age < 15, `${key}: ${age} s`);
    }
  },
);

testWith(
  NEEDS,
  "groups come and go with SIGHUP, while the store is there and while it isn't",
  async () => {
    await using redis = await Redis.start();
    await using away = TcpProxy.before(redis.port);
    await using scene = await Scene.open();
    const second = await scene.secretIn("second");
    const third = await scene.secretIn("third");
    const groups = (...numbers: readonly number[]) => {
      const files = [scene.secretFile, second.path, third.path];
      return numbers.map((id) => `[[serve.group]]\nid = ${id}\nsecret-file = "${files[id]}"\n`)
        .join("");
    };
    const start = async (name: string, url: string) => {
      const config = await scene.file(name, groups(0));
      const args = ["--config", config, "--listen", "127.0.0.1:0"];
      const served = await scene.serveWith([...args, ...await sharedArgs(scene, url)]);
      const reload = async (...numbers: readonly number[]) => {
        await Deno.writeTextFile(config, groups(...numbers));
        await served.signal("SIGHUP", / info reloaded /);
      };
      return { served, reload };
    };
    const one = await start("one.toml", redis.url);
    const other = await start("other.toml", away.url);
    const [here, there] = [one.served.port, other.served.port];
    /** Somebody who registers with one is known to the other. */
    const isShared = async (group: number, secret: Uint8Array, from: number, to: number) => {
      const [peer, looker] = [scene.peer(secret), scene.peer(secret)];
      await peer.ask(from, { group, secret });
      await until(`group ${group} is shared`, async () => {
        const { records } = await looker.ask(to, { group, secret, flags: 3 });
        return records.some(({ id }) => id.every((byte, i) => byte === peer.id[i])) || undefined;
      }, 60);
    };
    await isShared(0, scene.secret, here, there);
    // It comes at one first, and has a peer already when the other one gets it.
    await one.reload(0, 1);
    const early = scene.peer(second.secret);
    await early.ask(here, { group: 1, secret: second.secret });
    await other.reload(0, 1);
    await isShared(1, second.secret, there, here);
    await isShared(1, second.secret, here, there);
    const { records } = await scene.peer(second.secret).ask(there, {
      group: 1,
      secret: second.secret,
      flags: 3,
    });
    assert(records.some(({ id }) => id.every((byte, i) => byte === early.id[i])));

    // The store is away for the other one: one group goes and one comes.
    away.cut();
    await other.served.running.printed(/ warn store-gone /);
    await other.reload(0, 2);
    const late = scene.peer(third.secret);
    await late.ask(there, { group: 2, secret: third.secret });
    await one.reload(0, 1, 2);
    away.heal();
    await isShared(2, third.secret, here, there);
    await isShared(2, third.secret, there, here);
    await isShared(0, scene.secret, here, there);
    // What was removed comes back with what the store has.
    await other.reload(0, 1, 2);
    await isShared(1, second.secret, here, there);
  },
);

testWith(NEEDS, "ten registries on one store", async () => {
  await using redis = await Redis.start();
  await using scene = await Scene.open();
  const served = await sharing(scene, Array.from({ length: 10 }, () => redis.url));
  const ports = served.map(({ port }) => port);
  const crowd = new Crowd(scene);
  const looker = new Looker(scene);
  for (const port of ports) await crowd.join(port, 1, 1);
  const ms = await agree(looker, ports, crowd.known, { redis });
  say(`ten registries agree after ${ms.toFixed(0)} ms`);
  const clients = await redis.call("CLIENT", "LIST");
  assert(clients instanceof Uint8Array);
  const count = new TextDecoder().decode(clients).trim().split("\n").length - 1;
  assertEquals(count, 2 * ports.length, "each has two connections");
});
