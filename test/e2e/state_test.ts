/** `wgsig serve --state`: what a restart, a crash and a damaged disk leave. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BATCH_HEAD, readJournal } from "../../lib/core/store/journal_file.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { idOf } from "../support/fake_random.ts";
import { BINARY, wgsig } from "../support/program.ts";
import { RegistryDriver } from "../support/registry_driver.ts";
import { encodeFormerState } from "../support/saved_state.ts";
import { killAtMoments } from "./kill_moments.ts";
import {
  KEEP_ENDPOINT,
  KEEP_LABEL,
  keysIn,
  keysOf,
  type Peer,
  recordOf,
  Scene,
  until,
} from "./scene.ts";

/** At most this much is lost by kill -9, in seconds. */
const LOSS_SECONDS = 5;

/** Whether a state file knows a peer. */
async function knows(file: string, peer: Peer): Promise<boolean> {
  const bytes = await Deno.readFile(file);
  for (let at = 0; at + peer.id.length <= bytes.length; at++) {
    if (peer.id.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

Deno.test("state survives a restart by SIGTERM", async () => {
  await using scene = await Scene.open();
  const state = `${scene.folder}/state`;
  const first = await scene.serve(["--state", state]);
  const peers = scene.peers(12);
  for (const peer of peers) await peer.ask(first.port);
  const looker = scene.peer();
  const before = await looker.ask(first.port, { flags: KEEP_ENDPOINT });
  assertEquals(await first.running.stop(), 0);
  assertEquals((await Deno.stat(state)).mode! & 0o777, 0o600);
  assertEquals(await exists(`${state}.new`), false);

  const second = await scene.serve(["--state", state]);
  await second.running.printed(/ info state-restored file=\S+ peers=12\n/);
  const after = await looker.ask(second.port, { flags: KEEP_ENDPOINT });
  assertEquals(keysIn(after), keysOf(peers));
  for (const peer of peers) assertEquals(recordOf(after, peer), recordOf(before, peer));
});

Deno.test("state keeps groups apart, and leaves out what is gone or not allowed any more", async () => {
  await using scene = await Scene.open();
  const one = await scene.secretIn("one");
  const two = await scene.secretIn("two");
  const group = (id: number, secret: string, more = "") =>
    `[[serve.group]]\nid = ${id}\nsecret-file = "${secret}"\n${more}`;
  const settings = (groups: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\nstate = "state"\n${groups}`,
    );
  const args = ["--config", await settings(group(1, "one") + group(2, "two"))];
  const first = await scene.serveWith(args);
  const [a, b] = [scene.peer(one.secret), scene.peer(one.secret)];
  const c = scene.peer(two.secret);
  await a.ask(first.port, { group: 1 });
  await b.ask(first.port, { group: 1 });
  await c.ask(first.port, { group: 2 });
  assertEquals(await first.running.stop(), 0);

  await scene.file("allowed", `${b.publicKey}\n`);
  await settings(group(1, "one", `allow-file = "allowed"\n`));
  const second = await scene.serveWith(args);
  await second.running.printed(/ state-restored file=\S+ peers=1 forgotten=1\n/);
  assertEquals(keysIn(await b.ask(second.port, { group: 1 })), keysOf([b]));
});

Deno.test("kill -9 loses 5 s at most", async () => {
  await using scene = await Scene.open();
  const state = `${scene.folder}/state`;
  const first = await scene.serve(["--state", state]);
  const [one, two] = [scene.peer(), scene.peer()];
  for (const peer of [one, two]) {
    // The second comes when a state was saved already.
    await peer.ask(first.port);
    await until(
      "the peer is in the state file",
      async () => await knows(state, peer) || undefined,
      LOSS_SECONDS,
    );
  }
  const code = await first.running.stop("SIGKILL");
  assert(code !== 0);
  const second = await scene.serve(["--state", state]);
  const answer = await scene.peer().ask(second.port, { flags: KEEP_ENDPOINT });
  assertEquals(keysIn(answer), keysOf([one, two]));
  assertEquals(recordOf(answer, one)?.endpoint, one.endpoint);
});

Deno.test("a request from before the restart is no request after it", async () => {
  await using scene = await Scene.open();
  const args = ["--state", `${scene.folder}/state`];
  const first = await scene.serve(args);
  const [peer, thief] = [scene.peer(), scene.peer()];
  await peer.ask(first.port);
  const flags = [0, KEEP_ENDPOINT, KEEP_ENDPOINT | KEEP_LABEL];
  const captured = flags.map((each) => peer.request({ flags: each }));
  for (const bytes of captured) {
    await peer.send(bytes, first.port);
    await peer.answer();
  }
  assertEquals(await first.running.stop(), 0);
  const second = await scene.serve(args);
  for (const bytes of captured) await thief.assertSilent(second.port, bytes);
  assertEquals((await second.counters())["drop-replayed"], captured.length);
  const answer = await peer.ask(second.port, { flags: KEEP_ENDPOINT });
  assertEquals(recordOf(answer, peer)?.endpoint, peer.endpoint);
});

Deno.test("max-age goes on while the server is down", async () => {
  await using scene = await Scene.open();
  const args = ["--state", `${scene.folder}/state`, "--max-age"];
  const first = await scene.serve([...args, "1d"]);
  const peer = scene.peer();
  await peer.ask(first.port);
  assertEquals(await first.running.stop(), 0);
  const second = await scene.serve([...args, "1ms"]);
  const answer = await scene.peer().ask(second.port, { flags: KEEP_ENDPOINT });
  assertEquals(keysIn(answer), []);
});

const DAMAGES: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array])[] = [
  ["truncated", (bytes) => bytes.slice(0, -30)],
  ["with a flipped bit", (bytes) => bytes.map((byte, i) => i === 60 ? byte ^ 4 : byte)],
  ["with a flipped bit in its head", (bytes) => bytes.map((byte, i) => i === 9 ? byte ^ 4 : byte)],
];
for (const [name, damage] of DAMAGES) {
  Deno.test(`a state file ${name} is set aside, and said so`, async () => {
    await using scene = await Scene.open();
    const state = `${scene.folder}/state`;
    const first = await scene.serve(["--state", state]);
    const peer = scene.peer();
    await peer.ask(first.port);
    assertEquals(await first.running.stop(), 0);
    const damaged = damage(await Deno.readFile(state));
    await Deno.writeFile(state, damaged);

    const second = await scene.serve(["--state", state]);
    const [line] = await second.running.printed(/^.* state-damaged .*$/m);
    assertMatch(line, new RegExp(` warn .* why=".*" kept=${state}\\.damaged$`));
    assertEquals(await Deno.readFile(`${state}.damaged`), damaged);
    // The server goes on with an empty table, and saves that.
    const other = scene.peer();
    assertEquals(keysIn(await other.ask(second.port)), keysOf([other]));
    assertEquals(await second.running.stop(), 0);
    const third = await scene.serve(["--state", state]);
    await third.running.printed(/ state-restored file=\S+ peers=1\n/);
  });
}

Deno.test("what a crash has torn off the end of a state file is passed over", async () => {
  await using scene = await Scene.open();
  const state = `${scene.folder}/state`;
  const first = await scene.serve(["--state", state]);
  const peer = scene.peer();
  await peer.ask(first.port);
  assertEquals(await first.running.stop(), 0);
  const bytes = await Deno.readFile(state);
  const { parts } = readJournal(new WireBuffer(bytes));
  const last = Math.max(...[...parts.values()].flat().map(({ at }) => at)) - BATCH_HEAD;
  // The beginning of something that was being added, or zeros in its place.
  for (const tail of [bytes.slice(last, -1), new Uint8Array(500), Uint8Array.of(0)]) {
    await Deno.writeFile(state, Uint8Array.from([...bytes, ...tail]));
    const next = await scene.serve(["--state", state]);
    await next.running.printed(/ state-restored file=\S+ peers=1\n/);
    await next.running.printed(new RegExp(` info state-cut file=\\S+ bytes=${tail.length}\n`));
    assertEquals(await next.running.stop(), 0);
  }
  assertEquals(await exists(`${state}.damaged`), false);
});

Deno.test("a file that is no state file is named, and stays as it is", async () => {
  await using scene = await Scene.open();
  await Deno.mkdir(`${scene.folder}/dir`);
  const secret = await Deno.readFile(scene.secretFile);
  const named = `${scene.folder}/dir/.././secret`;
  const garbage = await scene.file("garbage", crypto.getRandomValues(new Uint8Array(200)));
  for (const path of [named, garbage]) {
    const before = await Deno.readFile(path);
    const { code, out, err } = await wgsig(
      ["serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile, "--state", path],
    );
    const why =
      `wgsig: ${path} is no state file, and stays as it is; choose another with --state\n`;
    assertEquals([code, out, err], [6, "", why]);
    assertEquals(await Deno.readFile(path), before);
  }
  assertEquals(await Deno.readFile(scene.secretFile), secret);
  const names = await Array.fromAsync(Deno.readDir(scene.folder), ({ name }) => name);
  assertEquals(names.sort(), ["dir", "garbage", "secret"]);
});

Deno.test("one process has a state file, and the next when that is gone, however", async () => {
  await using scene = await Scene.open();
  const state = `${scene.folder}/state`;
  const first = await scene.serve(["--state", state]);
  const peer = scene.peer();
  await peer.ask(first.port);
  await until("it is saved", async () => await knows(state, peer) || undefined, LOSS_SECONDS);
  const before = await Deno.readFile(state);
  // However it is spelled.
  for (const path of [state, `${scene.folder}/./state`]) {
    const { code, out, err } = await wgsig(
      ["serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile, "--state", path],
    );
    const why = "is used by another process; stop it, or choose another with --state";
    assertEquals([code, out, err], [1, "", `wgsig: state file ${path} ${why}\n`]);
  }
  assertEquals(await Deno.readFile(state), before);
  let running = first.running;
  for (const signal of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
    await running.stop(signal);
    running = (await scene.serve(["--state", state])).running;
    await running.printed(/ state-restored file=\S+ peers=1\n/);
  }
});

Deno.test("a request from before a crash moves no peer, and adds none", async () => {
  await using scene = await Scene.open();
  const state = `${scene.folder}/state`;
  const first = await scene.serve(["--state", state]);
  const [known, lost, thief] = [scene.peer(), scene.peer(), scene.peer()];
  await known.ask(first.port);
  await until("it is saved", async () => await knows(state, known) || undefined, LOSS_SECONDS);
  // The next labels of the one are not on the disk, and the other isn't at all.
  const captured = [known.request(), lost.request()];
  await known.send(captured[0]!, first.port);
  await known.answer();
  await lost.send(captured[1]!, first.port);
  await lost.answer();
  await first.running.stop("SIGKILL");
  const second = await scene.serve(["--state", state]);
  for (const bytes of captured) {
    await thief.send(bytes, second.port);
    await thief.answer();
    await thief.assertSilent(second.port, bytes);
  }
  assertEquals((await second.counters())["before-start"], captured.length);
  const looked = await scene.peer().ask(second.port, { flags: KEEP_ENDPOINT });
  assertEquals(keysIn(looked), keysOf([known, thief]));
  assertEquals(recordOf(looked, known)?.endpoint, known.endpoint);
  // They themselves are heard as ever.
  for (const peer of [known, lost]) await peer.ask(second.port);
  const after = await scene.peer().ask(second.port, { flags: KEEP_ENDPOINT });
  assertEquals(keysIn(after), keysOf([known, lost, thief]));
});

Deno.test("a request from before a group was taken out and put back is none", async () => {
  await using scene = await Scene.open();
  const other = await scene.secretIn("other");
  const group = (id: number, secret: string) =>
    `[[serve.group]]\nid = ${id}\nsecret-file = "${secret}"\n`;
  const settings = (groups: string) =>
    scene.file("wgsig.toml", `[serve]\nlisten = ["127.0.0.1:0"]\nstate = "state"\n${groups}`);
  const both = group(0, "secret") + group(8, "other");
  const server = await scene.serveWith(["--config", await settings(both)]);
  const [peer, thief] = [scene.peer(other.secret), scene.peer(other.secret)];
  const captured = peer.request({ group: 8 });
  await peer.send(captured, server.port);
  await peer.answer();
  await settings(group(0, "secret"));
  await server.signal("SIGHUP", / reloaded group-ids=0\n/);
  await settings(both);
  await server.signal("SIGHUP", / reloaded group-ids=0,8\n/);
  await thief.assertSilent(server.port, captured, { group: 8 });
  assertEquals(keysIn(await thief.ask(server.port, { group: 8 })), keysOf([thief]));
  await peer.ask(server.port, { group: 8 });
  assertEquals(await server.running.stop(), 0);
});

Deno.test("state files as they were before are carried over, once", async () => {
  await using scene = await Scene.open();
  const state = `${scene.folder}/state`;
  const now = { unix: Date.now() / 1000, mono: 5000 };
  const driver = new RegistryDriver({ groups: [{ secret: scene.secret }] });
  for (let peer = 1; peer <= 12; peer++) driver.ask({ id: idOf(peer), secret: scene.secret });
  await Deno.writeFile(state, encodeFormerState(driver.registry, now), { mode: 0o600 });
  for (const signal of ["SIGTERM", "SIGKILL", "SIGTERM"] as const) {
    const server = await scene.serve(["--state", state]);
    await server.running.printed(/ state-restored file=\S+ peers=12\n/);
    await server.running.stop(signal);
    assertEquals(new TextDecoder().decode((await Deno.readFile(state)).slice(0, 8)), "wgsigst2");
  }
});

Deno.test("kill -9 at any moment loses 5 s at most, and lets no old request move a peer", async () => {
  const moments = await killAtMoments(20, 10);
  assertEquals(moments.length, 20);
  assert(moments.reduce((sum, { peers }) => sum + peers, 0) > 100);
});

Deno.test("a state file that can't be written or read is one line and exit status 1", async () => {
  await using scene = await Scene.open();
  const folder = `${scene.folder}/folder`;
  await Deno.mkdir(folder);
  const serve = ["serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile, "--state"];
  const cases: readonly (readonly [string, RegExp])[] = [
    [`${scene.folder}/absent/state`, /^wgsig: cannot write state file .*\/absent\/state: no such/],
    [folder, /^wgsig: cannot read state file .*\/folder: it is a directory\n$/],
    [`${scene.secretFile}/state`, /^wgsig: cannot .* state file .*: a part of the path is no dir/],
  ];
  for (const [path, expected] of cases) {
    const { code, out, err } = await wgsig([...serve, path]);
    assertEquals([code, out], [1, ""], path);
    assertMatch(err, expected);
    assertEquals(err.split("\n").length, 2, err);
  }
});

Deno.test("a state that can't be saved any more is said, and the server goes on", async () => {
  await using scene = await Scene.open();
  const folder = `${scene.folder}/folder`;
  await Deno.mkdir(folder);
  const server = await scene.serve(["--state", `${folder}/state`]);
  await Deno.remove(folder, { recursive: true });
  const peer = scene.peer();
  await peer.ask(server.port);
  await server.running.printed(/ error state-not-saved file=\S+ why="no such file or directory"/);
  await peer.ask(server.port);
  const from = server.running.out.length;
  assertEquals(await server.running.stop(), 1);
  assertMatch(server.running.out.slice(from), / error state-not-saved file=\S+ why="no such file/);
});

Deno.test("a state file of others' making is not written through", async () => {
  await using scene = await Scene.open();
  const victim = await scene.file("victim", "precious");
  await Deno.symlink(victim, `${scene.folder}/state.new`);
  const server = await scene.serve(["--state", `${scene.folder}/state`]);
  assertEquals(await server.running.stop(), 0);
  assertEquals(await Deno.readTextFile(victim), "precious");
  assertEquals((await Deno.lstat(`${scene.folder}/state`)).isFile, true);
});

Deno.test("a state file that is a device, a pipe, or the secret is refused and stays", async () => {
  await using scene = await Scene.open();
  const pipe = `${scene.folder}/pipe`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const before = await Deno.readTextFile(scene.secretFile);
  for (const state of ["/dev/null", pipe, scene.secretFile]) {
    const { code, err } = await wgsig(
      ["serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile, "--state", state],
    );
    assertEquals([code === 0, err.split("\n").length], [false, 2], err);
  }
  assertEquals(await Deno.readTextFile(scene.secretFile), before);
  assertEquals((await Deno.stat("/dev/null")).isCharDevice, true);
});

Deno.test("peers of a group that is there no more are forgotten, and that is said", async () => {
  await using scene = await Scene.open();
  const settings = (id: number) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\nstate = "state"\n` +
        `[[serve.group]]\nid = ${id}\nsecret-file = "secret"\n`,
    );
  const first = await scene.serveWith(["--config", await settings(5)]);
  for (let i = 0; i < 3; i++) await scene.peer().ask(first.port, { group: 5 });
  await settings(6);
  await first.signal("SIGHUP", / warn peers-forgotten peers=3\n/);
  await scene.peer().ask(first.port, { group: 6 });
  assertEquals(await first.running.stop(), 0);
  const second = await scene.serveWith(["--config", await settings(7)]);
  assertMatch(second.running.out, / state-restored file=\S+ peers=0 forgotten=1\n/);
});

Deno.test("the state is kept over SIGHUP and saved for the groups that came with it", async () => {
  await using scene = await Scene.open();
  const other = await scene.secretIn("other");
  const settings = (more: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\nstate = "state"\n` +
        `[[serve.group]]\nsecret-file = "secret"\n${more}`,
    );
  const first = await scene.serveWith(["--config", await settings("")]);
  const [peer, late] = [scene.peer(), scene.peer(other.secret)];
  await peer.ask(first.port);
  await settings(`[[serve.group]]\nid = 8\nsecret-file = "other"\n`);
  await first.signal("SIGHUP", / reloaded /);
  await late.ask(first.port, { group: 8 });
  assertEquals(await first.running.stop("SIGINT"), 0);
  const second = scene.start([BINARY, "serve", "--config", `${scene.folder}/wgsig.toml`]);
  await second.printed(/ state-restored file=\S+ peers=2\n/);
});
