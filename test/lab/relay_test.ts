/** Two real WireGuards behind NATs that no punching gets through, over the registry's own port. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS, REGISTRY, REGISTRY_IPV6 } from "./lab.ts";
import { Ping } from "./ping.ts";
import type { WireGuardHost } from "./wireguard_host.ts";

const PORT = 1223;
const LIMIT = 10;
const ASKER = new URL("relay_asker.ts", import.meta.url).pathname;
const ENV = { HOME: Deno.env.get("HOME") ?? "/root" };

/** A host registers, and says something of others. */
async function tell(
  lab: Lab,
  host: WireGuardHost,
  what: "relay" | "direct" | "only",
  other: WireGuardHost,
  registry: string = REGISTRY,
): Promise<void> {
  const at = registry.includes(":") ? `[${registry}]:${PORT}` : `${registry}:${PORT}`;
  const args = [ASKER, at, host.keyFile, lab.secretFile, what, other.publicKey];
  const out = await host.namespace.must([Deno.execPath(), "run", "-A", "--no-check", ...args], {
    env: ENV,
  });
  assertMatch(out, /"kind":"answer"/);
}

/** Has both hosts reach each other through the relay. */
async function setRelay({ alice, bob }: Lab, ...at: readonly string[]): Promise<void> {
  const [first = `${REGISTRY}:${PORT}`, second = first] = at;
  await alice.set("peer", bob.publicKey, "endpoint", first);
  await bob.set("peer", alice.publicKey, "endpoint", second);
}

testWith(
  [...LAB_NEEDS],
  "lab: two symmetric NATs are crossed over the registry's own port",
  async () => {
    await using lab = await Lab.withWireGuard("sym", "sym");
    const server = await lab.serve(REGISTRY, "--relay");
    await tell(lab, lab.bob, "only", lab.alice);
    await tell(lab, lab.alice, "relay", lab.bob);
    await setRelay(lab);
    const ping = new Ping(lab.alice.namespace, lab.bob.address, 0.1, 20);
    const ms = await ping.reply(LIMIT).catch(() => undefined);
    assert(ms !== undefined, server.out + server.err);
    const { sent, unanswered } = await ping.count(LIMIT);
    figure(`relay, sym/sym: first ping after ${ms} ms, ${unanswered.length} of ${sent} lost`);
    assertEquals(unanswered, []);
    server.signal("SIGUSR1");
    await server.printed(/ counters .* relayed=\d+ /);
  },
);

testWith(LAB_NEEDS, "lab: a host over IPv4 and one over IPv6 meet over the registry", async () => {
  await using lab = await Lab.withWireGuard("sym", "sym");
  await lab.useIpv6();
  const server = await lab.serve("::", "--listen", `0.0.0.0:${PORT}`, "--relay");
  await tell(lab, lab.bob, "only", lab.alice, REGISTRY_IPV6);
  await tell(lab, lab.alice, "relay", lab.bob);
  await setRelay(lab, `${REGISTRY}:${PORT}`, `[${REGISTRY_IPV6}]:${PORT}`);
  const ping = new Ping(lab.alice.namespace, lab.bob.address, 0.1, 20);
  const ms = await ping.reply(LIMIT).catch(() => undefined);
  assert(ms !== undefined, server.out + server.err);
  const { sent, unanswered } = await ping.count(LIMIT);
  figure(`relay, IPv4 to IPv6: first ping after ${ms} ms, ${unanswered.length} of ${sent} lost`);
  assertEquals(unanswered, []);
});

testWith(
  LAB_NEEDS,
  "lab: who has a direct path stops the relay for a second, and no longer",
  async () => {
    await using lab = await Lab.withWireGuard("sym", "sym");
    const server = await lab.serve(REGISTRY, "--relay");
    await tell(lab, lab.bob, "only", lab.alice);
    await tell(lab, lab.alice, "relay", lab.bob);
    await setRelay(lab);
    const ping = new Ping(lab.alice.namespace, lab.bob.address);
    await ping.reply(LIMIT);
    await tell(lab, lab.bob, "direct", lab.alice);
    server.signal("SIGUSR1");
    await server.printed(/ counters .* relay-stops=1\b/);
    const ms = await ping.reply(LIMIT).catch(() => undefined);
    assert(ms !== undefined, server.out + server.err);
    figure(`relay stopped: ping back after ${ms} ms more`);
    await server.printed(/ relay-drop-stopped /);
  },
);
