/** `wgsig status` of `wgsig sync` with real interfaces. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { readReport } from "../../lib/core/status/read_report.ts";
import type { InterfaceReport } from "../../lib/core/status/report.ts";
import { BINARY, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS } from "./lab.ts";
import { sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";
import type { WireGuardHost } from "./wireguard_host.ts";

const LIMIT = 20;
/** Others may run beside this lab. */
const LIST = "ls -l /var/run/wgsig/wg0.$(readlink /proc/self/ns/net | tr -dc 0-9).sync.sock";

async function status(host: WireGuardHost, ...args: readonly string[]) {
  return await host.namespace.run([BINARY, "status", ...args]);
}

/** What `--json` says of the one interface. */
async function reportOf(host: WireGuardHost): Promise<InterfaceReport> {
  const { out } = await status(host, "wg0", "--json");
  const all: { schema: number; interfaces: unknown[] } = JSON.parse(out);
  assertEquals([all.schema, all.interfaces.length], [1, 1], out);
  const report = readReport({ schema: all.schema, ...Object(all.interfaces[0]) });
  assert(report?.kind === "sync", out);
  return report;
}

testWith(
  LAB_NEEDS,
  "lab: status says how a peer is reached, and what became of it when it is down",
  async () => {
    await using lab = await Lab.between("preserve", "eim");
    const { alice, bob } = lab;
    const nothing = await status(alice, "wg0");
    assertEquals([nothing.code, nothing.out], [1, ""]);
    assertMatch(
      nothing.err,
      /^wgsig: no wgsig sync runs for wg0 here \(nobody answers at .*\); .*\n$/,
    );

    await lab.serve();
    const sync = lab.sync(alice);
    await sync.printed(/ own-endpoint /);
    const alone = await status(alice);
    assertEquals([alone.code, alone.err], [5, ""], alone.out);
    assertMatch(alone.out, / down +never .*\n +no server knows it; does sync run there, /);

    lab.sync(bob);
    const ping = new Ping(alice.namespace, bob.address);
    await ping.reply(LIMIT);
    const until = performance.now() + LIMIT * 1000;
    let report = await reportOf(alice);
    while (report.peers[0]?.path !== "punched" && performance.now() < until) {
      await sleep(0.2);
      report = await reportOf(alice);
    }
    const [peer] = report.peers;
    assertEquals([report.publicKey, report.register], [alice.publicKey, "raw"]);
    assertEquals([peer?.publicKey, peer?.alive, peer?.path], [bob.publicKey, true, "punched"]);
    assertMatch(peer?.why ?? "", /^proved by probes, round trip [\d.]+ ms/);
    assert(peer!.received > 0 && peer!.sent > 0 && peer!.handshakeAge! < LIMIT);
    assert(peer!.candidates.some(({ outcome }) => outcome === "in-use"), JSON.stringify(peer));
    const [server] = report.servers;
    assertEquals([server?.status, server?.protocol], ["ok", 2]);
    assert(server?.roundTrip !== null && server!.age! < LIMIT, JSON.stringify(server));
    assertEquals(report.endpoints.length, 1);

    const table = await status(alice);
    assertEquals([table.code, table.err], [0, ""]);
    for (const line of table.out.split("\n")) assert(line.length <= 80, line);
    assertMatch(table.out, / punched /);
    assert(!table.out.includes("\x1b"), "colours");
    figure(`\n${table.out}`);

    // Nothing secret is said, and only this user and root may ask.
    const places = await alice.namespace.run(["sh", "-c", LIST]);
    assertMatch(places.out, /^srw-------/);

    // However many ask: the tunnel doesn't notice.
    await Promise.all(Array.from({ length: 12 }, () => status(alice)));
    await ping.reply(LIMIT);

    const watch = alice.namespace.start([BINARY, "status", "wg0", "--watch", "--json"]);
    await watch.printed(/\n.*\n/);
    watch.signal("SIGINT");
    const code = await watch.ended();
    assertEquals(code, 0, watch.err);
    for (const line of watch.out.trim().split("\n")) assertEquals(JSON.parse(line).schema, 1);

    sync.signal("SIGTERM");
    await sync.ended();
    assertEquals((await status(alice)).code, 1);
    const left = await alice.namespace.run(["sh", "-c", LIST]);
    assertEquals([left.code === 0, left.out], [false, ""], "the socket is left");
  },
);
