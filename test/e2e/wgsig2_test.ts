/** `wgsig query` and `wgsig config` with registries that speak wgsig 2. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { x25519 } from "@noble/curves/ed25519.js";
import { wgsig } from "../support/program.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import type { Place } from "../support/scripted_registry.ts";
import { isWgsig2, randomBytes, Scene } from "./scene.ts";
import { Wgsig2Server } from "./wgsig2_scene.ts";

const PLACES: readonly Place[] = [
  ["seen", "2001:db8::1", 1001],
  ["mapped", "198.51.100.1", 7],
  ["seen", "192.0.2.1", 1000],
  ["lan", "10.0.0.1", 51820],
  ["relay", "203.0.113.1", 1223],
];

/** A peer's keys, the private one in a file. */
async function keysIn(scene: Scene): Promise<{ file: string; publicKey: string }> {
  const privateKey = randomBytes(32);
  const file = await scene.file(`private-${privateKey[0]}`, `${encodeBase64(privateKey)}\n`);
  return { file, publicKey: encodeBase64(x25519.getPublicKey(privateKey)) };
}

function keyOf(server: Wgsig2Server): string {
  return encodeBase64(server.registry.publicKey.bytes);
}

Deno.test("query shows each place of a peer, IPv6 alone among them, and what is not proved", async () => {
  await using scene = await Scene.open();
  await using server = new Wgsig2Server(scene.secret);
  const [peer, other] = [randomBytes(32), randomBytes(32)];
  server.registry.set(peer, ...PLACES);
  server.registry.set(other, ["seen", "2001:db8::2", 2]);
  const key = encodeBase64(randomBytes(32));
  const table = await scene.query([server.endpoint, "--key", key]);
  assertEquals([table.code, table.err], [0, ""]);
  const [own, head, ...rows] = table.out.trimEnd().split("\n").map((line) => line.split(/ {2,}/));
  assertMatch(own![0]!, new RegExp(`^This peer: .{44} at 127\\.0\\.0\\.1:\\d+$`));
  assertEquals(head, ["PUBLIC KEY", "ENDPOINT", "KIND", "SEEN"]);
  assertEquals(
    rows.map((row) => row.slice(1, 3)),
    [
      ["192.0.2.1:1000", "seen"],
      ["[2001:db8::1]:1001", "seen"],
      ["198.51.100.1:7", "mapped"],
      ["10.0.0.1:51820", "lan"],
      ["[2001:db8::2]:2", "seen"],
    ],
  );
  assertEquals(rows.map(([first]) => first), [
    encodeBase64(peer),
    "",
    "",
    "",
    encodeBase64(other),
  ]);

  const json = await scene.query([server.endpoint, "--json", "--key", key]);
  const { schema, servers, self, peers } = JSON.parse(json.out);
  assertEquals([json.code, json.err, schema], [0, "", 2]);
  assertEquals(servers, [{
    server: server.endpoint,
    status: "ok",
    protocol: 2,
    serverKey: keyOf(server),
    datagrams: 1,
    expected: 1,
  }]);
  assertEquals(self.candidates.length, 1);
  assertEquals(peers[1], {
    publicKey: encodeBase64(other),
    name: null,
    endpoint: "[2001:db8::2]:2",
    candidates: [{
      kind: "seen",
      endpoint: "[2001:db8::2]:2",
      age: peers[1].candidates[0].age,
      server: server.endpoint,
    }],
    proved: true,
    near: false,
    probes: false,
    nat: "unknown",
    seen: peers[1].seen,
    age: peers[1].age,
  });
  assert(Math.abs(peers[1].age - 3) <= 1 && Math.abs(peers[1].candidates[0].age - 7) <= 1);

  // A line a peer, as ever.
  const dump = await scene.query([server.endpoint, "--dump", "--key", key]);
  const lines = dump.out.trimEnd().split("\n").map((line) => line.split("\t"));
  assertEquals(lines.map(([key, endpoint]) => [key, endpoint]).slice(1), [
    [encodeBase64(peer), "192.0.2.1:1000"],
    [encodeBase64(other), "[2001:db8::2]:2"],
  ]);
  assert(lines.slice(1).every((fields) => fields.length === 5));
});

Deno.test("--private-key proves, the key that was learnt is said, and one that is pinned isn't", async () => {
  await using scene = await Scene.open();
  await using server = new Wgsig2Server(scene.secret, { wantsCookie: true });
  const { file, publicKey } = await keysIn(scene);
  const args = ["query", server.endpoint, "--secret", scene.secretFile, "--private-key", file];
  const learnt = await wgsig([...args, "--json"]);
  assertEquals(learnt.code, 0);
  assertStringIncludes(learnt.err, `has the key ${keyOf(server)}`);
  assertMatch(learnt.err, /^wgsig: .* pin it \(--server-key.*\n$/);
  assertEquals(JSON.parse(learnt.out).self.publicKey, publicKey);
  // For the key, for the cookie, and what counts.
  assertEquals(server.registry.asked.length, 3);
  const flags = server.registry.asked.map(({ question: { flags } }) => flags);
  assert(flags.every((each) => each === QUESTION_FLAG.proved));
  for (const pin of [keyOf(server), `${server.endpoint}=${keyOf(server)}`]) {
    const pinned = await wgsig([...args, "--server-key", pin, "--no-register"]);
    assertEquals([pinned.code, pinned.err], [0, ""]);
  }
  assertEquals(server.registry.asked.length, 7);
});

Deno.test("a server with another key than the pinned one is refused, exit status 4", async () => {
  await using scene = await Scene.open();
  await using server = new Wgsig2Server(scene.secret);
  server.registry.set(randomBytes(32), ...PLACES);
  const { file } = await keysIn(scene);
  const pin = encodeBase64(x25519.getPublicKey(randomBytes(32)));
  for (const proving of [["--private-key", file], ["--key", encodeBase64(randomBytes(32))]]) {
    const args = ["--secret", scene.secretFile, "--server-key", pin, "--timeout", "3s"];
    const refused = await wgsig(["query", server.endpoint, ...args, ...proving]);
    assertEquals([refused.code, refused.out], [4, ""]);
    assertStringIncludes(refused.err, `has the key ${keyOf(server)}, not the one `);
    assertStringIncludes(refused.err, `name it in the settings (${server.endpoint}=KEY where`);
    const json = await wgsig(["query", server.endpoint, ...args, ...proving, "--json"]);
    const { servers, peers } = JSON.parse(json.out);
    assertEquals([servers[0].status, peers], ["wrong-key", []]);
  }
});

Deno.test("a member who has the secret and not the registry's key is not believed", async () => {
  await using scene = await Scene.open();
  await using member = new Wgsig2Server(scene.secret, { isImpostor: true });
  member.registry.set(randomBytes(32), ...PLACES);
  const { file } = await keysIn(scene);
  const pin = encodeBase64(x25519.getPublicKey(randomBytes(32)));
  const args = ["--secret", scene.secretFile, "--private-key", file, "--timeout", "1s"];
  const { code, out } = await wgsig([
    "query",
    member.endpoint,
    ...args,
    "--server-key",
    pin,
  ]);
  assertEquals([code, out], [2, ""]);
  assert(member.registry.asked.length > 1);
});

Deno.test("who has pinned a key asks in wgsig 2 alone, and takes no answer in the first protocol", async () => {
  await using scene = await Scene.open();
  const server = scene.end();
  const pin = encodeBase64(x25519.getPublicKey(randomBytes(32)));
  const args = ["--server-key", pin, "--timeout", "1s"];
  const { code, out, err } = await scene.query([server.endpoint, ...args]);
  assertEquals([code, out], [2, ""]);
  assertMatch(err, /with server-key set, .* is not asked in the way that it understands\)\n$/);
  const came = await server.drain();
  assert(came.length > 1);
  assert(came.every(({ bytes }) => isWgsig2(bytes)));
});

Deno.test("a C server's silence on wgsig 2 costs no time: its answer is taken as it comes", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const finished = scene.query([fake.endpoint, "--json", "--timeout", "20s"]);
  const first = await fake.next();
  assert(isWgsig2(first.bytes), "wgsig 2 does not go first");
  const { from, request } = await fake.question();
  assertEquals(from.port, first.port);
  await fake.reply(from, ...fake.answer(request, [fake.own(request, from)]));
  const { code, out } = await finished;
  assertEquals([code, JSON.parse(out).servers[0].protocol], [0, 1]);
  assertEquals(await fake.drain(), []);
});

Deno.test("a registry whose clock is far off is answered by its own time", async () => {
  await using scene = await Scene.open();
  for (const ahead of [-1_600_000_000, 100_000]) {
    await using server = new Wgsig2Server(scene.secret, { ahead });
    const { code, err } = await scene.query([server.endpoint]);
    assertEquals([code, err], [0, ""]);
    assertEquals(server.registry.asked.length, 2);
  }
});

Deno.test("config takes the best place of a peer", async () => {
  await using scene = await Scene.open();
  await using server = new Wgsig2Server(scene.secret);
  const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  server.registry.set(first, ...PLACES);
  server.registry.set(second, ["mapped", "198.51.100.2", 2], ["seen", "2001:db8::2", 2]);
  server.registry.set(third, ["lan", "10.0.0.3", 3], ["declared", "192.0.2.3", 3]);
  const { file } = await keysIn(scene);
  const { code, out } = await wgsig([
    "config",
    "--server",
    server.endpoint,
    "--secret",
    scene.secretFile,
    "--private-key",
    file,
    "--server-key",
    keyOf(server),
  ]);
  assertEquals(code, 0);
  assertEquals(
    [...out.matchAll(/^PublicKey = (.*)\n(?:#.*\n)?Endpoint = (.*)$/gm)].map(([, ...each]) => each),
    [
      [encodeBase64(first), "192.0.2.1:1000"],
      [encodeBase64(second), "[2001:db8::2]:2"],
      [encodeBase64(third), "192.0.2.3:3"],
    ],
  );
});

Deno.test("a key for a server that nobody asks, or two for one, is an error; the settings may have one", async () => {
  await using scene = await Scene.open();
  await using server = new Wgsig2Server(scene.secret);
  const key = keyOf(server);
  const refused: [string[], RegExp][] = [
    [[`elsewhere=${key}`], /server-key has a key for elsewhere:1223, which is none of the servers/],
    [[key, key], /two keys for 127\.0\.0\.1:\d+/],
    [["nonsense"], /--server-key: expected KEY or HOST\[:PORT\]=KEY/],
    [[`dns://a/b=${key}`], /expected KEY/],
  ];
  for (const [pins, message] of refused) {
    const flags = pins.flatMap((pin) => ["--server-key", pin]);
    const { code, err } = await scene.query([server.endpoint, ...flags]);
    assertEquals(code, 6);
    assertMatch(err, message);
  }
  assertEquals(server.registry.asked, []);
  for (const text of [`"${key}"`, `["${server.endpoint}=${key}"]`]) {
    const config = await scene.file(
      "wgsig.toml",
      `[sync.wg-none]\nservers = ["${server.endpoint}"]\nserver-key = ${text}\n`,
    );
    assertEquals((await scene.query(["--config", config])).code, 0);
  }
});

Deno.test("a server that wants a proof is said to", async () => {
  await using scene = await Scene.open();
  await using server = new Wgsig2Server(scene.secret, { retries: new Array<number>(40).fill(3) });
  const { code, err } = await scene.query([server.endpoint]);
  assertEquals(code, 4);
  assertStringIncludes(err, "wants a proof");
});
