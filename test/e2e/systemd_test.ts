/** What the services tell systemd, and how they log where the journal reads it. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, run } from "../support/program.ts";
import { NotifySocket } from "../support/notify_socket.ts";
import { Scene } from "./scene.ts";

Deno.test("sync tells systemd that it is there, what it does, and that it ends", async () => {
  await using scene = await Scene.open();
  for (const name of [`${scene.folder}/notify`, `@wgsig-e2e-${Deno.pid}`]) {
    using socket = new NotifySocket(name);
    const sync = scene.start([
      ...[BINARY, "sync", "wg-absent", "--server", "127.0.0.1:9"],
      ...["--secret", scene.secretFile],
    ], { env: { NOTIFY_SOCKET: name } });
    assertEquals(await socket.next(), "READY=1\nSTATUS=waiting for wg-absent\n");
    assertEquals(await sync.stop(), 0);
    assertEquals(await socket.next(), "STOPPING=1\n");
    assertEquals(socket.take(), undefined);
  }
});

Deno.test("serve tells systemd that it serves, reloads, and ends", async () => {
  await using scene = await Scene.open();
  using socket = new NotifySocket(`${scene.folder}/notify`);
  const server = await scene.serve([], { env: { NOTIFY_SOCKET: socket.name } });
  const status = "STATUS=0 peers in 1 group, 0 answered\n";
  assertEquals(await socket.next(), `READY=1\n${status}`);
  await scene.peer().ask(server.port);
  server.running.signal("SIGHUP");
  assertEquals(await socket.next(), "RELOADING=1\n");
  assertEquals(await socket.next(), "READY=1\nSTATUS=1 peer in 1 group, 1 answered\n");
  // What can't be read is no end: the settings before stay in force.
  await Deno.chmod(scene.secretFile, 0o644);
  server.running.signal("SIGHUP");
  assertEquals(await socket.next(), "RELOADING=1\n");
  assertEquals(await socket.next(), "READY=1\nSTATUS=1 peer in 1 group, 1 answered\n");
  await server.running.printed(/ error not-reloaded /);
  assertEquals(await server.running.stop(), 0);
  assertEquals(await socket.next(), "STOPPING=1\n");
  assertEquals(socket.take(), undefined);
});

Deno.test("where nobody is there to be told, it is said, and sync goes on", async () => {
  await using scene = await Scene.open();
  const sync = scene.start([
    ...[BINARY, "sync", "wg-absent", "--server", "127.0.0.1:9"],
    ...["--secret", scene.secretFile],
  ], { env: { NOTIFY_SOCKET: `${scene.folder}/none` } });
  await sync.printed(/ warn systemd-not-told why="no such file or directory"\n/);
  await sync.printed(/ info waiting interface=wg-absent\n/);
  assertEquals(await sync.stop(), 0);
});

Deno.test("errors at the start have a priority where the journal reads them, and else none", async () => {
  await using scene = await Scene.open();
  const file = `${scene.folder}/stderr`;
  await Deno.writeTextFile(file, "");
  const { dev, ino } = await Deno.stat(file);
  const script = `exec "$0" sync 2>${file}`;
  for (
    const [stream, expected] of [[`${dev}:${ino}`, /^<3>wgsig: /], ["1:1", /^wgsig: /]] as const
  ) {
    await run(["sh", "-c", script, BINARY], { env: { JOURNAL_STREAM: stream } });
    assertMatch(await Deno.readTextFile(file), expected);
  }
});
