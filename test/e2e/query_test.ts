/** `wgsig query`: what it prints, whom it believes, how it ends. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { BINARY, run, testWith, wgsig } from "../support/program.ts";
import type { TwinRecord } from "../support/twins.ts";
import {
  KEEP_ENDPOINT,
  randomBytes,
  recordAt,
  recordOf,
  REQUEST_SIZE,
  Scene,
  until,
} from "./scene.ts";

/** The fewest milliseconds between two requests: the C server drops what comes sooner. */
const SPACING_MS = 20;

interface ShownCandidate {
  readonly kind: string;
  readonly endpoint: string;
  readonly age: number | null;
  readonly server: string | null;
}

interface Shown {
  readonly schema: number;
  readonly servers: readonly Record<string, unknown>[];
  readonly self: {
    readonly publicKey: string;
    readonly endpoint: string | null;
    readonly candidates: readonly ShownCandidate[];
  };
  readonly peers: readonly {
    readonly publicKey: string;
    readonly name: string | null;
    readonly endpoint: string;
    readonly candidates: readonly ShownCandidate[];
    readonly proved: boolean;
    readonly near: boolean;
    readonly probes: boolean;
    readonly nat: string | null;
    readonly seen: number;
    readonly age: number;
  }[];
}

/** What `--json` printed, with exactly the keys that the schema has. */
function readJson(text: string): Shown {
  const shown: Shown = JSON.parse(text);
  assertEquals(Object.keys(shown), ["schema", "servers", "self", "peers"]);
  assertEquals(Object.keys(shown.self), ["publicKey", "endpoint", "candidates"]);
  const reach = ["proved", "near", "probes", "nat"];
  const keys = ["publicKey", "name", "endpoint", "candidates", ...reach, "seen", "age"];
  for (const peer of shown.peers) {
    assertEquals(Object.keys(peer), keys);
    assertEquals(peer.candidates[0]?.endpoint, peer.endpoint);
  }
  for (const { candidates } of [shown.self, ...shown.peers]) {
    for (const each of candidates) {
      assertEquals(Object.keys(each), ["kind", "endpoint", "age", "server"]);
    }
  }
  assertEquals(shown.schema, 2);
  return shown;
}

/** When a peer was heard: registries tell ages in whole seconds. */
function assertSeen(shown: number, seconds: number | undefined): void {
  assert(seconds !== undefined && Math.abs(shown - seconds) <= 1, `${shown}, not ${seconds}`);
}

/** Records of peers that nobody reaches, seen just now. */
function someRecords(count: number): TwinRecord[] {
  return Array.from({ length: count }, (_, i) => recordAt(`127.0.0.1:${1024 + i}`));
}

function shuffled<T>([first, second, third, ...rest]: readonly T[]): T[] {
  return [third!, first!, second!, ...rest];
}

Deno.test("--json has the schema of its version", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [alice, bob] = [scene.peer(), scene.peer()];
  await alice.ask(server.port);
  const answer = await bob.ask(server.port);
  const config = await scene.file(
    "wgsig.toml",
    `[[peer]]\nname = "Alice's phone"\npublic-key = "${alice.publicKey}"\n`,
  );
  const key = encodeBase64(randomBytes(32));
  const before = Date.now() / 1000;
  const { code, out, err } = await scene.query(
    [server.address, "--json", "--key", key, "--config", config],
  );
  assertEquals([code, err], [0, ""]);
  const shown = readJson(out);
  assertEquals(shown.servers, [
    {
      server: server.address,
      status: "ok",
      protocol: 2,
      serverKey: server.key,
      datagrams: 1,
      expected: 1,
    },
  ]);
  assertEquals(shown.self.publicKey, key);
  assertMatch(shown.self.endpoint ?? "", /^127\.0\.0\.1:\d+$/);
  assertEquals(shown.peers.length, 2);
  for (const [peer, name] of [[alice, "Alice's phone"], [bob, null]] as const) {
    const each = shown.peers.find(({ publicKey }) => publicKey === peer.publicKey);
    assert(each !== undefined);
    assertEquals([each.name, each.endpoint], [name, peer.endpoint]);
    assertSeen(each.seen, recordOf(answer, peer)?.seconds);
    assert(Number.isInteger(each.age) && each.age >= 0 && each.age <= before - each.seen + 60);
  }
});

Deno.test("--dump prints one line a peer with tabs, the own one first", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [alice, bob] = [scene.peer(), scene.peer()];
  await alice.ask(server.port);
  const answer = await bob.ask(server.port);
  const key = encodeBase64(randomBytes(32));
  const port = await scene.freePort();
  const config = await scene.file(
    "wgsig.toml",
    `[[peer]]\nname = "alice"\npublic-key = "${alice.publicKey}"\n`,
  );
  const args = ["--dump", "--key", key, "--port", `${port}`, "--config", config, server.address];
  const { code, out, err } = await scene.query(args);
  assertEquals([code, err], [0, ""]);
  const [own, ...others] = out.trimEnd().split("\n").map((line) => line.split("\t"));
  assertEquals(own, [key, `127.0.0.1:${port}`, `${port}`]);
  assertEquals(others.length, 2);
  for (const [peer, name] of [[alice, "alice"], [bob, "(none)"]] as const) {
    const [, endpoint, seen, age, shown, ...more] = others.find(([id]) => id === peer.publicKey) ??
      [];
    assertEquals([endpoint, shown, more.length], [peer.endpoint, name, 0]);
    assertSeen(Number(seen), recordOf(answer, peer)?.seconds);
    assertMatch(age ?? "", /^\d+$/);
  }
  // Where nothing is registered, the own endpoint is unknown.
  const stranger = encodeBase64(randomBytes(32));
  const asked = await scene.query(
    ["--dump", "--no-register", "--key", stranger, "--port", `${port}`, server.address],
  );
  assertEquals(asked.out.split("\n")[0], `${stranger}\t(none)\t${port}`);
});

Deno.test("the table has names from the settings and ages a person reads", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const [alice, bob] = [scene.peer(), scene.peer()];
  const config = await scene.file(
    "wgsig.toml",
    `[[peer]]\nname = "alice"\npublic-key = "${alice.publicKey}"\n`,
  );
  const finished = scene.query([fake.endpoint, "--config", config]);
  const { from, request } = await fake.question();
  await fake.reply(
    from,
    ...fake.answer(request, [
      recordAt("192.0.2.7:51820", 7300, bob.id),
      recordAt("192.0.2.99:9", 300, alice.id),
      fake.own(request, from),
    ]),
  );
  const { code, out, err } = await finished;
  assertEquals([code, err], [0, ""]);
  const pad = " ".repeat(44 - "PUBLIC KEY".length);
  assertEquals(
    out,
    `This peer: ${request.publicKey} at ${from.host}:${from.port}\n` +
      `NAME   PUBLIC KEY${pad}  ENDPOINT         SEEN\n` +
      `alice  ${alice.publicKey}  192.0.2.99:9     5 min ago\n` +
      `       ${bob.publicKey}  192.0.2.7:51820  2 h ago\n`,
  );
});

Deno.test("the table says who is alone, and who is not registered", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const key = encodeBase64(randomBytes(32));
  const { out } = await scene.query([server.address, "--no-register", "--key", key]);
  assertEquals(out, `This peer is not registered: ${key}\nNo other peers.\n`);
});

Deno.test("several servers are merged by what was heard last", async () => {
  await using scene = await Scene.open();
  const [one, two] = [await scene.serve(), await scene.serve()];
  const [both, only] = [scene.peer(), scene.peer()];
  const later = scene.peer();
  // After the start of the servers: else they would leave its endpoint as it is.
  const now = Math.floor(Date.now() / 1000) + 1;
  await both.ask(two.port, { seconds: now, nanoseconds: 1 });
  await only.ask(two.port);
  // Registries tell ages in seconds.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await later.send(both.request({ seconds: now, nanoseconds: 2 }), one.port);
  await later.answer();
  for (const order of [[one, two], [two, one]]) {
    const { code, out, err } = await scene.query(
      ["--json", ...order.map(({ address }) => address)],
    );
    assertEquals([code, err], [0, ""]);
    const { servers, peers } = readJson(out);
    assertEquals(servers.map(({ server }) => server), order.map(({ address }) => address));
    const endpoint = (key: string) => peers.find(({ publicKey }) => publicKey === key)?.endpoint;
    assertEquals(endpoint(both.publicKey), later.endpoint, "not the newest");
    assertEquals(endpoint(only.publicKey), only.endpoint);
  }
});

Deno.test("one of two servers dead: its answer is missed, the other's is printed", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const silent = scene.end();
  const closed = `127.0.0.1:${await scene.freePort()}`;
  for (const dead of [silent.endpoint, closed]) {
    const { code, out, err } = await scene.query(
      [dead, server.address, "--json", "--timeout", "700ms"],
    );
    assertEquals(code, 0);
    assertMatch(
      err,
      new RegExp(`^wgsig: no answer from ${dead} within 0\\.7 s; .* allow-list.*\\n$`),
    );
    assertEquals(readJson(out).servers.map(({ protocol: _, serverKey: __, ...each }) => each), [
      { server: dead, status: "no-answer", datagrams: 0, expected: null },
      { server: server.address, status: "ok", datagrams: 1, expected: 1 },
    ]);
  }
});

Deno.test("a server that is named twice answers for both names", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { code, out, err } = await scene.query(
    [server.address, `localhost:${server.port}`, "--json"],
  );
  assertEquals([code, err], [0, ""]);
  assertEquals(readJson(out).servers.map(({ status }) => status), ["ok", "ok"]);
});

Deno.test("--no-register leaves the endpoint as it is", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const peer = scene.peer();
  await peer.ask(server.port);
  const { out } = await scene.query(
    [server.address, "--no-register", "--key", peer.publicKey, "--json"],
  );
  const { self } = readJson(out);
  assertEquals([self.publicKey, self.endpoint], [peer.publicKey, peer.endpoint]);
  const answer = await scene.peer().ask(server.port, { flags: KEEP_ENDPOINT });
  assertEquals(answer.records.length, 1);
  assertEquals(recordOf(answer, peer)?.endpoint, peer.endpoint);
});

Deno.test("--port N registers port N", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const peer = scene.peer();
  const port = await scene.freePort();
  const { code, out } = await scene.query(
    [server.address, "--port", `${port}`, "--key", peer.publicKey, "--json"],
  );
  assertEquals([code, readJson(out).self.endpoint], [0, `127.0.0.1:${port}`]);
  const answer = await scene.peer().ask(server.port, { flags: KEEP_ENDPOINT });
  assertEquals(recordOf(answer, peer)?.endpoint, `127.0.0.1:${port}`);
});

Deno.test("a port in use is said with what to do", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const taken = scene.end("0.0.0.0");
  const { code, out, err } = await scene.query([server.address, "--port", `${taken.port}`]);
  assertEquals([code, out], [1, ""]);
  assertMatch(
    err,
    new RegExp(
      `^wgsig: cannot use UDP port ${taken.port}: address already in use; ` +
        `is WireGuard using it\\? .*--no-register\n$`,
    ),
  );
});

Deno.test("where the settings' port is in use, another asks without registering", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [peer, other] = [scene.peer(), scene.peer()];
  await peer.ask(server.port);
  await other.ask(server.port);
  await other.drain();
  const config = await scene.file(
    "wgsig.toml",
    `[sync.wg0]\nport = ${peer.port}\npublic-key = "${peer.publicKey}"\n`,
  );
  const { code, out, err } = await wgsig(
    ["query", "--json", "--config", config, "--secret", scene.secretFile, server.address],
  );
  assertEquals(code, 0);
  assertMatch(
    err,
    new RegExp(
      `^wgsig: UDP port ${peer.port} is in use, by WireGuard most likely, so .* not register .*\n$`,
    ),
  );
  assertEquals(readJson(out).self.endpoint, peer.endpoint);
  assertEquals(await other.drain(), [], "openers from a port that is not registered");
  const answer = await other.ask(server.port);
  assertEquals(recordOf(answer, peer)?.endpoint, peer.endpoint);
});

Deno.test("no answer in time is exit status 2", async () => {
  await using scene = await Scene.open();
  const silent = scene.end();
  const { code, out, err } = await scene.query([silent.endpoint, "--timeout", "300ms"]);
  assertEquals([code, out], [2, ""]);
  assertMatch(err, new RegExp(`^wgsig: no answer from ${silent.endpoint} within 0\\.3 s; .*\\n$`));
  const json = await scene.query([silent.endpoint, "--timeout", "300ms", "--json"]);
  assertEquals(json.code, 2);
  assertEquals(readJson(json.out).servers.map(({ status }) => status), ["no-answer"]);
  assertEquals(readJson(json.out).self.endpoint, null);
});

Deno.test("a port where nobody listens is said", async () => {
  await using scene = await Scene.open();
  const port = await scene.freePort();
  const { code, err } = await scene.query([`127.0.0.1:${port}`, "--timeout", "300ms"]);
  assertEquals(code, 2);
  assertMatch(err, /^wgsig: no answer from \S+: nothing listens on that port there; .*\n$/);
});

Deno.test("an unknown host is exit status 3", async () => {
  await using scene = await Scene.open();
  const { code, out, err } = await scene.query(["no-such-host.invalid", "--timeout", "5s"]);
  assertEquals([code, out], [3, ""]);
  assertMatch(err, /^wgsig: cannot find server no-such-host\.invalid:1223: host not found; .*\n$/);
  // Beside one that is there it is a warning.
  const server = await scene.serve();
  const mixed = await scene.query(["no-such-host.invalid", server.address, "--json"]);
  assertEquals(mixed.code, 0);
  assertMatch(mixed.err, /^wgsig: cannot find server no-such-host\.invalid:1223; .*\n$/);
  assertEquals(readJson(mixed.out).servers.map(({ status }) => status), ["not-found", "ok"]);
});

Deno.test("with a wrong secret the server is silent, and the hint names the secret", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { path } = await scene.secretIn("other");
  for (const encryption of ["on", "off"]) {
    const key = encodeBase64(randomBytes(32));
    const { code, out, err } = await wgsig(
      ["query", "--secret", path, "--key", key, "--timeout", "300ms", server.address].concat(
        ["--encryption", encryption],
      ),
    );
    assertEquals([code, out], [2, ""]);
    assertMatch(err, /^wgsig: no answer from .* that group 0 has the same secret there.*\n$/);
  }
  const counts = await server.counters();
  assertEquals(counts["answered"], 0);
  assert(counts["drop-group-mismatch"]! >= 1 && counts["drop-bad-mac"]! >= 1);
});

Deno.test("an answer with a wrong MAC is exit status 4", async () => {
  await using scene = await Scene.open();
  for (const encryption of ["on", "off"]) {
    const fake = scene.fakeServer();
    const finished = scene.query(
      [fake.endpoint, "--timeout", "600ms", "--encryption", encryption],
    );
    const { from, request } = await fake.question();
    const records = [fake.own(request, from), recordAt("192.0.2.1:1")];
    const [bytes] = fake.answer(request, records);
    bytes![bytes!.length - 1]! ^= 1;
    await fake.reply(from, bytes!, ...fake.answer(request, records, {}, randomBytes(32)));
    const { code, out, err } = await finished;
    assertEquals([code, out], [4, ""]);
    assertMatch(
      err,
      new RegExp(`^wgsig: ${fake.endpoint} answered with a wrong MAC or .*secret.*\n$`),
    );
  }
});

Deno.test("datagrams out of order and duplicated make one answer", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const finished = scene.query([fake.endpoint, "--json"]);
  const { from, request } = await fake.question();
  const records = [...someRecords(25), fake.own(request, from)];
  const datagrams = shuffled(fake.answer(request, records));
  assertEquals(datagrams.length, 3);
  await fake.reply(from, ...datagrams.flatMap((bytes) => [bytes, bytes]));
  const { code, out, err } = await finished;
  assertEquals([code, err], [0, ""]);
  const { servers, peers } = readJson(out);
  const all = { protocol: 1, serverKey: null, datagrams: 3, expected: 3 };
  assertEquals(servers, [{ server: fake.endpoint, status: "ok", ...all }]);
  assertEquals(
    peers.map(({ publicKey }) => publicKey).toSorted(),
    records.slice(0, -1).map(({ id }) => encodeBase64(id)).toSorted(),
  );
});

Deno.test("what an answer lost comes with a retry", async () => {
  await using scene = await Scene.open();
  for (const again of [[2], [0, 1, 2], [0, 2]]) {
    const fake = scene.fakeServer();
    const finished = scene.query([fake.endpoint, "--json"]);
    const records = someRecords(25);
    const first = await fake.question();
    const own = fake.own(first.request, first.from);
    await fake.reply(
      first.from,
      ...fake.answer(first.request, [own, ...records]).slice(0, 2),
    );
    const second = await fake.question();
    const repeated = fake.answer(
      second.request,
      [fake.own(second.request, second.from), ...records],
    );
    await fake.reply(second.from, ...again.map((i) => repeated[i]!));
    const { code, out, err } = await finished;
    assertEquals([code, err], [0, ""], `again: ${again}`);
    assertEquals(readJson(out).peers.length, 25, `again: ${again}`);
  }
});

Deno.test("what comes from another port or address is ignored", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const strangers = [scene.end("127.0.0.1"), scene.end("127.0.0.2", fake.port)];
  const finished = scene.query([fake.endpoint, "--json"]);
  const { from, request } = await fake.question();
  const own = fake.own(request, from);
  for (const stranger of strangers) {
    const lie = fake.answer(request, [own, recordAt("192.0.2.66:666")]);
    await stranger.reply(from, ...lie);
  }
  await fake.reply(from, ...fake.answer(request, [own, recordAt("192.0.2.1:1")]));
  const { code, out } = await finished;
  assertEquals(code, 0);
  assertEquals(readJson(out).peers.map(({ endpoint }) => endpoint), ["192.0.2.1:1"]);
});

Deno.test("an old answer that is played back is ignored", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const finished = scene.query([fake.endpoint, "--json"]);
  const { from, request } = await fake.question();
  const own = fake.own(request, from);
  const before = { ...own, seconds: own.seconds - 1, port: 1 };
  await fake.reply(
    from,
    ...fake.answer(request, [before, recordAt("192.0.2.66:666")]),
    ...fake.answer(request, [own, recordAt("192.0.2.1:1")]),
  );
  const { code, out } = await finished;
  const { self, peers } = readJson(out);
  assertEquals([code, self.endpoint], [0, `${from.host}:${from.port}`]);
  assertEquals(peers.map(({ endpoint }) => endpoint), ["192.0.2.1:1"]);
});

Deno.test("an answer of another group, a short one, an unencrypted one are ignored", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const finished = scene.query([fake.endpoint, "--json", "--group", "7"]);
  const { from, request } = await fake.question();
  assertEquals([request.group, request.sealed], [7, true]);
  const own = fake.own(request, from);
  const lies = [own, recordAt("192.0.2.66:666")];
  const right = fake.answer(request, [own, recordAt("192.0.2.1:1")]);
  await fake.reply(
    from,
    ...fake.answer(request, lies, { group: 8 }),
    ...fake.answer({ ...request, sealed: false }, lies),
    right[0]!.slice(0, -1),
    new Uint8Array(0),
    new Uint8Array(5000),
    Uint8Array.from([...right[0]!, ...randomBytes(300)]),
  );
  const { code, out, err } = await finished;
  assertEquals([code, err], [0, ""]);
  assertEquals(readJson(out).peers.map(({ endpoint }) => endpoint), ["192.0.2.1:1"]);
});

Deno.test("an answer that never gets whole is printed with a warning, exit status 2", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const finished = scene.query([fake.endpoint, "--json", "--timeout", "400ms"]);
  const { from, request } = await fake.question();
  const records = [fake.own(request, from), recordAt("192.0.2.1:1")];
  await fake.reply(from, ...fake.answer(request, records, { others: 65_535 }));
  const { code, out, err } = await finished;
  assertEquals(code, 2);
  assertMatch(
    err,
    new RegExp(
      `^wgsig: only 1 of 65536 datagrams came from ${fake.endpoint} within 0\\.4 s; .*--timeout, .* answer-budget\n$`,
    ),
  );
  const { servers, peers } = readJson(out);
  assertEquals(servers, [
    {
      server: fake.endpoint,
      status: "incomplete",
      protocol: 1,
      serverKey: null,
      datagrams: 1,
      expected: 65_536,
    },
  ]);
  assertEquals(peers.map(({ endpoint }) => endpoint), ["192.0.2.1:1"]);
});

Deno.test("--max-age leaves stale records out", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const ages = [10, 4000, 90_000];
  for (
    const [args, shown] of [[[], 2], [["--max-age", "1h"], 1], [["--max-age", "2d"], 3]] as const
  ) {
    const finished = scene.query([fake.endpoint, "--json", ...args]);
    const { from, request } = await fake.question();
    const records = ages.map((age, i) => recordAt(`192.0.2.${i}:1`, age));
    await fake.reply(from, ...fake.answer(request, [...records, fake.own(request, from)]));
    const { peers } = readJson((await finished).out);
    assertEquals(
      peers.map(({ endpoint }) => endpoint),
      records.slice(0, shown).map((_, i) => `192.0.2.${i}:1`),
    );
    for (const [i, { age }] of peers.entries()) assert(age >= ages[i]! && age < ages[i]! + 60);
  }
});

Deno.test("eight bytes open the NAT towards each peer, from the port that is registered", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const peers = scene.peers(3);
  for (const peer of peers) await peer.ask(server.port);
  for (const peer of peers) await peer.drain();
  const port = await scene.freePort();
  const { code } = await scene.query([server.address, "--port", `${port}`]);
  assertEquals(code, 0);
  for (const peer of peers) {
    const openers = await peer.drain();
    assertEquals(openers.map(({ bytes, port }) => [bytes.length, port]), [[8, port]]);
  }
  await scene.query([server.address, "--no-register"]);
  for (const peer of peers) assertEquals(await peer.drain(), []);
});

Deno.test("openers go to no impossible endpoint, and a failing one ends nothing", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const peer = scene.peer();
  const finished = scene.query([fake.endpoint, "--json"]);
  const { from, request } = await fake.question();
  const odd = ["0.0.0.0:1", "127.0.0.1:0", "255.255.255.255:9", "224.0.0.1:9", "240.0.0.1:9"];
  await fake.reply(
    from,
    ...fake.answer(request, [
      fake.own(request, from),
      ...odd.map((endpoint) => recordAt(endpoint)),
      recordAt(`127.0.0.1:${await scene.freePort()}`),
      recordAt(peer.endpoint, 0, peer.id),
    ]),
  );
  assertEquals((await finished).code, 0);
  assertEquals((await peer.drain()).map(({ bytes }) => bytes.length), [8]);
});

Deno.test("a silent server is asked again, 20 ms apart at least", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const finished = scene.query([fake.endpoint]);
  const moments: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { from, request } = await fake.question();
    moments.push(request.seconds * 1000 + request.nanoseconds / 1e6);
    if (i === 2) await fake.reply(from, ...fake.answer(request, [fake.own(request, from)]));
  }
  assertEquals((await finished).code, 0);
  const gaps = moments.slice(1).map((moment, i) => moment - moments[i]!);
  for (const gap of gaps) assert(gap >= SPACING_MS, `requests ${gap} ms apart`);
});

Deno.test("--encryption off asks in plain, and takes a plain answer", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--encryption", "off"]);
  const { code } = await scene.query([server.address, "--encryption", "off"]);
  assertEquals(code, 0);
  const fake = scene.fakeServer();
  const finished = scene.query([fake.endpoint, "--encryption", "off"]);
  const { from, request } = await fake.question();
  assertEquals([from.bytes.length, request.sealed, request.flags], [REQUEST_SIZE, false, 0]);
  await fake.reply(from, ...fake.answer(request, [fake.own(request, from)]));
  assertEquals((await finished).code, 0);
});

Deno.test("IPv6 servers are asked, too", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--listen", "[::1]:0"]);
  const [, port] = await server.running.printed(/listening address=\[::1\]:(\d+)/);
  const peer = scene.peer();
  await peer.ask(server.port);
  const { code, out, err } = await scene.query([`[::1]:${port}`, "--json"]);
  assertEquals([code, err], [0, ""]);
  const shown = readJson(out);
  assertMatch(shown.self.endpoint ?? "", /^\[::1\]:\d+$/);
  assertEquals(shown.peers.map(({ publicKey }) => publicKey), [peer.publicKey]);
  // The address that registers comes first where a name has both.
  const both = await scene.query([`localhost:${server.port}`, "--json"]);
  assertMatch(readJson(both.out).self.endpoint ?? "", /^127\.0\.0\.1:/);
});

Deno.test("in the first protocol, IPv6 registers no endpoint, which is said", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer("::1");
  const finished = scene.query([fake.endpoint, "--json"]);
  const { from, request } = await fake.question();
  await fake.reply(from, ...fake.answer(request, someRecords(1)));
  const { code, out, err } = await finished;
  assertEquals([code, readJson(out).self.endpoint], [0, null]);
  assertMatch(err, /^wgsig: \[::1\]:\d+ was asked over IPv6, which registers no endpoint; .*\n$/);
});

Deno.test("punch:// is asked from another port where WireGuard has that of the settings, as nobody", async () => {
  await using scene = await Scene.open();
  const [wireGuard, punch] = [scene.fakeServer(), scene.fakeServer()];
  const [own, peer] = [scene.peer(), scene.peer()];
  const settings = await scene.file(
    "wgsig.toml",
    `[sync.wg0]\nport = ${wireGuard.port}\npublic-key = "${own.publicKey}"\n` +
      `[[peer]]\npublic-key = "${peer.publicKey}"\n`,
  );
  const named = `punch://127.0.0.1:${punch.port}`;
  const finished = wgsig(["query", "--config", settings, named, "--json"]);
  const request = await punch.next();
  assertEquals(encodeBase64(request.bytes.subarray(0, 32)), encodeBase64(new Uint8Array(32)));
  assertEquals(encodeBase64(request.bytes.subarray(32)), peer.publicKey);
  assert(request.port !== wireGuard.port);
  await punch.reply(request, Uint8Array.of(192, 0, 2, 7, 0xca, 0x6c));
  const { code, out, err } = await finished;
  assertEquals(
    [code, err],
    [
      0,
      `wgsig: UDP port ${wireGuard.port} is in use, by WireGuard most likely, so this did not register it: wgsig sync does, where it runs\n`,
    ],
  );
  assertEquals(readJson(out).peers.map(({ endpoint }) => endpoint), ["192.0.2.7:51820"]);
  // A port that the command line names is meant.
  const meant = await wgsig(
    ["query", "--config", settings, named, "--port", `${wireGuard.port}`, "--timeout", "1s"],
  );
  assertEquals(meant.code, 2);
  assertMatch(meant.err, /^wgsig: cannot ask punch:\S+: address already in use\n$/);
});

Deno.test("punch:// is asked as nobody where nothing is to be registered", async () => {
  await using scene = await Scene.open();
  const punch = scene.fakeServer();
  const [own, peer] = [scene.peer(), scene.peer()];
  const settings = await scene.file("wgsig.toml", `[[peer]]\npublic-key = "${peer.publicKey}"\n`);
  const finished = wgsig(
    ["query", "--config", settings, "--key", own.publicKey, "--no-register", "--json"].concat(
      `punch://127.0.0.1:${punch.port}`,
    ),
  );
  const request = await punch.next();
  assertEquals(encodeBase64(request.bytes.subarray(0, 32)), encodeBase64(new Uint8Array(32)));
  await punch.reply(request, Uint8Array.of(192, 0, 2, 7, 0xca, 0x6c));
  const { code, out, err } = await finished;
  assertEquals([code, err], [0, ""]);
  assertEquals(readJson(out).peers.map(({ endpoint }) => endpoint), ["192.0.2.7:51820"]);
});

Deno.test("a server that answers is not taken for another that is silent", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const silent = `127.0.0.2:${server.port}`;
  const key = scene.peer().publicKey;
  const both = ["--key", key, server.address, silent, "--timeout", "700ms"];
  const { code, err } = await scene.query(both);
  assertEquals(code, 0);
  assertMatch(err, new RegExp(`^wgsig: no answer from ${silent}`));
  assert(!err.includes("datagrams came from"), err);
  // Who wasn't asked is named.
  const [stranger, port] = [scene.fakeServer(), await scene.freePort()];
  const elsewhere = ["--port", `${port}`, `127.0.0.2:${stranger.port}`, "--timeout", "700ms"];
  let isOver = false;
  const asked = scene.query(["--key", key, ...elsewhere]).finally(() => isOver = true);
  while (!isOver) {
    await stranger.send(new Uint8Array(8), port).catch(() => {});
    await new Promise((done) => setTimeout(done, 20));
  }
  assertMatch((await asked).err, new RegExp(`but datagrams came from ${stranger.endpoint};`));
});

Deno.test("everything can come from the settings", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const peer = scene.peer();
  const port = await scene.freePort();
  const settings = `[sync.wg7]
servers = ["${server.address}"]
secret-file = "secret"
public-key = "${peer.publicKey}"
port = ${port}
timeout = "5s"
encryption = "off"
max-age = "1h"
`;
  const config = await scene.file("wgsig.toml", settings);
  const { code, out, err } = await wgsig(["query", "--json", "--config", config]);
  assertEquals([code, err], [0, ""]);
  const { self } = readJson(out);
  assertEquals([self.publicKey, self.endpoint], [peer.publicKey, `127.0.0.1:${port}`]);
  // Flags win.
  const other = await wgsig(["query", "--json", "--config", config, "--port", "0"]);
  assert(readJson(other.out).self.endpoint !== `127.0.0.1:${port}`);
});

Deno.test("--key takes a file, a private key is turned into its public one", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const peer = scene.peer();
  const file = await scene.file("public", `${peer.publicKey}\n`, 0o644);
  const { out } = await scene.query([server.address, "--json", "--key", file]);
  assertEquals(readJson(out).self.publicKey, peer.publicKey);

  const pair = await wgsig(["keygen", "private"]);
  const known = await wgsig(["keygen", "public"], { input: pair.out });
  await scene.file("private", pair.out);
  const config = await scene.file("wgsig.toml", `[sync.wg7]\nprivate-key-file = "private"\n`);
  const asked = await wgsig(
    ["query", "--json", "--config", config, "--secret", scene.secretFile, server.address],
  );
  assertEquals(readJson(asked.out).self.publicKey, known.out.trim());
});

Deno.test("--key never publishes a secret of this host, whatever holds it", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [pair, psk] = [await wgsig(["keygen", "private"]), await wgsig(["keygen", "psk"])];
  const known = (await wgsig(["keygen", "public"], { input: pair.out })).out.trim();
  const secret = encodeBase64(scene.secret);
  const copy = await scene.file("copy", `${secret}\n`, 0o644);
  await scene.file("psk", psk.out);
  const key = await scene.file("private", pair.out);
  const open = await scene.file("open", pair.out, 0o644);
  const peers = `[[peer]]\npublic-key = "${known}"\npreshared-key-file = "psk"\n`;
  const cases: [settings: string, key: string][] = [
    ["", scene.secretFile],
    ["", copy],
    ["", secret],
    [peers, open],
    [peers, pair.out.trim()],
    [peers, psk.out.trim()],
    [`[sync.wg0]\nprivate-key-file = "${key}"\n`, open],
    [`[sync.wg0]\nprivate-key-file = "${key}"\n[sync.wg1]\n`, pair.out.trim()],
    [`[[serve.group]]\nsecret-file = "copy"\n`, secret],
    [`[[serve.group]]\nsecret-files = ["psk", "copy"]\n`, secret],
    [`[[serve.group]]\nsecret-files = ["psk", "copy"]\n`, psk.out.trim()],
  ];
  for (const [settings, given] of cases) {
    const config = ["--config", await scene.file("wgsig.toml", settings)];
    for (const asked of [server.address, `punch://127.0.0.1:${server.port}`]) {
      for (const servers of [["query", asked], ["config", "--server", asked]]) {
        const args = [...servers, ...config, "--secret", scene.secretFile, "--key", given];
        const { code, out, err } = await wgsig(args);
        assertEquals([code, out], [6, ""], `${settings}${given}: ${err}`);
        assertMatch(err, /^wgsig: .*, which must not be told to anyone: .*\n$/);
        for (const hidden of [secret, pair.out.trim(), psk.out.trim()]) {
          assert(!err.includes(hidden));
        }
      }
    }
  }
  // A key that is nobody's here may have any mode; one in 32 looks like a private key, and this one not.
  const bytes = randomBytes(32);
  bytes[0]! |= 1;
  const other = await scene.file("public", `${encodeBase64(bytes)}\n`, 0o600);
  const asked = await scene.query([server.address, "--key", other, "--json"]);
  assertEquals([asked.code, asked.err], [0, ""]);
  assertEquals(readJson(asked.out).peers, []);
});

Deno.test("a private key is never taken for a public one; --private-key takes it", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const pair = await wgsig(["keygen", "private"]);
  const known = (await wgsig(["keygen", "public"], { input: pair.out })).out.trim();
  const file = await scene.file("private", pair.out);
  for (const command of ["query", "config"]) {
    const servers = command === "query" ? [server.address] : ["--server", server.address];
    const args = [command, ...servers, "--secret", scene.secretFile];
    const refused = await wgsig([...args, "--key", file]);
    assertEquals([refused.code, refused.out], [6, ""]);
    assertMatch(refused.err, /^wgsig: \S+ seems to be a private key, .* --private-key, .*\n$/);
    assert(!refused.err.includes(pair.out.trim()));
    const both = await wgsig([...args, "--key", file, "--private-key", file]);
    assertEquals([both.code, both.out], [6, ""]);
    assertMatch(both.err, /^wgsig: \S+ is the private key file: leave --key out\n$/);
  }
  const none = await wgsig(
    [
      "query",
      server.address,
      "--secret",
      scene.secretFile,
      "--key",
      known,
      "--no-register",
      "--json",
    ],
  );
  assertEquals(readJson(none.out).peers, []);
  const asked = await wgsig(
    ["query", server.address, "--secret", scene.secretFile, "--private-key", file, "--json"],
  );
  assertEquals([asked.code, readJson(asked.out).self.publicKey], [0, known], asked.err);
  const given = await scene.file("public", `${known}\n`);
  const hidden = await wgsig(
    ["query", server.address, "--secret", scene.secretFile, "--key", given, "--json"],
  );
  // A public key looks like a private one by chance, once in 16 times.
  if (hidden.code === 0) assertEquals(readJson(hidden.out).self.publicKey, known);
});

Deno.test("SIGINT while it waits ends it", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const key = encodeBase64(randomBytes(32));
  const args = ["query", "--secret", scene.secretFile, "--key", key, fake.endpoint];
  const running = scene.start([BINARY, ...args, "--timeout", "1h"]);
  await fake.question();
  assert(await running.stop("SIGINT") !== 0);
  assertEquals([running.out, running.err], ["", ""]);
});

Deno.test("a whole group of a thousand peers comes through", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--max-answer", "1000"]);
  const peer = scene.peer();
  for (let sent = 20; sent <= 1000; sent += 20) {
    for (let i = 0; i < 20; i++) {
      await peer.send(peer.request({ id: randomBytes(32) }), server.port);
    }
    await until("they are registered", async () => {
      return (await server.counters())["peers"] === sent || undefined;
    });
  }
  const { code, out, err } = await scene.query([server.address, "--json", "--no-register"]);
  assertEquals([code, err], [0, ""]);
  const { servers: [asked], peers } = readJson(out);
  assertEquals([asked!.protocol, asked!.datagrams === asked!.expected], [2, true]);
  assertEquals(peers.length, 1000);
});

testWith(
  ["script"],
  "--nat says at once to a person what it does, and to nobody else",
  async () => {
    await using scene = await Scene.open();
    const server = await scene.serve();
    const key = encodeBase64(randomBytes(32));
    const args = ["query", "--nat", server.address, "--secret", scene.secretFile, "--key", key];
    const argv = [BINARY, ...args, ...server.pin];
    const { out } = await run(["script", "-qec", argv.join(" "), "/dev/null"]);
    assertMatch(
      out,
      new RegExp(
        `^wgsig: asking ${server.address} from a port, and gateways .*; that takes some seconds`,
      ),
    );
    assertMatch(out, /^reaches peers in the same LAN: directly\r?$/m);
    assert(!/asking/.test((await run(argv)).err));
  },
);
