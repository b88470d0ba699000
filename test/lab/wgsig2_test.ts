/** `wgsig sync` with registries that speak wgsig 2: told at once, over both families, with any clock. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BINARY, isRouterBinary, memoryOf, type Running, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS, REGISTRY, REGISTRY_IPV6, type Tunnel } from "./lab.ts";
import { must, sleep } from "./namespace.ts";
import { CLOCK_NEED, OtherClock } from "./other_clock.ts";
import { Ping } from "./ping.ts";
import { WIREGUARD_PORT } from "./wireguard_host.ts";

const NEW_A = "203.0.113.31";
const NEW_B = "203.0.113.32";
/** Long enough for nothing to be found out by a poll meanwhile. */
const SLOW = ["--interval", "60s"];
const LIMIT = 20;
/** All that `sync` may have on a small router. */
const ROUTER_KB = 3776;

/** When a line was logged that matches, in milliseconds. */
function loggedAt({ out }: Running, pattern: RegExp, from = 0): number {
  const line = out.slice(from).split("\n").find((each) => pattern.test(each));
  assert(line !== undefined, `${pattern}\n${out}`);
  return Date.parse(line.slice(0, line.indexOf(" ")));
}

function logsOf({ alice, bob }: Pick<Tunnel, "alice" | "bob">): string {
  return `alice:\n${alice.out}${alice.err}\nbob:\n${bob.out}${bob.err}`;
}

testWith(
  LAB_NEEDS,
  "lab: a peer that moves is set on the other side as soon as that is told",
  async () => {
    const took: number[] = [];
    for (let i = 0; i < 3; i++) {
      await using lab = await Lab.withWireGuard("preserve", "eim");
      const tunnel = await lab.bringUp(...SLOW);
      const { alice, bob, ping } = tunnel;
      await sleep(2);
      const before = alice.out.length;
      await lab.routerB.move(NEW_B);
      // Bob's sync looks now, instead of within half a minute.
      bob.signal("SIGUSR1");
      const own = new RegExp(` own-endpoint endpoint=${NEW_B}:\\d+ before=`);
      await bob.printed(own);
      const set = new RegExp(` endpoint-set key=\\S+ endpoint=${NEW_B}:\\d+ before=`);
      await alice.printed(set, LIMIT, before);
      took.push(loggedAt(alice, set, before) - loggedAt(bob, own));
      const ms = await ping.reply(LIMIT);
      figure(`a move is set ${took.at(-1)} ms after who moved knows it, ping back after ${ms} ms`);
      assertEquals(/ (error|warn) /.test(alice.out.slice(before)), false, logsOf(tunnel));
    }
  },
);

testWith(
  LAB_NEEDS,
  "lab: both moved at once, and the tunnel comes back by what is told",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "preserve");
    const tunnel = await lab.bringUp(...SLOW);
    await sleep(2);
    await Promise.all([lab.routerA.move(NEW_A), lab.routerB.move(NEW_B)]);
    for (const each of [tunnel.alice, tunnel.bob]) each.signal("SIGUSR1");
    const ms = await tunnel.ping.reply(LIMIT).catch(() => undefined);
    figure(`both moved: ping back after ${ms} ms`);
    assert(ms !== undefined, logsOf(tunnel));
  },
);

testWith(LAB_NEEDS, "lab: two hosts with nothing but IPv6 find each other", async () => {
  await using lab = await Lab.withWireGuard();
  await lab.useIpv6(true);
  const { alice, bob } = lab;
  await lab.serve(REGISTRY_IPV6);
  for (const register of ["raw", "borrow"]) {
    const args = ["--server", `[${REGISTRY_IPV6}]`, "--register", register];
    const syncs = [lab.sync(alice, ...args), lab.sync(bob, ...args)] as const;
    const ping = new Ping(alice.namespace, bob.address);
    const ms = await ping.reply(LIMIT).catch(() => undefined);
    assert(ms !== undefined, logsOf({ alice: syncs[0], bob: syncs[1] }));
    figure(`IPv6 alone, --register ${register}: first ping after ${ms} ms`);
    await syncs[0].printed(/ own-endpoint endpoint=\[2001:db8:1::2\]:51820\n/);
    assertMatch(await alice.endpoints(), /\t\[2001:db8:2::2\]:51820\n$/);
    assertEquals((await alice.device()).listenPort, WIREGUARD_PORT);
    await ping.stop();
    for (const sync of syncs) await sync.stop();
    for (const host of [alice, bob]) {
      await host.stopWireGuard();
      await host.startWireGuard();
    }
  }
});

testWith(LAB_NEEDS, "lab: where IPv4 leads nowhere, the peer is found over IPv6", async () => {
  await using lab = await Lab.withWireGuard("sym", "sym");
  await lab.useIpv6();
  await lab.registry.setHosts({});
  for (const host of [lab.alice, lab.bob]) {
    await host.namespace.setHosts({
      "registry.example": REGISTRY,
      "registry6.example": REGISTRY_IPV6,
    });
  }
  await lab.serve("::", "--listen", `0.0.0.0:1223`);
  const args = ["--server", "registry.example", "--server", "registry6.example"];
  const [alice, bob] = [lab.sync(lab.alice, ...args), lab.sync(lab.bob, ...args)];
  // Two symmetric NATs let nothing through.
  const ms = await new Ping(lab.alice.namespace, lab.bob.address).reply(40).catch(() => undefined);
  assert(ms !== undefined, logsOf({ alice, bob }));
  figure(`IPv4 tried in vain, then IPv6: first ping after ${ms} ms`);
  assertMatch(alice.out, / own-endpoint endpoint=203\.0\.113\.21:\d+\n/);
  assertMatch(alice.out, / own-endpoint endpoint=\[2001:db8:1::2\]:51820\n/);
  assertMatch(await lab.alice.endpoints(), /\t\[2001:db8:2::2\]:51820\n$/);
});

testWith(
  [...LAB_NEEDS, CLOCK_NEED],
  "lab: a router at 1970 has a tunnel within 5 s of the registry's answer",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    await lab.serve();
    const bob = lab.sync(lab.bob);
    await bob.printed(/ own-endpoint /);
    // The interface's handshakes have the right time; only wgsig's clock is set back.
    const clock = await OtherClock.in1970(lab.folder);
    const alice = await clock.sync(lab, lab.alice);
    await alice.printed(/^1970-01-01T\S+ error clock-wrong clock=1970-\S+ /m);
    await alice.printed(/ own-endpoint endpoint=203\.0\.113\.21:51820\n/);
    const start = performance.now();
    await alice.printed(/ endpoint-set /, 5);
    const isUp = await new Ping(lab.alice.namespace, lab.bob.address).answers(5);
    const ms = Math.round(performance.now() - start);
    assert(isUp && ms < 5000, `${ms} ms; ${logsOf({ alice, bob })}`);
    figure(`a clock at 1970: a ping ${ms} ms after the registry's answer`);
    assertEquals(alice.out.split("clock-wrong").length, 2, alice.out);
  },
);

testWith(
  LAB_NEEDS,
  "lab: a registry that restarts with another key and nothing else is followed",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const tunnel = await lab.bringUp("--interval", "3s");
    await tunnel.server.stop("SIGKILL");
    await lab.serve();
    await sleep(4);
    await lab.routerB.move(NEW_B);
    const ms = await tunnel.ping.reply(LIMIT).catch(() => undefined);
    assert(ms !== undefined, logsOf(tunnel));
    figure(`registry started anew, then a move: ping back after ${ms} ms`);
    await tunnel.alice.printed(/ HAS ANOTHER KEY THAN BEFORE: /);
  },
);

testWith(
  LAB_NEEDS,
  "lab: a registry that knows only the first protocol serves, and may learn the second",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    await lab.hearOnlyFirst();
    const tunnel = await lab.bringUp("--interval", "1s");
    assertEquals(/ server why=/.test(tunnel.alice.out), false, tunnel.alice.out);
    const [alice] = await lab.alice.endpoints().then((text) => text.split("\n"));
    assertMatch(alice ?? "", /\t203\.0\.113\.22:35436$/);
    await tunnel.alice.stop();
    await lab.hearOnlyFirst(false);
    const again = lab.sync(lab.alice, ...SLOW);
    await again.printed(/ server why="[^"]* has the key /);
  },
);

testWith(
  LAB_NEEDS,
  "lab: a member of the group can't move a peer that has proved its key",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const tunnel = await lab.bringUp("--interval", "2s");
    await sleep(2);
    const before = [tunnel.alice.out, tunnel.bob.out];
    const endpoints = await lab.alice.endpoints();
    // It knows the secret, and says that it is bob, from the registry's host.
    const key = lab.bob.publicKey;
    const args = ["query", REGISTRY, "--secret", lab.secretFile, "--key", key, "--timeout", "2s"];
    for (let i = 0; i < 5; i++) await lab.registry.run([BINARY, ...args]);
    await sleep(5);
    assertEquals([tunnel.alice.out, tunnel.bob.out], before);
    assertEquals(await lab.alice.endpoints(), endpoints);
    assertEquals(await tunnel.ping.answers(2), true);
    // Nor does who looks for bob find the member there.
    const seen = await must(lab.bob.namespace.argv([
      ...[BINARY, "query", REGISTRY, "--secret", lab.secretFile, "--no-register"],
      ...["--interface", "wg0", "--dump"],
    ]));
    assertMatch(seen, new RegExp(`^${key.replaceAll(/[+]/g, "\\+")}\t203\\.0\\.113\\.22:`, "m"));
  },
);

testWith(
  LAB_NEEDS,
  "lab: sync that is told of changes has little, and asks for little",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const tunnel = await lab.bringUp("--interval", "500ms");
    await sleep(20);
    const kb = await memoryOf(tunnel.alice.pid);
    figure(`sync with wgsig 2: ${kb} kB resident`);
    if (isRouterBinary()) assert(kb <= ROUTER_KB, `${kb} kB`);
  },
);
