/** `wgsig status` of a server: what it says, where it is asked, and what may be in its way. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { flagsOfNat, NAT } from "../../lib/wire/wgsig2/nat.ts";
import type { MeshReport } from "../../lib/core/status/mesh.ts";
import type { ServeReport } from "../../lib/core/status/serve_report.ts";
import { BINARY, type Finished, isFile, run, testWith, wgsig } from "../support/program.ts";
import { Asker } from "./asker.ts";
import { Scene, until } from "./scene.ts";

/** Nobody's. */
const USER = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "HOME=/"];

/** What a server says of itself. */
async function reportOf(name: string): Promise<ServeReport> {
  const { out, err, code } = await wgsig(["status", name, "--json"]);
  assertEquals([code, err], [0, ""]);
  const { schema, servers }: { schema: number; servers: ServeReport[] } = JSON.parse(out);
  assertEquals([schema, servers.length], [1, 1]);
  return servers[0]!;
}

/** Where it is asked. */
function sockets(folder: string, port: number): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.startsWith(`${port}`) && name.endsWith(".serve.sock"));
}

testWith(["root"], "status: a server says who is registered, and how that is known", async () => {
  await using scene = await Scene.open();
  const asker = new Asker(scene, 1);
  const old = scene.peer();
  const key = asker.client.key;
  const config = `[[peer]]\nname = "alice"\npublic-key = "${key}"\n`;
  const settings = await scene.file("wgsig.toml", config);
  const args = ["--relay", "--state", `${scene.folder}/state`, "--config", settings];
  const { port, running } = await scene.serve(args);
  const name = `${port}`;
  await asker.ask(port, {
    flags: flagsOfNat(NAT.sequential),
    candidates: ["lan 192.168.1.7:51820"],
  });
  await old.ask(port);
  const { groups, ...server } = await reportOf(name);
  assertEquals([server.kind, server.name, server.listen], ["serve", name, [`127.0.0.1:${port}`]]);
  assertMatch(running.out, new RegExp(`server-key=${server.serverKey?.replaceAll("+", "\\+")}`));
  assertEquals(server.relay?.count, 0);
  const [group] = groups;
  const age = 0;
  assertEquals(group?.peers.map((peer) => ({ ...peer, age })), [
    {
      publicKey: old.publicKey,
      name: null,
      proved: false,
      protocol: 1,
      age,
      endpoints: [old.endpoint],
      places: [],
      nat: "unknown",
      probes: false,
    },
    {
      publicKey: key,
      name: "alice",
      proved: true,
      protocol: 2,
      age,
      endpoints: [asker.end.endpoint],
      places: [{ kind: "lan", endpoint: "192.168.1.7:51820" }],
      nat: "sequential",
      probes: false,
    },
  ]);
  const table = await wgsig(["status", name]);
  assertEquals([table.code, table.err], [0, ""]);
  assertMatch(table.out, /^server \d+\n {2}wgsig \S+, \w+ [\d.-]+, up \d+ s\n/);
  assertMatch(table.out, /\nalice +\d s ago proved {2}sequential {2}127\.0\.0\.1:\d+\n/);
  for (const line of table.out.split("\n")) assert(line.length <= 80, line);
  assert((await wgsig(["status", "serve"])).out.includes(table.out.split("\n")[0]!));
  // It is gone with the server, and that is said.
  assertEquals(await running.stop(), 0);
  assertEquals(sockets("/var/run/wgsig", port), []);
  const gone = await wgsig(["status", name]);
  assertEquals([gone.code, gone.out], [1, ""]);
  assertMatch(gone.err, new RegExp(`^wgsig: no wgsig serve runs at port ${port} here \\(.*\\n$`));
});

testWith(
  ["root"],
  "status: two servers at one port have a name each, also after one was killed",
  async () => {
    await using scene = await Scene.open();
    const { port, running } = await scene.serve([]);
    const second = scene.start([
      ...[BINARY, "serve", "--listen", `127.0.0.2:${port}`, "--secret", scene.secretFile],
    ]);
    await second.printed(/ ready /);
    assertEquals((await reportOf(`${port}`)).listen, [`127.0.0.1:${port}`]);
    assertEquals((await reportOf(`${port}-2`)).listen, [`127.0.0.2:${port}`]);
    await running.stop("SIGKILL");
    assertEquals((await wgsig(["status", `${port}`])).code, 1);
    // What the killed one has left is the next one's.
    const third = scene.start([
      ...[BINARY, "serve", "--listen", `127.0.0.1:${port}`, "--secret", scene.secretFile],
    ]);
    await third.printed(/ ready /);
    assertEquals((await reportOf(`${port}`)).listen, [`127.0.0.1:${port}`]);
    assertEquals([await second.stop(), await third.stop()], [0, 0]);
  },
);

testWith(
  ["root", "setpriv"],
  "status: where there can be no socket, a server goes on without",
  async () => {
    await using scene = await Scene.open();
    for (const path of [scene.folder, scene.secretFile]) await Deno.chown(path, 65534, 65534);
    const serve = [BINARY, "serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile];
    const without = scene.start([...USER, ...serve]);
    const [, port] = await without.printed(/listening address=127\.0\.0\.1:(\d+)[^]* ready /);
    assertEquals(without.out.match(/ status-not-served .*/g)?.length, 1, without.out);
    assertEquals(await scene.peer().ask(Number(port)).then(({ records }) => records.length), 1);
    assertEquals(await without.stop(), 0);
    // A user's own folder does, and a service's.
    const folder = `${scene.folder}/run`;
    await Deno.mkdir(folder);
    await Deno.chown(folder, 65534, 65534);
    for (
      const [variable, place] of [
        [`XDG_RUNTIME_DIR=${folder}`, `${folder}/wgsig`],
        [`RUNTIME_DIRECTORY=${folder}`, folder],
      ]
    ) {
      const user = scene.start([...USER, variable!, ...serve]);
      const [, port] = await user.printed(/listening address=127\.0\.0\.1:(\d+)[^]* ready /);
      assert(!user.out.includes("status-not-served"), user.out);
      assertEquals(sockets(place!, Number(port)).length, 1);
      const socket = `${place}/${sockets(place!, Number(port))[0]}`;
      assertEquals((await Deno.stat(socket)).mode! & 0o777, 0o600);
      if (place !== folder) {
        const asked = await run([...USER, variable!, BINARY, "status", port!]);
        assertEquals([asked.code, asked.err], [0, ""]);
      }
      assertEquals(await user.stop(), 0);
      assertEquals(isFile(socket), false);
    }
  },
);

testWith(
  ["network namespaces"],
  "status: a server in another network namespace is asked there",
  async () => {
    await using scene = await Scene.open();
    const name = "1223";
    const inside = scene.start([
      ...["unshare", "--net", BINARY, "serve", "--listen", "0.0.0.0:1223"],
      ...["--secret", scene.secretFile],
    ]);
    await inside.printed(/ ready /);
    const there = (args: readonly string[]): Promise<Finished> =>
      run(["nsenter", "--net", "--target", `${inside.pid}`, BINARY, "status", ...args]);
    const asked = await until("an answer", async () => {
      const { code, out } = await there([name, "--json"]);
      return code === 0 ? out : undefined;
    });
    assertEquals(JSON.parse(asked).servers[0].listen, ["0.0.0.0:1223"]);
    const { out } = await wgsig(["status", name, "--json"]);
    assert(!out.includes(`"uptime": ${JSON.parse(asked).servers[0].uptime}`));
    assertEquals(await inside.stop(), 0);
    assertEquals((await there([name])).code === 0, false);
  },
);

testWith(
  ["root"],
  "status --mesh: who reaches whom, from what peers say of their NATs",
  async () => {
    await using scene = await Scene.open();
    const port = await scene.freePort();
    const listen = [1, 2, 3, 4, 5].flatMap((i) => ["--listen", `127.0.0.${i}:${port}`]);
    await scene.serveWith([...listen, "--secret", scene.secretFile]);
    const nats = [NAT.easy, NAT.sequential, NAT.hard, NAT.hard];
    const askers = nats.map((_, i) => new Asker(scene, i + 1, { host: `127.0.0.${i + 2}` }));
    for (const [i, asker] of askers.entries()) {
      // The last one's port is forwarded.
      const candidates = i === 3 ? [`mapped 203.0.113.9:4000`] : [];
      await asker.ask(port, { flags: flagsOfNat(nats[i]!), candidates });
    }
    const { code, out, err } = await wgsig(["status", "--mesh", `${port}`, "--json"]);
    assertEquals([code, err], [0, ""]);
    const { servers }: { servers: { name: string; meshes: MeshReport[] }[] } = JSON.parse(out);
    assertEquals(servers.map(({ name }) => name), [`${port}`]);
    const [mesh] = servers[0]!.meshes;
    const keys = askers.map(({ client }) => client.key);
    assertEquals(mesh?.peers.map(({ publicKey }) => publicKey), keys.toReversed());
    assertEquals(mesh?.pairs, { direct: 3, hard: 2, relay: 1, unknown: 0 });
    assertEquals([mesh?.rows, mesh?.relayed], [["", "d", "dr", "dhh"], [[2, 1]]]);
    const table = await wgsig(["status", "--mesh", `${port}`]);
    assertMatch(
      table.out,
      /\n {2}1 pair needs a relay: this registry is none; start it with --relay\n/,
    );
    const none = await wgsig(["status", "--mesh", "wg0"]);
    assertEquals(none.code === 0, false);
  },
);
