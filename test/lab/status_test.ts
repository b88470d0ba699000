/** `wgsig status` of `wgsig sync` with real interfaces. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { readReport } from "../../lib/core/status/read_report.ts";
import type { MeshReport } from "../../lib/core/status/mesh.ts";
import type { InterfaceReport } from "../../lib/core/status/report.ts";
import { Browser } from "../support/browser.ts";
import { dashboard, metricsIn, questionsOf } from "../support/dashboard.ts";
import { BINARY, isRouterBinary, run, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS } from "./lab.ts";
import { type Namespace, sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";
import type { WireGuardHost } from "./wireguard_host.ts";

const LIMIT = 20;
const HTTP = ["--status", "127.0.0.1", "--metrics-peers", "10"];
/** Others may run beside this lab. */
const LIST = "ls -l /var/run/wgsig/wg0.$(readlink /proc/self/ns/net | tr -dc 0-9).sync.sock";

async function status(host: WireGuardHost, ...args: readonly string[]) {
  return await host.namespace.run([BINARY, "status", ...args]);
}

/** Where `sync` has its page, in its own namespace. */
const PAGE = "127.0.0.1:9586";

/** What somebody sees on the host itself. The binary for routers has no page. */
async function checkPage({ namespace, publicKey }: WireGuardHost, peer: string): Promise<void> {
  if (isRouterBinary()) {
    const { out } = await namespace.run(["busybox", "wget", "-qO-", `http://${PAGE}/`]);
    return assertMatch(out, /\/status\.json/);
  }
  await using browser = await Browser.start(["ip", "netns", "exec", namespace.name]);
  const page = await browser.open(`http://${PAGE}/`);
  await page.shows("The peer is reached.", ".verdict");
  await page.shows(publicKey, "main");
  await page.until(`document.querySelector('#peers [title="${peer}"]')`);
  await page.shows("punched", "#peers");
  await page.shows("answers", "#registries");
  const [, reached] = (await page.accessibleNodes()).filter(({ role }) => role === "image");
  assertMatch(reached?.name ?? "", /^Peers that are reached\. in all: .* by relay: /);
  assertEquals(page.problems, []);
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

/** What a program in a namespace says of itself over HTTP, on port 9586 of 127.0.0.1. */
async function scraped(namespace: Namespace): Promise<string> {
  const ask = "exec 3<>/dev/tcp/127.0.0.1/9586; " +
    "printf 'GET /metrics HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n' >&3; cat <&3";
  const { out, err } = await namespace.run(["bash", "-c", ask]);
  const [head = "", ...text] = out.split("\r\n\r\n");
  assertMatch(head, /^HTTP\/1\.1 200 OK\r\n/, err);
  return text.join("");
}

/** Whether all that the dashboard asks for is there, and nothing that breaks a rule. */
async function checkScrapes(...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const { code, err } = await run(["promtool", "check", "metrics"], { input: text });
    assertEquals([code, err], [0, ""]);
  }
  for (const name of questionsOf(await dashboard()).flatMap(metricsIn)) {
    const isThere = texts.some((text) => new RegExp(`^${name}(?:\\{.*\\})? `, "m").test(text));
    assert(isThere, `no scrape has ${name}`);
  }
}

testWith(
  [...LAB_NEEDS, "promtool", isRouterBinary() ? "busybox" : "chromium"],
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

    await lab.serve(undefined, "--relay", ...HTTP);
    const sync = lab.sync(alice, ...HTTP);
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

    // What is scraped may be a second old, and from before the registry's answer.
    let scrape = await scraped(alice.namespace);
    while (!/^wgsig_server_round_trip_seconds/m.test(scrape) && performance.now() < until) {
      await sleep(0.2);
      scrape = await scraped(alice.namespace);
    }
    await checkScrapes(scrape, await scraped(lab.registry));
    const table = await status(alice);
    assertEquals([table.code, table.err], [0, ""]);
    for (const line of table.out.split("\n")) assert(line.length <= 80, line);
    assertMatch(table.out, / punched /);
    assert(!table.out.includes("\x1b"), "colours");
    figure(`\n${table.out}`);

    await checkPage(alice, bob.publicKey);

    // The registry has heard of both, and judges as it came.
    const mesh = await lab.registry.run([BINARY, "status", "--mesh", "--json"]);
    const { servers }: { servers: { meshes: MeshReport[] }[] } = JSON.parse(mesh.out);
    assertEquals(servers[0]?.meshes[0]?.peers.length, 2, mesh.out);
    const registry = await lab.registry.run([BINARY, "status", "serve"]);
    assertEquals([registry.code, registry.err], [0, ""]);
    assertEquals(registry.out.match(/ ago proved /g)?.length, 2, registry.out);

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
