/** Registries that share a table in a real Redis, as their peers see them. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { ANSWER_FLAG } from "../../lib/wire/wgsig2/answer.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import { RECORD_FLAG } from "../../lib/wire/wgsig2/record.ts";
import { say } from "../../scripts/tools.ts";
import { BINARY, isRouterBinary, memoryOf, run, testWith, wgsig } from "../support/program.ts";
import { freeTcpPort, Redis } from "../support/redis.ts";
import { Asker } from "./asker.ts";
import { keysIn, keysOf, randomBytes, recordOf, Scene, type Served, until } from "./scene.ts";

const SUBSCRIBE = { flags: QUESTION_FLAG.subscribe } as const;
const ISO = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;

/** A binary for routers reaches no store: what it says is tested in place of all this. */
function shared(needs: readonly string[], name: string, body: () => Promise<void>): void {
  if (!isRouterBinary()) testWith(["redis-server", ...needs], name, body);
}

if (isRouterBinary()) {
  Deno.test("a binary for routers says that it reaches no store", async () => {
    await using scene = await Scene.open();
    const args = ["--store", "redis://127.0.0.1", "--key", await keyFile(scene)];
    const { code, err } = await wgsig(["serve", "--secret", scene.secretFile, ...args]);
    assert(code !== 0);
    assertStringIncludes(err, "this program for small routers can't reach a store");
  });
}

/** The key that registries have in common. */
async function keyFile(scene: Scene): Promise<string> {
  const key = randomBytes(32);
  key[0]! &= 248;
  key[31] = (key[31]! & 127) | 64;
  return await scene.file("server-key", `${encodeBase64(key)}\n`);
}

async function pair(scene: Scene, redis: Redis, more: readonly string[] = []): Promise<Served[]> {
  const args = ["--store", redis.url, "--key", await keyFile(scene), ...more];
  return await Promise.all([scene.serve(args), scene.serve(args)]);
}

shared([], "a registration at one registry is an answer and a push at another one", async () => {
  await using redis = await Redis.start();
  await using scene = await Scene.open();
  const [one, other] = await pair(scene, redis) as [Served, Served];
  const [here, there] = [scene.peer(), scene.peer()];
  await here.ask(one.port);
  await until("the row is there", async () => {
    const answer = await there.ask(other.port);
    return recordOf(answer, here)?.endpoint === here.endpoint ? answer : undefined;
  });
  await until("and the other way round", async () => {
    return keysIn(await here.ask(one.port)).includes(there.publicKey) || undefined;
  });

  const [subscriber, mover] = [new Asker(scene, 1), new Asker(scene, 2)];
  await mover.ask(one.port);
  const flags = await subscriber.ask(other.port, SUBSCRIBE);
  assertEquals(flags & ANSWER_FLAG.subscribed, ANSWER_FLAG.subscribed);
  const key = mover.client.key;
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const port = 40_000 + i;
    const said = `mapped 192.0.2.1:${port}`;
    const from = performance.now();
    await mover.ask(one.port, { candidates: [said] });
    while (!subscriber.client.peers.get(key)?.candidates.includes(said)) {
      const heard = subscriber.client.hear((await subscriber.end.next()).bytes);
      // What didn't come in order is asked for.
      if (heard?.kind === "push" && heard.told.length === 0) {
        await subscriber.end.send(subscriber.client.ask(Date.now() / 1000, SUBSCRIBE), other.port);
      }
    }
    times.push(performance.now() - from);
    // Whoever never asks is not pushed to for long.
    if (i % 10 === 9) await subscriber.ask(other.port, SUBSCRIBE);
    await new Promise((done) => setTimeout(done, 60));
  }
  const peer = subscriber.client.peers.get(key);
  assert(peer !== undefined && (peer.flags & RECORD_FLAG.proved) !== 0, "proved there as well");
  times.sort((a, b) => a - b);
  const shown = [times[0], times[10], times[19]].map((time) => time!.toFixed(1)).join(", ");
  say(`change at one to push at another, ms: least, median, most: ${shown}`);
});

shared(
  [],
  "a registry that starts has all from the store, which it waits for; it has no secret",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const [one] = await pair(scene, redis) as [Served, Served];
    const peers = scene.peers(3);
    for (const peer of peers) await peer.ask(one.port);
    const proved = new Asker(scene, 1);
    await proved.ask(one.port, { candidates: ["lan 192.168.1.2:7"] });
    await until("all are written", async () => {
      return await redis.call("HLEN", "{wgsig}:peers:0") === 4 || undefined;
    });
    await one.running.stop("SIGKILL");
    await redis.call("SAVE");

    const key = `${scene.folder}/server-key`;
    const port = await scene.freePort();
    const args = ["--store", redis.url, "--key", key];
    await redis.kill();
    const third = scene.start([
      ...[BINARY, "serve", "--listen", `127.0.0.1:${port}`],
      ...["--secret", scene.secretFile, ...args],
    ]);
    await third.printed(/ warn store-gone .*why="nothing listens there"/);
    await third.printed(/ warn store-waiting /);
    assert(!third.out.includes("listening"), "it answers nobody yet");
    await redis.restart();
    await third.printed(/ info store-connected /, 20);
    await third.printed(/ ready /);
    const looker = scene.peer();
    const keys = [...keysOf([...peers, looker]), proved.client.key].sort();
    assertEquals(keysIn(await looker.ask(port)), keys);
    // The directory has who speaks wgsig 2 alone, too.
    const asker = new Asker(scene, 5);
    await asker.ask(port);
    const found = asker.client.peers.get(proved.client.key);
    assertEquals(found?.candidates, [`seen ${proved.end.endpoint}`, "lan 192.168.1.2:7"]);

    // The dump has what the store has: neither secret nor key.
    await redis.call("SAVE");
    const dump = await Deno.readFile(`${redis.folder}/dump.rdb`);
    const text = new TextDecoder("latin1").decode(dump);
    const keyBytes = Uint8Array.fromBase64((await Deno.readTextFile(key)).trim());
    for (const secret of [scene.secret, keyBytes]) {
      assert(!text.includes(new TextDecoder("latin1").decode(secret)), "a secret is in the store");
    }
  },
);

shared(
  [],
  "a store that goes leaves the registries with what they know; back, it has what changed meanwhile",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const [one, other] = await pair(scene, redis) as [Served, Served];
    const [here, there] = [scene.peer(), scene.peer()];
    await here.ask(one.port);
    await redis.kill();
    for (const { running } of [one, other]) {
      await running.printed(/ warn store-gone store=\S+ why=.* effect="goes on with what is known/);
    }
    await there.ask(other.port);
    assertEquals(keysIn(await here.ask(one.port)), keysOf([here]));
    // It comes back empty: all is written to it anew.
    await redis.restart();
    await one.running.printed(/ warn store-emptied /, 20);
    await one.running.printed(/ info store-back store=\S+ away=/, 20);
    await until("both know both", async () => {
      const [a, b] = [await here.ask(one.port), await there.ask(other.port)];
      const isAll = keysIn(a).length === 2 && keysIn(b).length === 2;
      return isAll || undefined;
    }, 20);
    const lines = one.running.out.split("\n").filter((line) => line.includes(" store-gone "));
    assertEquals(lines.length, 1, "it is told of once");
  },
);

shared(
  [],
  "with --store-start alone it serves at once, and has the store as soon as that is there",
  async () => {
    await using scene = await Scene.open();
    const port = freeTcpPort();
    const args = ["--store", `redis://127.0.0.1:${port}`, "--key", await keyFile(scene)];
    const server = await scene.serve([...args, "--store-start", "alone"]);
    const peer = scene.peer();
    await peer.ask(server.port);
    await using redis = await Redis.start({ port });
    await until("it is written", async () => {
      return await redis.call("HLEN", "{wgsig}:peers:0") === 1 || undefined;
    }, 20);
  },
);

shared(["openssl"], "a password and TLS: right, wrong, and said so", async () => {
  await using scene = await Scene.open();
  const { folder } = scene;
  const certificate = [
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ...["-nodes", "-keyout", `${folder}/tls.key`, "-out", `${folder}/tls.crt`, "-days", "2"],
    ...["-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1"],
  ];
  const path = { PATH: Deno.env.get("PATH") ?? "" };
  assertEquals((await run(certificate, { env: path })).code, 0);
  const tlsPort = freeTcpPort();
  await using _redis = await Redis.start({
    args: [
      ...["--tls-port", `${tlsPort}`, "--tls-cert-file", `${folder}/tls.crt`],
      ...["--tls-key-file", `${folder}/tls.key`, "--tls-auth-clients", "no"],
      ...["--user", "wgsig", "on", ">right", "~*", "+@all", "--user", "default", "off"],
    ],
  });
  const key = await keyFile(scene);
  const right = await scene.file("right", "right\nsecond line\n");
  const wrong = await scene.file("wrong", "not-it\n");
  const args = [
    ...["--store", `rediss://127.0.0.1:${tlsPort}/3`, "--key", key, "--store-user", "wgsig"],
    ...["--store-start", "alone"],
  ];
  const trusted = ["--store-ca-file", `${folder}/tls.crt`];
  const server = await scene.serve([...args, ...trusted, "--store-password-file", right]);
  await server.running.printed(/ info store-connected /);
  const refused = await scene.serve([...args, ...trusted, "--store-password-file", wrong]);
  await refused.running.printed(/ warn store-gone .*refuses the user or the password/);
  const stranger = await scene.serve([...args, "--store-password-file", right]);
  await stranger.running.printed(/ warn store-gone .*why=.*(certificate|issuer|self.signed)/i);
  // Whoever mends it needn't restart.
  await Deno.writeTextFile(wrong, "right\n");
  await refused.running.printed(/ info store-connected /, 30);
  for (const { running } of [server, refused, stranger]) {
    assert(!running.out.includes("not-it"), "a password in the log");
  }
});

shared([], "what can't be is said in one line", async () => {
  await using scene = await Scene.open();
  const url = "redis://127.0.0.1:1";
  const key = await keyFile(scene);
  const open = await scene.file("open", "password\n", 0o644);
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--store", url], "registries that share a store have one key in common"],
    [["--store", url, "--key", `${scene.folder}/none`], "there is no "],
    [["--store", "redis://me:hush@127.0.0.1", "--key", key], "--store-password-file"],
    [["--store", "http://127.0.0.1", "--key", key], "expected redis://HOST"],
    [["--store-user", "me"], "--store-user is of no use without --store"],
    [["--store", url, "--key", key, "--store-password-file", open], "chmod 600"],
    [["--store", url, "--key", key, "--store-ca-file", open], "has no certificates"],
  ];
  for (const [args, part] of cases) {
    const { code, err } = await run([
      ...[
        "timeout",
        "10",
        BINARY,
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--secret",
        scene.secretFile,
        ...args,
      ],
    ]);
    assert(code !== 0, part);
    assertStringIncludes(err, part);
    assertEquals(err.trim().split("\n").length, 1, err);
    assert(!err.includes("hush"), "a password is shown");
  }
});

shared([], "a store that hangs stops neither answers nor the end", async () => {
  await using redis = await Redis.start();
  await using scene = await Scene.open();
  const [one] = await pair(scene, redis) as [Served, Served];
  redis.signal("SIGSTOP");
  const peers = scene.peers(3);
  for (const peer of peers) await peer.ask(one.port);
  const from = performance.now();
  assertEquals(await one.running.stop(), 0);
  const seconds = (performance.now() - from) / 1000;
  say(`the end while the store hangs took ${seconds.toFixed(1)} s`);
  assert(seconds < 10, `${seconds} s`);
  const [port, site] = [await scene.freePort(), freeTcpPort()];
  const waiting = scene.start([
    ...[BINARY, "serve", "--listen", `127.0.0.1:${port}`, "--secret", scene.secretFile],
    ...["--store", redis.url, "--key", `${scene.folder}/server-key`],
    ...["--status", `127.0.0.1:${site}`],
  ]);
  await waiting.printed(/ warn store-waiting /);
  const { code, out } = await run([BINARY, "status", `${port}`]);
  assertEquals(code, 0, out);
  assertStringIncludes(out, `shares its peers in ${redis.url}: gone for `);
  const ready = await fetch(`http://127.0.0.1:${site}/ready`);
  assertEquals([ready.status, await ready.text()], [503, "the store was not read yet\n"]);
  assertEquals(await waiting.stop(), 0);
  assertMatch(one.running.out, / warn store-left-behind store=\S+ peers=3 /);
  redis.signal("SIGCONT");
});

shared(
  [],
  "what is dirty at the end goes to the store, and a signal ends a start that waits",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const [one] = await pair(scene, redis) as [Served, Served];
    const peers = scene.peers(30);
    await Promise.all(peers.map((peer) => peer.ask(one.port)));
    assertEquals(await one.running.stop(), 0);
    assertEquals(await redis.call("HLEN", "{wgsig}:peers:0"), peers.length);
    assert(!one.running.out.includes(" warn "), "an end is no trouble");
    await redis.kill();
    const waiting = scene.start([
      ...[BINARY, "serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile],
      ...["--store", redis.url, "--key", `${scene.folder}/server-key`],
    ]);
    await waiting.printed(/ warn store-gone /);
    assertEquals(await waiting.stop(), 0);
    assertMatch(waiting.out, new RegExp(`${ISO} info stopped signal=SIGTERM\n`));
  },
);

shared(
  [],
  "records by a registry with another key are refused, and that is said once",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    const [one] = await pair(scene, redis) as [Served, Served];
    const peers = scene.peers(3);
    for (const peer of peers) await peer.ask(one.port);
    const other = await scene.serve(["--store", redis.url, "--key", await keyFile(scene)]);
    const late = scene.peer();
    await late.ask(one.port);
    await until("it is counted", async () => {
      return ((await other.counters())["shared-bad-mac"] ?? 0) >= 4 || undefined;
    });
    assertEquals(other.running.out.split(" store-records-refused ").length, 2);
    assertEquals(keysIn(await late.ask(other.port)), keysOf([late]));
  },
);

shared([], "without --store, what talks to a store is not in memory", async () => {
  await using scene = await Scene.open();
  await using redis = await Redis.start();
  const without = await scene.serve();
  const [shared] = await pair(scene, redis) as [Served, Served];
  const [small, large] = [await memoryOf(without.running.pid), await memoryOf(shared.running.pid)];
  say(`memory without and with a store, kB: ${small} ${large}`);
  assert(large - small > 2000, `${small} kB without a store, ${large} kB with one`);
});
