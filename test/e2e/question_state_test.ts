/** What of the peers of wgsig 2 a restart, a crash and `SIGHUP` of the built registry leave. */

import { assert, assertEquals } from "@std/assert";
import { ANSWER_FLAG } from "../../lib/wire/wgsig2/answer.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import { RECORD_FLAG } from "../../lib/wire/wgsig2/record.ts";
import { Asker } from "./asker.ts";
import { KEEP_ENDPOINT, keysIn, recordOf, Scene, type Served, until } from "./scene.ts";

const { registered, subscribed } = ANSWER_FLAG;
const { subscribe } = QUESTION_FLAG;
const KEEP = { flags: QUESTION_FLAG.keep };
const SAID = ["lan 192.168.1.2:51820", "declared [2001:db8::7]:9"];
/** At most this much is lost by kill -9, in seconds. */
const LOSS_SECONDS = 5;

/** A registry with a state file that both families can ask. */
async function start(scene: Scene, port: number): Promise<Served> {
  return await scene.serveWith([
    ...["--secret", scene.secretFile, "--state", `${scene.folder}/state`],
    ...["--listen", `127.0.0.1:${port}`, "--listen", `[::1]:${port}`],
  ]);
}

/** Whether the state file has these bytes somewhere. */
async function holds(scene: Scene, bytes: readonly number[]): Promise<boolean> {
  const file = await Deno.readFile(`${scene.folder}/state`);
  for (let at = 0; at + bytes.length <= file.length; at++) {
    if (bytes.every((byte, i) => file[at + i] === byte)) return true;
  }
  return false;
}

/** A candidate as it is written: where ::1 was seen, at a port. */
function seenAtLoopback(port: number): number[] {
  return [0x16, port >> 8, port & 255, ...new Array<number>(15).fill(0), 1];
}

for (const [what, signal] of [["a restart", "SIGTERM"], ["kill -9", "SIGKILL"]] as const) {
  Deno.test(`${what} leaves proofs, both families and what peers say; and no old question counts`, async () => {
    await using scene = await Scene.open();
    const port = await scene.freePort();
    const first = await start(scene, port);
    const own = new Asker(scene, 1);
    const six = new Asker(scene, 1, { host: "::1" });
    const looker = new Asker(scene, 2, { unproved: true });
    await own.ask(port, { candidates: SAID });
    await six.ask(port, { candidates: SAID });
    await looker.ask(port, KEEP);
    const before = looker.client.peers.get(own.client.key);
    assertEquals(before?.candidates, [
      `seen ${own.end.endpoint}`,
      `seen ${six.end.endpoint}`,
      ...SAID,
    ]);
    if (signal === "SIGKILL") {
      // What was said last is added with all before it.
      await until(
        "the IPv6 endpoint is on the disk",
        async () => await holds(scene, seenAtLoopback(six.end.port)) || undefined,
        LOSS_SECONDS,
      );
    }
    await first.running.stop(signal);

    const second = await start(scene, port);
    await second.running.printed(/ info members-restored file=\S+ members=1 proved=1\n/);
    await second.running.printed(/ info state-restored file=\S+ peers=1\n/);
    await looker.ask(port, KEEP);
    const after = looker.client.peers.get(own.client.key);
    assertEquals({ ...after, age: 0 }, { ...before, age: 0 });
    assert((after!.flags & RECORD_FLAG.proved) !== 0);

    // Another member says that it is this peer, in both protocols.
    const thief = new Asker(scene, 3, { unproved: true, id: own.client.id });
    assertEquals(await thief.ask(port) & registered, 0);
    const old = scene.peer();
    await old.ask(port, { id: own.client.id });
    // And plays back what the peer has said to the process before.
    for (const datagram of [...own.sent, ...six.sent]) {
      await thief.end.send(datagram, port);
      // A retry, since the cookie in it, if any, is one of before.
      assert((await thief.end.next()).bytes.length <= datagram.length);
    }
    await looker.ask(port, KEEP);
    assertEquals(
      { ...looker.client.peers.get(own.client.key), age: 0 },
      { ...before, age: 0 },
    );
    const counts = await second.counters();
    assertEquals([counts["kept-proved"], counts["registered"] ?? 0], [2, 0]);

    // Its own word counts, at once.
    assertEquals(await own.ask(port) & registered, registered);
    await looker.ask(port, KEEP);
    assertEquals(looker.client.peers.get(own.client.key)?.candidates, [
      `seen ${own.end.endpoint}`,
      `seen ${six.end.endpoint}`,
    ]);
    assertEquals(await second.running.stop(), 0);
  });
}

for (const [what, signal] of [["a restart", "SIGTERM"], ["kill -9", "SIGKILL"]] as const) {
  Deno.test(`${what} leaves who has subscribed: a change is pushed before the next question`, async () => {
    await using scene = await Scene.open();
    const port = await scene.freePort();
    const first = await start(scene, port);
    const own = new Asker(scene, 1, { host: "::1" });
    const other = new Asker(scene, 2);
    assertEquals(await own.ask(port, { flags: subscribe }) & subscribed, subscribed);
    const begun = own.client.subscribed;
    await until(
      "the subscription is on the disk",
      async () => await holds(scene, [...begun]) || undefined,
      LOSS_SECONDS,
    );
    // It goes on: the last question is another one than the first.
    await own.ask(port, { flags: subscribe });
    await other.ask(port);
    const before = own.client.hear((await own.end.next()).bytes);
    assert(before?.kind === "push");
    await first.running.stop(signal);

    const second = await start(scene, port);
    own.client.subscribed = begun;
    await other.ask(port, { candidates: SAID });
    const pushed = await own.end.next();
    assertEquals(pushed.port, port);
    const after = own.client.hear(pushed.bytes);
    assert(after?.kind === "push" && after.counter > before.counter);
    await own.ask(port, { flags: subscribe });
    assertEquals(own.client.peers.get(other.client.key)?.candidates.slice(1), SAID.slice(1));
    const counts = await second.counters();
    assertEquals(counts["pushed"], 1);
    assertEquals(await second.running.stop(), 0);
  });
}

Deno.test("a secret is changed over SIGHUP without a proof or a peer that gets lost, and over a restart", async () => {
  await using scene = await Scene.open();
  const fresh = await scene.secretIn("new");
  const settings = (group: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\nstate = "state"\n[[serve.group]]\n${group}\n`,
    );
  const args = ["--config", await settings(`secret-file = "secret"`)];
  let server = await scene.serveWith(args);
  const slow = new Asker(scene, 1);
  const quick = new Asker(scene, 2);
  await slow.ask(server.port);
  await quick.ask(server.port);
  await settings(`secret-files = ["new", "secret"]`);
  await server.signal("SIGHUP", / reloaded group-ids=0\n/);
  const changed = new Asker(scene, 2, { secret: fresh.secret });
  for (const way of ["SIGHUP", "a restart"]) {
    for (const asker of [slow, changed]) {
      assertEquals(await asker.ask(server.port) & registered, registered, way);
      const { peers } = asker.client;
      assertEquals(peers.size, 2);
      for (const { flags } of peers.values()) assert((flags & RECORD_FLAG.proved) !== 0);
    }
    if (way === "a restart") break;
    assertEquals(await server.running.stop(), 0);
    server = await scene.serveWith(args);
  }
  // With a cookie of before the restart, and with one of now.
  assertEquals((await server.counters())["former-secret"], 2);
  await settings(`secret-file = "new"`);
  await server.signal("SIGHUP", / reloaded group-ids=0\n/);
  await slow.end.send(slow.client.ask(Date.now() / 1000), server.port);
  await changed.ask(server.port);
  assertEquals(await slow.end.drain(), []);
  assertEquals(changed.client.peers.size, 2);
  // Who knows the new secret and proves nothing, moves neither of them.
  const old = scene.peer(fresh.secret);
  const answer = await old.ask(server.port, { id: slow.client.id });
  assertEquals(recordOf(answer, old), undefined);
  assertEquals(keysIn(answer), [slow.client.key, changed.client.key].sort());
  const { records } = await old.ask(server.port, { flags: KEEP_ENDPOINT });
  assertEquals(
    records.map(({ port }) => port).sort(),
    [slow.end.port, changed.end.port].sort(),
  );
});
