/** `wgsig sync` with a DNS zone as its server: a hub publishes its peers, as wgsd does. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, type Running, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { Ping } from "./ping.ts";
import { INTERFACE } from "./wireguard_host.ts";

const LIMIT = 15;
const ZONE = "wg.example";
const SERVER = `dns://${REGISTRY}/${ZONE}`;

/** Gives both hosts a tunnel to the registry's host, which publishes them. */
async function serveZone(lab: Lab): Promise<{ server: Running; hub: string }> {
  const hub = await lab.openHub();
  const key = tsigFile(lab);
  await lab.registry.must([BINARY, "keygen", "tsig", ZONE, "--output", key]);
  const zone = ["--dns", `${REGISTRY}:53`, "--zone", ZONE, "--interface", INTERFACE, "--tsig", key];
  const server = lab.registry.start([BINARY, "serve", ...zone], {
    env: { WGSIG_CONFIG: "/dev/null" },
  });
  await server.printed(/ ready/);
  return { server, hub: hub.publicKey };
}

function tsigFile(lab: Lab): string {
  return `${lab.folder}/tsig.key`;
}

testWith(LAB_NEEDS, "lab: two peers of a hub find each other through its zone", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const { server, hub } = await serveZone(lab);
  const { alice, bob } = lab;
  const first = lab.sync(alice, "--server", SERVER);
  await first.printed(/ interface-found .* register=none why="no registry is among the servers"\n/);
  const start = performance.now();
  const second = lab.sync(bob, "--server", SERVER);
  await second.printed(/ endpoint-set key=\S+ endpoint=203\.0\.113\.21:51820 /);
  const answered = await new Ping(bob.namespace, alice.address).answers(LIMIT);
  assertEquals(
    answered,
    true,
    `alice:\n${first.out}${first.err}\nbob:\n${second.out}${second.err}`,
  );
  figure(`through a DNS zone: first ping after ${Math.round(performance.now() - start)} ms`);
  await first.printed(/ endpoint-set key=\S+ endpoint=203\.0\.113\.22:35436 /);
  // The hub itself is a peer that no zone knows, and stays what it is.
  assertEquals(first.out.includes(`endpoint-set key=${hub}`), false, first.out);
  await server.stop("SIGTERM");
  assertMatch(server.out, / counters .*dns-received=\d+ dns-answered=\d+/);
});

testWith(
  LAB_NEEDS,
  "lab: AllowedIPs of a zone are taken where the settings trust it, or it signs them",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    await serveZone(lab);
    const { alice, bob } = lab;
    const { publicKey } = bob;
    // Its handshake with the hub is what the zone knows it by.
    await new Ping(bob.namespace, "10.9.0.254").answers(1);
    await alice.set("peer", publicKey, "remove");
    const settings = `${lab.folder}/wgsig.toml`;
    const once = async (trusted: string, ...keys: readonly string[]) => {
      const toml =
        `[sync.${INTERFACE}]\nservers = ["${SERVER}"]\ntrust-allowed-ips = [${trusted}]\n` +
        `tsig-files = ${JSON.stringify(keys)}\n`;
      await Deno.writeTextFile(settings, toml);
      const argv = [BINARY, "sync", INTERFACE, "--once", "--add-peers", "--config", settings];
      return await alice.namespace.must(argv);
    };
    const unknown = await once(`"other.example"`);
    assertMatch(
      unknown,
      / peer-unknown key=\S+ endpoint=203\.0\.113\.22:\d+ hint="[^"]*trust nobody/,
    );
    assertEquals((await alice.device()).peers.some((peer) => peer.publicKey === publicKey), false);
    for (const added of [() => once(`"${ZONE}"`), () => once("", tsigFile(lab))]) {
      assertMatch(
        await added(),
        / peer-added key=\S+ endpoint=203\.0\.113\.22:\d+ allowedIps=10\.9\.0\.2\/32\n/,
      );
      const peer = (await alice.device()).peers.find((each) => each.publicKey === publicKey);
      assertEquals(peer?.allowedIps, ["10.9.0.2/32"]);
      await alice.set("peer", publicKey, "remove");
    }
  },
);
