/** `wgsig serve`: the registry as its peers and its administrator see it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { BINARY, isRouterBinary, memoryOf, testWith, wgsig } from "../support/program.ts";
import {
  KEEP_ENDPOINT,
  KEEP_LABEL,
  keysIn,
  keysOf,
  readCounters,
  recordOf,
  REQUEST_SIZE,
  Scene,
  until,
} from "./scene.ts";

const now = () => Math.floor(Date.now() / 1000);

Deno.test("three peers register and see each other", async () => {
  await using scene = await Scene.open();
  const { port } = await scene.serve();
  const peers = scene.peers(3);
  for (const peer of peers) await peer.ask(port);
  for (const peer of peers) {
    const answer = await peer.ask(port);
    assertEquals([answer.sealed, answer.group, answer.others], [false, 0, 0]);
    assertEquals(keysIn(answer), keysOf(peers));
    for (const each of peers) assertEquals(recordOf(answer, each)?.endpoint, each.endpoint);
  }
});

Deno.test("--encryption auto answers each request in its form", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [plain, sealed] = [scene.peer(), scene.peer()];
  assertEquals((await plain.ask(server.port)).sealed, false);
  const answer = await sealed.ask(server.port, { sealed: true });
  assertEquals([answer.sealed, answer.group], [true, 0]);
  assertEquals(keysIn(answer), keysOf([plain, sealed]));
  // The same peer may change its mind; what follows a request means nothing.
  assertEquals((await sealed.ask(server.port, { padding: 1 })).sealed, false);
  assertEquals((await plain.ask(server.port, { sealed: true, padding: 700 })).sealed, true);
  assertEquals((await plain.ask(server.port, { padding: 1000 })).sealed, false);
  assertEquals((await server.counters())["answered"], 5);
});

Deno.test("--encryption required answers encrypted requests only", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--encryption", "required"]);
  const peer = scene.peer();
  await peer.assertSilent(server.port, peer.request(), { sealed: true });
  const { answered, "drop-not-encrypted": dropped } = await server.counters();
  assertEquals([answered, dropped], [2, 1]);
  await server.running.printed(/ info drop-not-encrypted .*hint="encryption is required here"/);
});

Deno.test("--encryption off answers plain requests only", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--encryption", "off"]);
  const peer = scene.peer();
  await peer.assertSilent(server.port, peer.request({ sealed: true }));
  const { answered, "drop-encrypted": dropped } = await server.counters();
  assertEquals([answered, dropped], [2, 1]);
});

Deno.test("--allow lets only the listed keys in", async () => {
  await using scene = await Scene.open();
  const [listed, also, stranger] = [scene.peer(), scene.peer(), scene.peer()];
  const list = `# peers\n\n${listed.publicKey} # alice\n${also.publicKey}\tbob\r\n`;
  const server = await scene.serve(["--allow", await scene.file("allowed", list)]);
  await also.ask(server.port);
  await stranger.send(stranger.request(), server.port);
  assertEquals(keysIn(await listed.ask(server.port)), keysOf([listed, also]));
  await listed.ask(server.port);
  assertEquals(await stranger.drain(), []);
  assertEquals((await server.counters())["drop-not-allowed"], 1);
});

Deno.test("groups of the settings are apart, each with its secret", async () => {
  await using scene = await Scene.open();
  const one = await scene.secretIn("one");
  const two = await scene.secretIn("two");
  await scene.file(
    "wgsig.toml",
    `[serve]
listen = ["127.0.0.1:0"]
[[serve.group]]
id = 1
secret-file = "one"
[[serve.group]]
id = 4294967295
secret-file = "two"
`,
  );
  const server = await scene.serveWith(["--config", `${scene.folder}/wgsig.toml`]);
  const [a, b] = [scene.peer(one.secret), scene.peer(one.secret)];
  const c = scene.peer(two.secret);
  const far = { group: 0xffff_ffff };
  await a.ask(server.port, { group: 1 });
  await c.ask(server.port, far);
  const inOne = await b.ask(server.port, { group: 1, sealed: true });
  assertEquals([inOne.group, keysIn(inOne)], [1, keysOf([a, b])]);
  const inTwo = await c.ask(server.port, { ...far, sealed: true });
  assertEquals([inTwo.group, keysIn(inTwo)], [0xffff_ffff, keysOf([c])]);
  // The secret of the one is nothing in the other, and there is no third.
  await a.assertSilent(server.port, a.request(far), { group: 1 });
  await a.assertSilent(server.port, a.request({ ...far, sealed: true }), { group: 1 });
  await a.assertSilent(server.port, a.request({ group: 0 }), { group: 1 });
  const counts = await server.counters();
  assertEquals(counts["drop-bad-mac"], 1);
  assertEquals(counts["drop-group-mismatch"], 1);
  assertEquals(counts["drop-unknown-group"], 1);
});

Deno.test("a flag for one group of the settings leaves out the others", async () => {
  await using scene = await Scene.open();
  const [one, two] = [await scene.secretIn("one"), await scene.secretIn("two")];
  const config = await scene.file(
    "wgsig.toml",
    `[serve]\nlisten = ["127.0.0.1:0"]\n` +
      `[[serve.group]]\nid = 1\nsecret-file = "one"\n` +
      `[[serve.group]]\nid = 2\nsecret-file = "two"\n`,
  );
  const server = await scene.serveWith(["--config", config, "--group", "2"]);
  await server.running.printed(/ready .*group-ids=2 /);
  const peer = scene.peer(two.secret);
  await peer.assertSilent(server.port, peer.request({ group: 1, secret: one.secret }), {
    group: 2,
  });
});

Deno.test("25 peers come in three datagrams", async () => {
  await using scene = await Scene.open();
  const { port } = await scene.serve();
  const peers = scene.peers(25);
  for (const [i, peer] of peers.entries()) {
    const { others } = await peer.ask(port, { sealed: i % 2 === 0 });
    assertEquals(others, Math.floor(i / 10), `N_OTHER with ${i + 1} peers`);
  }
  for (const sealed of [false, true]) {
    const answer = await peers[3]!.ask(port, { sealed });
    assertEquals([answer.sealed, answer.others], [sealed, 2]);
    assertEquals(answer.pages.toSorted((a, b) => b - a), [10, 10, 5]);
    assertEquals(keysIn(answer), keysOf(peers));
    for (const peer of peers) assertEquals(recordOf(answer, peer)?.endpoint, peer.endpoint);
  }
  assertEquals(await peers[3]!.drain(), []);
});

Deno.test("--max-answer 10 answers with the ten newest", async () => {
  await using scene = await Scene.open();
  const { port } = await scene.serve(["--max-answer", "10"]);
  const peers = scene.peers(25);
  for (const peer of peers) await peer.ask(port);
  const answer = await peers[2]!.ask(port);
  assertEquals(answer.others, 0);
  assertEquals(keysIn(answer), keysOf([peers[2]!, ...peers.slice(-9)]));
  // A look changes who was seen last, too, but not for a peer that was never registered.
  const looker = scene.peer();
  const seen = await looker.ask(port, { flags: KEEP_ENDPOINT });
  assertEquals(keysIn(seen), keysOf([peers[2]!, ...peers.slice(-9)]));
});

Deno.test("a full table gives the place of a stale record away, never of a fresh one", async () => {
  await using scene = await Scene.open();
  const settings = (maxAge: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\nmax-peers = 2\nmax-age = "${maxAge}"\n` +
        `[[serve.group]]\nsecret-file = "secret"\n`,
    );
  const server = await scene.serveWith(["--config", await settings("1h")]);
  const [old, kept, third] = [scene.peer(), scene.peer(), scene.peer()];
  await old.ask(server.port);
  await kept.ask(server.port);
  const full = await third.ask(server.port);
  assertEquals(keysIn(full), keysOf([old, kept]), "a fresh record was pushed out");
  assertEquals((await server.counters())["no-room"], 1);
  // Not stored, but not forgotten: its request can't be replayed.
  const captured = third.request();
  await third.send(captured, server.port);
  await third.answer();
  await kept.assertSilent(server.port, captured);

  await settings("4s");
  await server.signal("SIGHUP", / reloaded /);
  await until("the third peer gets the place of the stale one", async () => {
    await kept.ask(server.port);
    const keys = keysIn(await third.ask(server.port));
    return keys.includes(third.publicKey) ? keys : undefined;
  });
  assertEquals(keysIn(await kept.ask(server.port)), keysOf([kept, third]));
  const counts = await server.counters();
  assertEquals((counts["expired"] ?? 0) + (counts["pushed-out"] ?? 0), 1);
});

Deno.test("--max-age forgets who is not seen any more", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--max-age", "3s"]);
  const [gone, here] = [scene.peer(), scene.peer()];
  await gone.ask(server.port);
  await until("the record is discarded", async () => {
    const keys = keysIn(await here.ask(server.port));
    return keys.includes(gone.publicKey) ? undefined : keys;
  });
  assertEquals((await server.counters())["expired"], 1);
});

Deno.test("the clock's window is 30 s, or --window", async () => {
  await using scene = await Scene.open();
  const [usual, wide] = [await scene.serve(), await scene.serve(["--window", "1h"])];
  const peer = scene.peer();
  await peer.ask(usual.port);
  for (const off of [-20, 20]) {
    const late = scene.peer();
    const keys = keysIn(await late.ask(usual.port, { seconds: now() + off }));
    assertEquals(keys.length > 0, true);
    // What may have been sent before the server was started is answered, and changes nothing.
    assertEquals(keys.includes(late.publicKey), off > 0);
  }
  for (const off of [-60, 60]) {
    await peer.assertSilent(usual.port, scene.peer().request({ seconds: now() + off }));
  }
  assertEquals((await usual.counters())["drop-outside-window"], 2);
  await usual.running.printed(/ drop-outside-window .*hint="its clock or this host's is wrong"/);
  await scene.peer().ask(wide.port, { seconds: now() - 3000 });
  await peer.assertSilent(wide.port, scene.peer().request({ seconds: now() - 4200 }));
  assertEquals((await wide.counters())["drop-outside-window"], 1);
});

Deno.test("an IPv6 source is answered, and its endpoint left alone", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--listen", "[::1]:0"]);
  const [, sixth] = await server.running.printed(/listening address=\[::1\]:(\d+)/);
  const port = Number(sixth);
  const peer = scene.peer();
  await peer.ask(server.port);
  const roaming = scene.peer(undefined, "::1");
  assertEquals(keysIn(await roaming.ask(port)), keysOf([peer]));
  assertEquals(keysIn(await roaming.ask(port, { sealed: true })), keysOf([peer]));
  // A peer that is known keeps its endpoint, and is seen.
  const request = peer.request();
  await roaming.send(request, port);
  const before = recordOf(await roaming.answer(), peer)!;
  assertEquals(before.endpoint, peer.endpoint);
  assertEquals((await server.counters())["ipv6-source"], 3);
});

Deno.test("flags: an endpoint is kept, a label is kept", async () => {
  await using scene = await Scene.open();
  const { port } = await scene.serve();
  const peer = scene.peer();
  const first = recordOf(await peer.ask(port), peer)!;
  const elsewhere = scene.peer();
  await elsewhere.send(peer.request({ flags: KEEP_ENDPOINT }), port);
  const looked = recordOf(await elsewhere.answer(), peer)!;
  assertEquals(looked.endpoint, peer.endpoint);
  assert(looked.seconds * 1e9 + looked.nanoseconds > first.seconds * 1e9 + first.nanoseconds);
  // The label alone can't be kept: 2 is treated as 0. Bits that mean nothing here are ignored.
  await elsewhere.send(peer.request({ flags: KEEP_LABEL | 0x8000 }), port);
  assertEquals(recordOf(await elsewhere.answer(), peer)?.endpoint, elsewhere.endpoint);
  const last = recordOf(await peer.ask(port), peer)!;
  const silent = recordOf(await peer.ask(port, { flags: KEEP_ENDPOINT | KEEP_LABEL }), peer)!;
  assertEquals(silent, last);
  const stranger = scene.peer();
  assertEquals(keysIn(await stranger.ask(port, { flags: KEEP_ENDPOINT })), keysOf([peer]));
});

Deno.test("a captured request is answered once", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [peer, thief] = [scene.peer(), scene.peer()];
  const flags = [0, KEEP_ENDPOINT, KEEP_ENDPOINT | KEEP_LABEL];
  for (const captured of flags.map((flag) => peer.request({ flags: flag }))) {
    await peer.send(captured, server.port);
    await peer.answer();
    await thief.assertSilent(server.port, captured);
  }
  assertEquals((await server.counters())["drop-replayed"], 3);
  const after = await peer.ask(server.port, { flags: KEEP_ENDPOINT });
  assertEquals(recordOf(after, peer)?.endpoint, peer.endpoint);
  // Full nanoseconds count: one more is later, one less is a replay.
  const seconds = now() + 5;
  await peer.ask(server.port, { seconds, nanoseconds: 7 });
  await peer.ask(server.port, { seconds, nanoseconds: 8 });
  await thief.assertSilent(server.port, peer.request({ seconds, nanoseconds: 7 }));
  await thief.assertSilent(server.port, peer.request({ seconds: seconds - 1, nanoseconds: 9 }));
});

Deno.test("SIGUSR1 prints what was dropped, by reason", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  assertEquals(await server.counters(), { peers: 0, received: 0, answered: 0 });
  const peer = scene.peer();
  const captured = peer.request();
  await peer.send(captured, server.port);
  await peer.answer();
  const broken = peer.request();
  broken[REQUEST_SIZE - 1]! ^= 1;
  const label = peer.request();
  label[32]! ^= 0x80;
  const bad = [
    new Uint8Array(0),
    new Uint8Array(81),
    new Uint8Array(3000),
    peer.request({ group: 9 }),
    peer.request({ secret: new Uint8Array(32), sealed: true }),
    label,
    peer.request({ seconds: now() - 1000 }),
    captured,
    broken,
  ];
  for (const bytes of bad) await peer.send(bytes, server.port);
  // A newer request that came before them would make replays of them.
  await until("they are read", async () => {
    return (await server.counters())["received"] === bad.length + 1 || undefined;
  });
  await peer.ask(server.port);
  assertEquals(await server.counters(), {
    peers: 1,
    received: bad.length + 2,
    answered: 2,
    sent: 2,
    registered: 1,
    updated: 1,
    "drop-too-short": 2,
    "drop-too-long": 1,
    "drop-unknown-group": 1,
    "drop-group-mismatch": 1,
    "drop-bad-label": 1,
    "drop-outside-window": 1,
    "drop-replayed": 1,
    "drop-bad-mac": 1,
  });
});

Deno.test("100 peers fit into the memory of a small router", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  for (let i = 0; i < 100; i++) await scene.peer().ask(server.port);
  const memory = await memoryOf(server.running.pid);
  assert(memory < (isRouterBinary() ? 4.25 : 100) * 1024, `${memory} kB`);
});

Deno.test("SIGHUP reads secret, allow-list and settings anew, and keeps the table", async () => {
  await using scene = await Scene.open();
  const settings = (extra: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\n${extra}\n` +
        `[[serve.group]]\nsecret-file = "secret"\nallow-file = "allowed"\n`,
    );
  const [stays, goes, comes] = scene.peers(3);
  assert(stays !== undefined && goes !== undefined && comes !== undefined);
  await scene.file("allowed", `${stays.publicKey}\n${goes.publicKey}\n`);
  const server = await scene.serveWith(["--config", await settings("")]);
  await stays.ask(server.port);
  const before = recordOf(await goes.ask(server.port), stays);

  const { secret } = await scene.secretIn("secret");
  await scene.file("allowed", `${stays.publicKey}\n${comes.publicKey}\n`);
  await settings(`encryption = "required"`);
  await server.signal("SIGHUP", / reloaded group-ids=0\n/);
  const sealed = { secret, sealed: true };
  const answer = await comes.ask(server.port, sealed);
  assertEquals(keysIn(answer), keysOf([stays, comes]));
  assertEquals(recordOf(answer, stays), before, "the table was lost");
  await stays.assertSilent(server.port, stays.request({ sealed: true }), sealed);
  await stays.assertSilent(server.port, stays.request({ secret }), sealed);
  await stays.assertSilent(server.port, goes.request(sealed), sealed);
  const counts = await server.counters();
  assertEquals(counts["drop-group-mismatch"], 1);
  assertEquals(counts["drop-not-encrypted"], 1);
  assertEquals(counts["drop-not-allowed"], 1);

  // A group goes away, another comes.
  const other = await scene.secretIn("other");
  await scene.file(
    "wgsig.toml",
    `[serve]\nlisten = ["127.0.0.1:0"]\n[[serve.group]]\nid = 5\nsecret-file = "other"\n`,
  );
  await server.signal("SIGHUP", / reloaded group-ids=5\n/);
  const fresh = { secret: other.secret, group: 5 };
  assertEquals(keysIn(await goes.ask(server.port, fresh)), keysOf([goes]));
  await goes.assertSilent(server.port, stays.request(sealed), fresh);
});

Deno.test("a group's secret is changed in two steps, and no peer is lost or goes unheard", async () => {
  await using scene = await Scene.open();
  const fresh = await scene.secretIn("new");
  const settings = (group: string) =>
    scene.file("wgsig.toml", `[serve]\nlisten = ["127.0.0.1:0"]\n[[serve.group]]\n${group}\n`);
  const server = await scene.serveWith(["--config", await settings(`secret-file = "secret"`)]);
  const [slow, quick] = [scene.peer(), scene.peer()];
  await slow.ask(server.port);
  await quick.ask(server.port);

  await settings(`secret-files = ["new", "secret"]`);
  await server.signal("SIGHUP", / reloaded group-ids=0\n/);
  for (const sealed of [false, true]) {
    const asked = { secret: fresh.secret, sealed };
    assertEquals(keysIn(await quick.ask(server.port, asked)), keysOf([slow, quick]));
    assertEquals(keysIn(await slow.ask(server.port, { sealed })), keysOf([slow, quick]));
  }
  assertEquals((await server.counters())["former-secret"], 2);
  for (const [secret, key] of [[scene.secretFile, slow], [fresh.path, quick]] as const) {
    const query = ["query", server.address, "--secret", secret, "--key", key.publicKey];
    const { code, out } = await wgsig([...query, "--no-register"]);
    assertEquals([code, out.includes(slow.publicKey), out.includes(quick.publicKey)], [
      0,
      true,
      true,
    ]);
  }
  assert(((await server.counters())["former-secret"] ?? 0) > 2);
  assertMatch(server.running.out, / info former-secret from=127\.0\.0\.1:\d+ bytes=82 hint="it is/);

  await settings(`secret-file = "new"`);
  await server.signal("SIGHUP", / reloaded group-ids=0\n/);
  const asked = { secret: fresh.secret };
  assertEquals(keysIn(await quick.ask(server.port, asked)), keysOf([slow, quick]));
  await quick.assertSilent(server.port, slow.request(), asked);
  await quick.assertSilent(server.port, slow.request({ sealed: true }), asked);
});

Deno.test("--secret names the new secret, and a second time the old one", async () => {
  await using scene = await Scene.open();
  const fresh = await scene.secretIn("new");
  const server = await scene.serveWith([
    ...["--listen", "127.0.0.1:0", "--secret", fresh.path, "--secret", scene.secretFile],
  ]);
  const [one, two] = [scene.peer(), scene.peer(fresh.secret)];
  await one.ask(server.port, { sealed: true });
  assertEquals(keysIn(await two.ask(server.port, { sealed: true })), keysOf([one, two]));
  assertEquals((await server.counters())["former-secret"], 1);
});

Deno.test("SIGHUP says what needs a restart", async () => {
  await using scene = await Scene.open();
  const settings = (listen: string, more: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["${listen}"]\n${more}\n[[serve.group]]\nsecret-file = "secret"\n`,
    );
  const server = await scene.serveWith(["--config", await settings("127.0.0.1:0", "")]);
  await settings("127.0.0.2:0", "max-peers = 7");
  const [line] = await server.signal("SIGHUP", /^.* restart-needed .*$/m);
  assertMatch(line, / warn restart-needed changed=listen,max-peers$/);
  await scene.peer().ask(server.port);
});

Deno.test("SIGHUP with a broken file keeps serving, and says so", async () => {
  await using scene = await Scene.open();
  const settings = await scene.file(
    "wgsig.toml",
    `[serve]\nlisten = ["127.0.0.1:0"]\n[[serve.group]]\nsecret-file = "secret"\n` +
      `allow-file = "allowed"\n`,
  );
  const [peer, other] = [scene.peer(), scene.peer()];
  const allowed = `${peer.publicKey}\n${other.publicKey}\n`;
  await scene.file("allowed", allowed);
  const server = await scene.serveWith(["--config", settings]);
  const before = recordOf(await peer.ask(server.port), peer);
  const good = await Deno.readTextFile(settings);
  const secret = await Deno.readFile(scene.secretFile);

  const breakages: readonly (readonly [string, string, Uint8Array | string, RegExp])[] = [
    ["wgsig.toml", "no TOML", `[serve\n`, /not-reloaded why=".*wgsig\.toml: .*line 1/],
    ["wgsig.toml", "an unknown key", `[serve]\nlisen = []\n`, /why=".*unknown key \\?"serve.lisen/],
    ["secret", "a short secret", new Uint8Array(31), /why="secret file .* has 31 bytes/],
    ["allowed", "a bad allow-list", "foo\n", /why="allow-list .*, line 1/],
  ];
  for (const [file, what, content, why] of breakages) {
    await scene.file(file, content);
    const [line] = await server.signal("SIGHUP", /^.*reloaded.*$/m);
    assertMatch(line, / error not-reloaded /, what);
    assertMatch(line, why, what);
    assertMatch(line, /effect="the settings before stay in force"/);
    const answer = await other.ask(server.port, { flags: KEEP_ENDPOINT });
    assertEquals(recordOf(answer, peer), before, what);
    await scene.file("wgsig.toml", good);
    await scene.file("allowed", allowed);
    await scene.file("secret", secret);
  }
  await Deno.remove(scene.secretFile);
  await server.signal("SIGHUP", / not-reloaded .*wgsig keygen secret --output/);
  await scene.file("secret", secret);
  await server.signal("SIGHUP", / info reloaded /);
  assertEquals(keysIn(await other.ask(server.port)), keysOf([peer, other]));
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends the server with its counters and exit status 0`, async () => {
    await using scene = await Scene.open();
    const { running, port } = await scene.serve();
    await scene.peer().ask(port);
    assertEquals(await running.stop(signal), 0);
    assertMatch(
      running.out,
      new RegExp(
        ` counters peers=1 received=1 answered=1 .*\\n.* info stopped signal=${signal}\\n$`,
      ),
    );
    assertEquals(running.err, "");
  });
}

for (const spelling of [["--json"], ["--log-format", "json"]]) {
  Deno.test(`${spelling.join(" ")}: every line is an object with time, level and event`, async () => {
    await using scene = await Scene.open();
    const own = ["--key", `${scene.folder}/own.key`];
    const { running, port } = await scene.serve([...spelling, ...own]);
    const peer = scene.peer();
    await peer.ask(port);
    await peer.assertSilent(port, new Uint8Array(3));
    assertEquals(await running.stop(), 0);
    const lines = running.out.trimEnd().split("\n");
    const events = lines.map((line) => {
      const fields: unknown = JSON.parse(line);
      assert(typeof fields === "object" && fields !== null);
      assert("time" in fields && "level" in fields && "event" in fields);
      const { time, level, event } = fields;
      assert(typeof time === "string" && new Date(time).toISOString() === time);
      assert(level === "info" && typeof event === "string");
      return event;
    });
    const started = ["server-key-made", "listening", "ready"];
    const expected = [...started, "peer-registered", "drop-too-short", "counters", "stopped"];
    assertEquals(events, expected);
    assertEquals(readCounters(lines.at(-2)!)["drop-too-short"], 1);
    const registered: unknown = JSON.parse(lines[3]!);
    assert(typeof registered === "object" && registered !== null && "key" in registered);
    assertEquals(registered.key, peer.publicKey);
    assertStringIncludes(lines[3]!, `"endpoint":"${peer.endpoint}"`);
  });
}

Deno.test("text log lines say who registered and who moved", async () => {
  await using scene = await Scene.open();
  const { running, port } = await scene.serve();
  const [peer, elsewhere] = [scene.peer(), scene.peer()];
  await peer.ask(port);
  await peer.ask(port);
  await elsewhere.send(peer.request(), port);
  await elsewhere.answer();
  await running.printed(
    new RegExp(` info peer-moved group=0 key=\\S+ endpoint=${elsewhere.endpoint}\\n`),
  );
  assertStringIncludes(
    running.out,
    ` info peer-registered group=0 key=${peer.publicKey} endpoint=${peer.endpoint}\n`,
  );
  assertEquals(running.out.match(/peer-moved/g)?.length, 1);
});

Deno.test("--quiet logs nothing but what is asked for", async () => {
  await using scene = await Scene.open();
  const port = await scene.freePort();
  const address = `127.0.0.1:${port}`;
  const args = ["--listen", address, "--secret", scene.secretFile, "--quiet"];
  const running = scene.start([BINARY, "serve", ...args]);
  const peer = scene.peer();
  await until("the server answers", async () => {
    await peer.send(peer.request(), port);
    return (await peer.next(0.2).catch(() => undefined))?.bytes;
  });
  // The one before may have been sent before the server was ready, and then moves nobody.
  await peer.ask(port);
  assertEquals(running.out, "");
  running.signal("SIGUSR1");
  await running.printed(/counters peers=1/);
  assertEquals(await running.stop(), 0);
  assertEquals(running.out.match(/^.*\n/gm)?.filter((line) => !/ counters /.test(line)), []);
});

Deno.test("--verbose logs each drop", async () => {
  await using scene = await Scene.open();
  const lines: number[] = [];
  for (const args of [[], ["--verbose"]]) {
    const { running, port } = await scene.serve(args);
    const peer = scene.peer();
    await peer.ask(port);
    await peer.ask(port);
    for (let i = 0; i < 3; i++) await peer.assertSilent(port, new Uint8Array(3));
    assertEquals(await running.stop(), 0);
    lines.push(running.out.split("\n").length);
  }
  assert(lines[1]! > lines[0]!, `--verbose printed ${lines[1]} lines, without it ${lines[0]}`);
});

Deno.test("settings are looked for in $WGSIG_CONFIG, $XDG_CONFIG_HOME, ~/.config", async () => {
  await using scene = await Scene.open();
  await Deno.mkdir(`${scene.folder}/.config/wgsig`, { recursive: true });
  const text = (group: number) =>
    `[serve]\nlisten = ["127.0.0.1:0"]\n` +
    `[[serve.group]]\nid = ${group}\nsecret-file = "${scene.secretFile}"\n`;
  await scene.file(".config/wgsig/wgsig.toml", text(3));
  await scene.file("own.toml", text(4));
  const xdg = { WGSIG_CONFIG: "", XDG_CONFIG_HOME: `${scene.folder}/.config`, HOME: "/nowhere" };
  const home = { WGSIG_CONFIG: "", XDG_CONFIG_HOME: "", HOME: scene.folder };
  const named = { ...home, WGSIG_CONFIG: `${scene.folder}/own.toml` };
  for (const [env, group] of [[xdg, 3], [home, 3], [named, 4]] as const) {
    const server = await scene.serveWith([], { env });
    const answer = await scene.peer().ask(server.port, { group });
    assertEquals(answer.group, group);
  }
  // A flag wins over the variable.
  const flag = ["--config", `${scene.folder}/.config/wgsig/wgsig.toml`];
  const server = await scene.serveWith(flag, { env: named });
  await scene.peer().ask(server.port, { group: 3 });
});

Deno.test("flags win over the settings", async () => {
  await using scene = await Scene.open();
  const config = await scene.file(
    "wgsig.toml",
    `[serve]\nlisten = ["192.0.2.1:1"]\nencryption = "required"\nlog-format = "json"\n` +
      `log-level = "quiet"\nmax-answer = 10\n[[serve.group]]\nsecret-file = "absent"\n`,
  );
  const server = await scene.serve(
    ["--config", config, "--encryption", "auto", "--log-format", "text", "--verbose"],
  );
  assertEquals((await scene.peer().ask(server.port)).sealed, false);
});

Deno.test("secrets are taken as raw bytes, base64, hex, or from standard input", async () => {
  await using scene = await Scene.open();
  const { secret } = scene;
  const hex = [...secret].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  for (const content of [secret, encodeBase64(secret), `${hex}\n`]) {
    const file = await scene.file("form", content, 0o400);
    const listen = ["--listen", "127.0.0.1:0", "--secret", file];
    await scene.peer().ask((await scene.serveWith(listen)).port);
    await Deno.remove(file);
  }
  const line = `exec "$0" serve --listen 127.0.0.1:0 --secret - < "$1"`;
  const server = scene.start(["sh", "-c", line, BINARY, scene.secretFile]);
  const [, port] = await server.printed(/listening address=127\.0\.0\.1:(\d+)/);
  await scene.peer().ask(Number(port));
});

testWith(["root", "setpriv"], "nobody else may look at the memory that holds secrets", async () => {
  await using scene = await Scene.open();
  const nobody = 65_534;
  await Deno.chown(scene.folder, nobody, nobody);
  await Deno.chown(scene.secretFile, nobody, nobody);
  const server = scene.start([
    ...["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", BINARY, "serve"],
    ...["--listen", "127.0.0.1:0", "--secret", scene.secretFile],
  ]);
  await server.printed(/ ready /);
  // Of a process that may be dumped, these are its user's.
  assertEquals((await Deno.stat(`/proc/${server.pid}/mem`)).uid, 0);
});
