/** `wgsig query --nat` behind each kind of NAT, and what `sync` says of routes that are left. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import type { NatKind } from "./nat_rules.ts";
import { INTERFACE } from "./wireguard_host.ts";

const LIMIT = 15;
/** `--listen` for more ports than the first. */
const MORE_PORTS = ["1224", "1225", "1226"].flatMap((port) => ["--listen", `${REGISTRY}:${port}`]);
const EVERYBODY = [
  "in the same LAN: directly",
  "without a NAT, or with a forwarded port: directly",
];
/** Of each kind: what it is called, whether the port is preserved, and how which peers are reached. */
const EXPECTED: readonly (readonly [NatKind, RegExp, "yes" | "no", readonly string[]])[] = [
  ...(["preserve", "eim", "cone"] as const).map((kind) =>
    [
      kind,
      /^easy \(the port is the same for every destination\)$/,
      kind === "preserve" ? "yes" : "no",
      [
        "behind an easy NAT: punched",
        "behind a sequential NAT: at predicted ports",
        "behind a hard NAT: at guessed ports (a second or two, once)",
      ],
    ] as const
  ),
  ["sym", /^hard \(each destination gets a port that is drawn: ([+-]\d+(, )?){3}\)$/, "no", [
    "behind an easy NAT: at guessed ports (a second or two, once)",
    "behind a sequential NAT: through a relay",
    "behind a hard NAT: through a relay",
  ]],
  // Another flow of the host may have a port in between.
  ["seq", /^sequential \(each destination gets the next port: (\+[1-9](, )?){3}\)$/, "no", [
    "behind an easy NAT: at predicted ports",
    "behind a sequential NAT: at predicted ports",
    "behind a hard NAT: through a relay",
  ]],
];

/** Which peers are reached, and how. */
function reachedOf(out: string): readonly string[] {
  return [...out.matchAll(/^reaches peers (.+)$/gm)].map(([, text = ""]) => text);
}

/** The values that a line of the output names. */
function valuesOf(out: string, name: string): readonly string[] {
  return out.split("\n").flatMap((line) =>
    line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []
  );
}

testWith(
  LAB_NEEDS,
  "lab: query --nat tells the kinds of NAT apart by the ports of one registry",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "preserve");
    await lab.serve(REGISTRY, ...MORE_PORTS, "--relay");
    const argv = [BINARY, "query", "--nat", `${REGISTRY}:1223`, "--secret", lab.secretFile];
    for (const [kind, mapping, preserved, reaches] of EXPECTED) {
      // WireGuard's port is spoken from by raw sockets, the port of nobody by a socket of its own.
      for (const who of [["--interface", INTERFACE], ["--key", lab.alice.publicKey]]) {
        await lab.routerA.setKind(kind);
        const { code, out, err } = await lab.alice.namespace.run([...argv, ...who]);
        assertEquals([code, err], [0, ""], kind);
        assertEquals(out.match(/ sees port \d+ as 203\.0\.113\.21:\d+$/gm)?.length, 4, out);
        assertMatch(valuesOf(out, "NAT").join(), mapping, kind);
        assertEquals(valuesOf(out, "port preserved"), [preserved], kind);
        assertEquals(valuesOf(out, "IPv6"), ["none"]);
        const others = reachedOf(out).filter((line) => !EVERYBODY.includes(line));
        assertEquals(others, ["with IPv6: through a relay", ...reaches], kind);
      }
    }
  },
);

testWith(
  LAB_NEEDS,
  "lab: query --nat says what one port alone can tell, and how to get more",
  async () => {
    await using lab = await Lab.withWireGuard("eim", "preserve");
    await lab.serve();
    const argv = [BINARY, "query", "--nat", REGISTRY, "--secret", lab.secretFile, "--json"];
    const { code, out, err } = await lab.alice.namespace.run([...argv, "--interface", INTERFACE]);
    assertEquals(code, 1);
    assertMatch(err, /^wgsig: one port alone .*\(1224 by default\).*\(serve --listen\)/);
    const { seen, nat, ipv6, relay, reaches } = JSON.parse(out);
    assertEquals(seen.length, 1);
    const { present, kind, steps, portPreserved } = nat;
    assertEquals([present, kind, steps, portPreserved], [true, "unknown", [], false]);
    assertEquals([ipv6, relay], [null, false]);
    const unknown = { easy: null, sequential: null, hard: null };
    assertEquals(reaches, { lan: "direct", ipv6: "relay", open: "direct", ...unknown });
  },
);

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
  /** The kinds of what `--json` has as candidates. */
  const kindsOf = (candidates: unknown) =>
    Array.isArray(candidates) ? candidates.map(({ kind, endpoint }) => `${kind} ${endpoint}`) : [];
  for (const [kind, nat] of [["eim", "easy"], ["seq", "sequential"], ["sym", "hard"]] as const) {
    await lab.routerA.setKind(kind);
    const sync = lab.sync(alice, "--interval", "1s");
    const until = performance.now() + LIMIT * 1000;
    let last = await told();
    while (last?.nat !== nat && performance.now() < until) last = await told();
    assertEquals([kind, last?.nat, last?.probes, last?.near], [kind, nat, true, false], sync.out);
    // Looking at the NAT leaves what sync has told as it is.
    const who = ["--interface", INTERFACE];
    const looked = await alice.namespace.run([...argv.slice(0, -1), "--nat", ...who]);
    assertEquals([looked.code, looked.err], [0, ""]);
    const { endpoint, candidates, probes } = await told() ?? {};
    const before = [last?.endpoint, kindsOf(last?.candidates), true, nat];
    assertEquals([endpoint, kindsOf(candidates), probes, (await told())?.nat], before);
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
