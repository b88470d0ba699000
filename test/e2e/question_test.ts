/** The built registry, asked in wgsig 2. */

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { decodeBase64 } from "@std/encoding/base64";
import { ANSWER_FLAG } from "../../lib/wire/wgsig2/answer.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import { RECORD_FLAG } from "../../lib/wire/wgsig2/record.ts";
import { wgsig } from "../support/program.ts";
import { Asker } from "./asker.ts";
import { KEEP_ENDPOINT, Scene, type Served } from "./scene.ts";

const { registered } = ANSWER_FLAG;
const SUBSCRIBE = { flags: QUESTION_FLAG.subscribe } as const;

/** The public key that a server has logged. */
async function loggedKey({ running }: Served): Promise<string> {
  const [, key = ""] = await running.printed(/ ready .*server-key=(\S+)/);
  return key;
}

Deno.test("a peer proves its key for a registry whose key it learns, and meets one of the first protocol", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--state", `${scene.folder}/state`]);
  const asker = new Asker(scene, 1);
  const old = scene.peer();
  await old.ask(server.port);
  assertEquals(await asker.ask(server.port) & registered, registered);
  assertEquals(asker.client.peers.get(old.publicKey)?.candidates, [`seen ${old.endpoint}`]);
  const own = asker.client.peers.get(asker.client.key);
  assert(own !== undefined && (own.flags & RECORD_FLAG.proved) !== 0);
  const { records } = await old.ask(server.port, { flags: KEEP_ENDPOINT });
  assertEquals(records.map((record) => record.port).sort(), [old.port, asker.end.port].sort());
  // Which it shows, and `keygen public` as well.
  const file = `${scene.folder}/state.key`;
  const { mode } = await Deno.stat(file);
  assertEquals(mode! & 0o777, 0o600);
  const shown = await wgsig(["keygen", "public"], { input: await Deno.readTextFile(file) });
  const logged = await loggedKey(server);
  assertEquals(shown.out.trim(), logged);
  assertEquals(asker.client.serverKey, decodeBase64(logged));
  assertMatch(server.running.out, /server-key-made .*state\.key hint="keep a copy/);
  assert(!server.running.out.includes((await Deno.readTextFile(file)).trim()));
});

Deno.test("the registry's key stays the same over a start, and is another one where it is not kept", async () => {
  await using scene = await Scene.open();
  const key = ["--key", `${scene.folder}/own.key`];
  const first = await scene.serve(key);
  const logged = await loggedKey(first);
  await first.running.stop();
  const second = await scene.serve(key);
  assertEquals(await loggedKey(second), logged);
  assert(!second.running.out.includes("server-key-made"));
  const third = await scene.serve();
  assertNotEquals(await loggedKey(third), logged);
  assertMatch(third.running.out, /server-key-not-kept/);
});

Deno.test("a group's secret, which every member has, is not taken for the registry's key", async () => {
  await using scene = await Scene.open();
  const listen = ["--listen", "127.0.0.1:0", "--secret", scene.secretFile];
  const { code, err } = await wgsig(["serve", ...listen, "--key", scene.secretFile]);
  assertEquals(code, 6);
  assertMatch(err, /holds the secret of group 0, which every member has; name another file/);
});

Deno.test("proof that is required by a reload is required from then on", async () => {
  await using scene = await Scene.open();
  const settings = (proof: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\n[[serve.group]]\nsecret-file = "secret"\nproof = "${proof}"\n`,
    );
  const server = await scene.serveWith(["--config", await settings("auto")]);
  const unproved = new Asker(scene, 1, { unproved: true });
  const proved = new Asker(scene, 2);
  assertEquals(await unproved.ask(server.port) & registered, registered);
  await proved.ask(server.port);
  assertEquals(proved.client.peers.size, 2);
  await settings("required");
  await server.signal("SIGHUP", / reloaded /);
  assertEquals(await unproved.ask(server.port) & registered, 0);
  assertEquals(await proved.ask(server.port) & registered, registered);
  assertEquals([...proved.client.peers.keys()], [proved.client.key]);
});

Deno.test("a registry on several addresses answers each family from where it was asked", async () => {
  await using scene = await Scene.open();
  const port = await scene.freePort();
  const server = await scene.serveWith([
    ...["--secret", scene.secretFile, "--listen", `127.0.0.1:${port}`, "--listen", `[::1]:${port}`],
  ]);
  assertEquals(server.port, port);
  const four = new Asker(scene, 1);
  const six = new Asker(scene, 1, { host: "::1" });
  assertEquals(await four.ask(port) & registered, registered);
  assertEquals(await six.ask(port) & registered, registered);
  assertEquals(six.client.peers.get(six.client.key)?.candidates, [
    `seen ${four.end.endpoint}`,
    `seen ${six.end.endpoint}`,
  ]);
});

Deno.test("what changes is pushed at once, through the listener that was asked, and so is who is gone", async () => {
  await using scene = await Scene.open();
  const port = await scene.freePort();
  await scene.serveWith([
    ...["--secret", scene.secretFile, "--listen", `127.0.0.1:${port}`, "--listen", `[::1]:${port}`],
    ...["--max-age", "3s"],
  ]);
  const askers = [new Asker(scene, 1), new Asker(scene, 2, { host: "::1" })];
  for (const asker of askers) {
    assertEquals(await asker.ask(port, SUBSCRIBE) & ANSWER_FLAG.subscribed, ANSWER_FLAG.subscribed);
  }
  const old = scene.peer();
  await old.ask(port);
  for (const { client, end } of askers) {
    while (!client.peers.has(old.publicKey)) client.hear((await end.next()).bytes);
    assertEquals(client.peers.get(old.publicKey)?.candidates, [`seen ${old.endpoint}`]);
  }
  // They ask, and nobody else does; the other one is gone in time, and they hear it.
  for (const { client, end } of askers) {
    while (client.peers.has(old.publicKey)) {
      const heard = client.hear((await end.next()).bytes);
      // What didn't come in order is asked for.
      if (heard?.kind === "push" && heard.told.length === 0) {
        await end.send(client.ask(Date.now() / 1000, SUBSCRIBE), port);
      }
    }
  }
});

Deno.test("a member neither moves a peer that has proved its key nor locks it out", async () => {
  await using scene = await Scene.open();
  const { port } = await scene.serve();
  const victim = new Asker(scene, 1);
  await victim.ask(port);
  const evil = new Asker(scene, 1, { unproved: true });
  evil.client.ahead = 25;
  assertEquals(await evil.ask(port) & registered, 0);
  const old = scene.peer();
  const seconds = Math.floor(Date.now() / 1000) + 25;
  const { records } = await old.ask(port, { id: victim.client.id, seconds });
  assertEquals(records.map((record) => record.port), [victim.end.port]);
  assertEquals(await victim.ask(port) & registered, registered);
  assertEquals(victim.client.peers.get(victim.client.key)?.candidates, [
    `seen ${victim.end.endpoint}`,
  ]);
});

Deno.test("a question that is played back after a start, or from another port, registers nobody", async () => {
  await using scene = await Scene.open();
  const key = ["--key", `${scene.folder}/own.key`];
  const server = await scene.serve(key);
  const asker = new Asker(scene, 1);
  await asker.ask(server.port);
  const question = asker.client.ask(Date.now() / 1000 + 20);
  await asker.end.send(question, server.port);
  await asker.end.next();
  const thief = scene.end();
  await thief.send(question, server.port);
  assert((await thief.next()).bytes.length <= question.length);
  const reader = scene.peer();
  const seen = async (port: number) =>
    (await reader.ask(port, { flags: KEEP_ENDPOINT })).records.map((record) => record.port);
  assertEquals(await seen(server.port), [asker.end.port]);
  await server.running.stop("SIGKILL");
  const again = await scene.serve(key);
  for (const end of [thief, asker.end]) {
    await end.send(question, again.port);
    assert((await end.next()).bytes.length <= question.length);
  }
  assertEquals(await seen(again.port), []);
  assertEquals((await again.counters())["retry-address"], 2);
});

Deno.test("a group that fills several datagrams is told whole", async () => {
  await using scene = await Scene.open();
  const { port } = await scene.serve();
  const peers = scene.peers(80);
  for (const peer of peers) await peer.ask(port);
  for (const unproved of [false, true]) {
    const asker = new Asker(scene, 1, { unproved });
    assertEquals(await asker.ask(port, { flags: QUESTION_FLAG.keep }), ANSWER_FLAG.whole);
    const heard = asker.client.heard.at(-1);
    assert(heard?.kind === "answer" && heard.parts > 2);
    const known = [...asker.client.peers].map(([key, { candidates }]) => `${key} ${candidates}`);
    assertEquals(
      known.sort(),
      peers.map((peer) => `${peer.publicKey} seen ${peer.endpoint}`).sort(),
    );
  }
});
