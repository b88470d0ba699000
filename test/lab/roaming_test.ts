/** `wgsig sync` when something moves: the tunnel comes back, and how soon. */

import { assert, assertEquals } from "@std/assert";
import { testWith } from "../support/program.ts";
import {
  figure,
  Lab,
  LAB_NEEDS,
  OTHER_REGISTRY,
  REGISTRY,
  REGISTRY_NAME,
  type Tunnel,
} from "./lab.ts";
import type { NatKind } from "./nat_rules.ts";

/** Of sync, in seconds. */
const INTERVAL = 3;
const SYNC = ["--interval", `${INTERVAL}s`];
/** Handshakes that cross are both lost; then WireGuard waits so long, in seconds. */
const HANDSHAKE_AGAIN = 5;
/** What is wanted is the interval and 2 s; this machine may have other things to do. */
const LIMIT = INTERVAL + 2 + 2 + HANDSHAKE_AGAIN;
/** The port is borrowed once an interval, so the own move is seen after one, the peer's half later. */
const BORROW_LIMIT = LIMIT + INTERVAL / 2;

const NEW_A = "203.0.113.31";
const NEW_B = "203.0.113.32";

/** Waits for the tunnel to come back after what has just been done. */
async function assertBack(what: string, tunnel: Tunnel, limit = LIMIT): Promise<void> {
  const ms = await tunnel.ping.reply(limit).catch(() => undefined);
  figure(`${what}: ping back after ${ms === undefined ? `more than ${limit} s` : `${ms} ms`}`);
  assert(ms !== undefined, `${what}: no ping in ${limit} s; ${logsOf(tunnel)}`);
}

function logsOf({ alice, bob }: Tunnel): string {
  return `alice:\n${alice.out}${alice.err}\nbob:\n${bob.out}${bob.err}`;
}

/** What moves; the ping is alice's. */
const MOVES: readonly (readonly [string, (lab: Lab) => Promise<unknown>])[] = [
  ["own address changed", (lab) => lab.routerA.move(NEW_A)],
  [
    "own NAT replaced",
    (lab) => lab.routerA.setKind(lab.routerA.kind === "eim" ? "preserve" : "eim"),
  ],
  ["peer's address changed", (lab) => lab.routerB.move(NEW_B)],
  [
    "both addresses changed",
    (lab) => Promise.all([lab.routerA.move(NEW_A), lab.routerB.move(NEW_B)]),
  ],
];
const WAYS: readonly (readonly [string, NatKind, NatKind])[] = [
  ["raw", "preserve", "eim"],
  ["borrow", "eim", "preserve"],
];

for (const [register, a, b] of WAYS) {
  const name = `lab: tunnels come back when public addresses change, --register ${register}`;
  testWith(LAB_NEEDS, name, async () => {
    const results = await Promise.allSettled(MOVES.map(async ([what, move]) => {
      await using lab = await Lab.withWireGuard(a, b);
      const tunnel = await lab.bringUp(...SYNC, "--register", register);
      await move(lab);
      const limit = register === "borrow" ? BORROW_LIMIT : LIMIT;
      await assertBack(`${a}/${b} ${register}, ${what}`, tunnel, limit);
    }));
    const failures = results.filter((result) => result.status === "rejected");
    assertEquals(failures.map(({ reason }) => `${reason}`).join("\n"), "");
  });
}

testWith(LAB_NEEDS, "lab: the registry restarts without its state", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const tunnel = await lab.bringUp(...SYNC);
  await tunnel.server.stop("SIGKILL");
  await lab.serve();
  await assertBack("registry restarted", tunnel);
  await lab.routerA.move(NEW_A);
  await assertBack("registry restarted, address changed", tunnel);
});

testWith(LAB_NEEDS, "lab: the registry is away while an address changes", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const tunnel = await lab.bringUp(...SYNC, "--timeout", "1s");
  await tunnel.server.stop("SIGKILL");
  await Promise.all([
    tunnel.alice.printed(/ server-status server=\S+ status=(?!ok)/, 15),
    tunnel.bob.printed(/ server-status server=\S+ status=(?!ok)/, 15),
  ]);
  await lab.routerA.move(NEW_A);
  assertEquals(await tunnel.ping.answers(0.5), false);
  await lab.serve();
  await assertBack("registry back after an address changed", tunnel);
});

testWith(LAB_NEEDS, "lab: the registry moves to another address behind its name", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const hosts = [lab.alice.namespace, lab.bob.namespace];
  const setName = (address: string) =>
    Promise.all(hosts.map((host) => host.setHosts({ [REGISTRY_NAME]: address })));
  await setName(REGISTRY);
  const tunnel = await lab.bringUp(...SYNC, "--server", REGISTRY_NAME);
  await tunnel.server.stop("SIGKILL");
  await lab.serve(OTHER_REGISTRY);
  await setName(OTHER_REGISTRY);
  for (const sync of [tunnel.alice, tunnel.bob]) {
    await sync.printed(/ server-moved server=registry\.example address=203\.0\.113\.11\n/, 15);
  }
  await lab.routerA.move(NEW_A);
  await assertBack("registry moved, address changed", tunnel);
});

testWith(LAB_NEEDS, "lab: WireGuard restarts on one side", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const tunnel = await lab.bringUp(...SYNC);
  await lab.alice.stopWireGuard();
  await lab.alice.startWireGuard();
  await assertBack("WireGuard restarted", tunnel);
  assertEquals(await lab.alice.endpoints(), `${lab.bob.publicKey}\t203.0.113.22:35436\n`);
  await lab.bob.stopWireGuard();
  await lab.bob.startWireGuard();
  await assertBack("the peer's WireGuard restarted", tunnel);
});
