/** `wgsig query --nat` behind each kind of NAT, and what `sync` says of routes that are left. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import type { NatKind } from "./nat_rules.ts";
import { INTERFACE } from "./wireguard_host.ts";

const LIMIT = 15;
const PUNCHABLE = "can be punched by all but symmetric NATs";
const EXPECTED: readonly (readonly [NatKind, string, string, RegExp])[] = [
  ["preserve", "endpoint-independent", "yes", new RegExp(PUNCHABLE)],
  ["eim", "endpoint-independent", "no", new RegExp(PUNCHABLE)],
  ["cone", "endpoint-independent", "no", new RegExp(PUNCHABLE)],
  ["sym", "endpoint-dependent", "no", /forward a port, or route through a hub/],
];

testWith(LAB_NEEDS, "lab: query --nat tells the kinds of NAT apart", async () => {
  await using lab = await Lab.withWireGuard("preserve", "preserve");
  await lab.serve(REGISTRY, "--listen", `${REGISTRY}:1224`);
  for (const [kind, mapping, preserved, meaning] of EXPECTED) {
    await lab.routerA.setKind(kind);
    const { code, out, err } = await lab.alice.namespace.run([
      BINARY,
      "query",
      "--nat",
      `${REGISTRY}:1223`,
      `${REGISTRY}:1224`,
      "--secret",
      lab.secretFile,
      "--interface",
      INTERFACE,
    ]);
    assertEquals([code, err], [0, ""], kind);
    assertMatch(out, new RegExp(`^mapping: ${mapping}$`, "m"), kind);
    assertMatch(out, new RegExp(`^port preserved: ${preserved}$`, "m"), kind);
    assertMatch(out, meaning, kind);
  }
});

testWith(LAB_NEEDS, "lab: peers are told the kind of a NAT that one registry sees", async () => {
  await using lab = await Lab.withWireGuard("eim", "preserve");
  await lab.serve(
    REGISTRY,
    ...["1224", "1225"].flatMap((port) => ["--listen", `${REGISTRY}:${port}`]),
  );
  const { alice, bob } = lab;
  const argv = [BINARY, "query", `${REGISTRY}:1223`, "--secret", lab.secretFile, "--json"];
  /** What bob is told of alice. */
  const told = async () => {
    const { out } = await bob.namespace.run([
      ...argv,
      ...["--no-register", "--private-key", bob.keyFile],
    ]);
    const { peers }: { peers: readonly Record<string, unknown>[] } = JSON.parse(out);
    return peers.find(({ publicKey }) => publicKey === alice.publicKey);
  };
  for (const [kind, nat] of [["eim", "easy"], ["seq", "sequential"], ["sym", "hard"]] as const) {
    await lab.routerA.setKind(kind);
    const sync = lab.sync(alice, "--interval", "1s");
    const until = performance.now() + LIMIT * 1000;
    let last = await told();
    while (last?.nat !== nat && performance.now() < until) last = await told();
    assertEquals([kind, last?.nat, last?.probes, last?.near], [kind, nat, true, false], sync.out);
    await sync.stop();
  }
});

testWith(
  LAB_NEEDS,
  "lab: a host route to an endpoint that was left is named, or mended",
  async () => {
    const left = "198.51.100.9";
    for (const mend of [false, true]) {
      await using lab = await Lab.withWireGuard("preserve", "preserve");
      await lab.serve();
      await lab.alice.set("peer", lab.bob.publicKey, "endpoint", `${left}:51820`);
      await lab.alice.namespace.ip(`route add ${left}/32 via 192.168.1.1`);
      const settings = `${lab.folder}/wgsig.toml`;
      await Deno.writeTextFile(settings, `[sync.${INTERFACE}]\nmend-routes = ${mend}\n`);
      const sync = lab.sync(lab.alice, "--interval", "1s", "--config", settings);
      lab.sync(lab.bob);
      await sync.printed(mend ? / warn route-removed route=/ : / warn stale-route route=/);
      const routes = await lab.alice.namespace.must(["ip", "route"]);
      assertEquals(routes.includes(left), !mend);
    }
  },
);
