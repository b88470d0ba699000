/**
 * WireGuard's datagrams to one endpoint leave through another port, past a NAT and a firewall.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { PortMove } from "../../lib/wireguard/port_move.ts";
import { mendPortMoves, PortMoves } from "../../lib/wireguard/port_move.ts";
import { errorCode } from "../../lib/host/error.ts";
import type { Processes } from "../../lib/host/processes.ts";
import { bundle, DENO, ROOT } from "../../scripts/tools.ts";
import { testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, REGISTRY, REGISTRY_IPV6 } from "./lab.ts";
import { type Namespace, sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";
import { INTERFACE, WIREGUARD_PORT, type WireGuardHost } from "./wireguard_host.ts";

/** What belongs to no connection that conntrack knows is not let in. */
const FIREWALL = `table inet firewall {
  chain input { type filter hook input priority filter; policy drop
    iifname { lo, wg0 } accept
    ct state established,related accept
    meta l4proto ipv6-icmp accept
  }
}`;
const ALICE = "203.0.113.21";
const ALICE_IPV6 = "[2001:db8:1::2]";
const SECONDS = 15;

/** Runs programs in a namespace. */
function within(namespace: Namespace): Processes {
  return { run: (argv, options) => namespace.run(argv, options) };
}

async function tables({ namespace }: WireGuardHost): Promise<string> {
  const all = await namespace.must(["nft", "list", "tables"]);
  return all.split("\n").filter((line) => line.includes("wgsig-")).join();
}

/** Waits until a host has this endpoint of a peer. */
async function seen(host: WireGuardHost, peer: WireGuardHost, endpoint: string): Promise<void> {
  let all = "";
  for (const until = performance.now() + SECONDS * 1000; performance.now() < until;) {
    all = await host.endpoints();
    if (all.split("\n").includes(`${peer.publicKey}\t${endpoint}`)) return;
    await sleep(0.1);
  }
  throw new Error(`not ${endpoint}, but ${all}`);
}

const move = (host: string, through: number, port = WIREGUARD_PORT): PortMove => ({
  endpoint: { host, port },
  port: WIREGUARD_PORT,
  through,
});

for (const family of [4, 6] as const) {
  testWith(
    LAB_NEEDS,
    `over IPv${family} one endpoint is spoken to from another port, and others as before`,
    async () => {
      await using lab = await Lab.withWireGuard();
      if (family === 6) await lab.useIpv6();
      const { alice, bob } = lab;
      await alice.namespace.must(["nft", "-f", "-"], { input: FIREWALL });
      const hub = await lab.openHub();
      const address = family === 6 ? REGISTRY_IPV6 : REGISTRY;
      const own = family === 6 ? ALICE_IPV6 : ALICE;
      const endpoint = family === 6 ? `[${address}]` : address;
      await alice.setPeer(hub, "endpoint", `${endpoint}:${WIREGUARD_PORT}`);
      for (const [host, to, at] of [[alice, bob, 22], [bob, alice, 21]] as const) {
        const there = `203.0.113.${at}:${WIREGUARD_PORT}`;
        await host.setPeer(to, "endpoint", there, "persistent-keepalive", "1");
      }
      const pings = [hub, bob].map(({ address }) => new Ping(alice.namespace, address));
      const answered = () => Promise.all(pings.map((ping) => ping.reply(SECONDS)));
      await answered();
      await seen(hub, alice, `${own}:${WIREGUARD_PORT}`);

      const moves = new PortMoves(within(alice.namespace), INTERFACE);
      await moves.move(move(address, 45_000));
      await seen(hub, alice, `${own}:45000`);
      await seen(bob, alice, `${ALICE}:${WIREGUARD_PORT}`);
      await answered();
      // A further one leaves it as it is; the same endpoint again is moved on.
      await moves.move(move(address, 45_001, 6000));
      await answered();
      await seen(hub, alice, `${own}:45000`);
      await moves.move(move(address, 45_002));
      await seen(hub, alice, `${own}:45002`);
      assertEquals(moves.size, 2);

      // The other side begins a handshake by itself.
      await hub.set("peer", alice.publicKey, "persistent-keepalive", "1");
      await answered();

      await moves.undo(move(address, 0).endpoint);
      await seen(hub, alice, `${own}:${WIREGUARD_PORT}`);
      assertEquals(await tables(alice), `table inet wgsig-${INTERFACE}`);
      await moves.end();
      assertEquals(await tables(alice), "");
      await answered();
      for (const ping of pings) await ping.stop();
    },
  );
}

testWith(
  LAB_NEEDS,
  "a probe from WireGuard's port goes the same way, and is answered",
  async () => {
    await using lab = await Lab.withWireGuard();
    await lab.useIpv6();
    const { alice, folder, registry } = lab;
    await alice.namespace.must(["nft", "-f", "-"], { input: FIREWALL });
    const moves = new PortMoves(within(alice.namespace), INTERFACE);
    await moves.move(move(REGISTRY, 45_000, 6000));
    await moves.move(move(REGISTRY_IPV6, 45_000, 6000));
    await Deno.writeTextFile(
      `${folder}/echo.ts`,
      `import { denoHost } from "${ROOT}/lib/host/deno/deno.ts";
    for (const address of ["${REGISTRY}", "${REGISTRY_IPV6}"]) {
      const socket = await denoHost().udp({
        address, port: 6000, onSendError: console.log,
        onBatch(batch, replies) {
          const text = new TextEncoder().encode("port " + batch.sourcePort(0));
          replies.add(0, text, 0, text.length, 1);
        },
      });
    }
    console.log("ready");`,
    );
    await Deno.writeTextFile(
      `${folder}/probe.ts`,
      `import { denoHost } from "${ROOT}/lib/host/deno/deno.ts";
    for (const [family, host] of [[4, "${REGISTRY}"], [6, "${REGISTRY_IPV6}"]]) {
      const socket = await denoHost().rawUdp({
        family, port: ${WIREGUARD_PORT}, mark: 0, onSendError: console.log,
        onBatch(batch, ports) {
          const bytes = batch.payloads.bytes.subarray(0, batch.lengths[0]);
          console.log(family, new TextDecoder().decode(bytes), "heard at", ports[0]);
          socket.close();
        },
      });
      socket.send(Uint8Array.of(0), { host, port: 6000 });
    }`,
    );
    for (const name of ["echo", "probe"]) {
      await bundle(`${folder}/${name}.ts`, `${folder}/${name}.js`);
    }
    const script = (name: string) => [DENO, "run", "-A", "--unstable-net", `${folder}/${name}.js`];
    const echo = registry.start(script("echo"));
    await echo.printed(/ready/);
    const probe = alice.namespace.start(script("probe"));
    await probe.printed(/^4 .*\n(.*\n)*6 .*\n|^6 .*\n(.*\n)*4 .*\n/);
    assertEquals(probe.out.trim().split("\n").toSorted(), [
      `4 port 45000 heard at ${WIREGUARD_PORT}`,
      `6 port 45000 heard at ${WIREGUARD_PORT}`,
    ]);
    await echo.stop();
  },
);

testWith(
  LAB_NEEDS,
  "past a symmetric NAT, WireGuard takes the port to which a datagram has come through",
  async () => {
    await using lab = await Lab.withWireGuard("sym", "preserve");
    const { alice, bob, folder, routerA } = lab;
    const spare = 45_000;
    const there = { host: "203.0.113.22", port: WIREGUARD_PORT };
    const script = `import { denoHost } from "${ROOT}/lib/host/deno/deno.ts";
      const [host, port, from] = Deno.args;
      const socket = await denoHost().rawUdp({
        family: 4, port: ${WIREGUARD_PORT}, mark: 0, onSendError: console.log,
        onBatch(batch, ports) {
          for (let i = 0; i < batch.count; i++) {
            console.log("heard", batch.lengths[i], "from", batch.sourcePort(i), "at", ports[i]);
          }
        },
      });
      if (from !== undefined) socket.hearAlso(Number(from), 1);
      const how = from === undefined ? {} : { from: Number(from) };
      setInterval(() => socket.send(Uint8Array.of(0), { host, port: Number(port) }, how), 100);`;
    await Deno.writeTextFile(`${folder}/open.ts`, script);
    await bundle(`${folder}/open.ts`, `${folder}/open.js`);
    const open = [DENO, "run", "-A", "--unstable-net", `${folder}/open.js`];
    const opener = alice.namespace.start([...open, there.host, `${there.port}`, `${spare}`]);
    let mapped: string | undefined;
    for (const until = performance.now() + SECONDS * 1000; mapped === undefined;) {
      if (performance.now() > until) throw new Error("nothing was sent");
      const flow = ["-p", "udp", "--orig-port-src", `${spare}`];
      const { out } = await routerA.namespace.run(["conntrack", "-L", ...flow]);
      mapped = out.match(/ dst=203\.0\.113\.21 sport=51820 dport=(\d+)/)?.[1];
      await sleep(0.1);
    }
    const guesser = bob.namespace.start([...open, ALICE, mapped]);
    await opener.printed(new RegExp(`^heard 1 from ${WIREGUARD_PORT} at ${spare}$`, "m"));
    await Promise.all([opener.stop(), guesser.stop()]);

    const moves = new PortMoves(within(alice.namespace), INTERFACE);
    await moves.move({ endpoint: there, port: WIREGUARD_PORT, through: spare });
    await bob.setPeer(alice, "endpoint", `${ALICE}:${mapped}`);
    await alice.setPeer(bob, "endpoint", `${there.host}:${there.port}`);
    const ping = new Ping(alice.namespace, bob.address);
    await ping.reply(SECONDS);
    await seen(bob, alice, `${ALICE}:${mapped}`);
    await ping.stop();
    const back = new Ping(bob.namespace, alice.address);
    await back.reply(SECONDS);
    await back.stop();
    await moves.end();
  },
);

testWith(LAB_NEEDS, "what a killed process has left is removed by the next start", async () => {
  await using lab = await Lab.withWireGuard();
  const { alice } = lab;
  const host = within(alice.namespace);
  await new PortMoves(host, INTERFACE).move(move(REGISTRY, 45_000));
  await new PortMoves(host, "wg1").move(move(REGISTRY, 45_001));
  assertEquals(await mendPortMoves(host, INTERFACE), true);
  assertEquals(await mendPortMoves(host, INTERFACE), false);
  assertEquals(await tables(alice), "table inet wgsig-wg1");

  await new PortMoves(host, INTERFACE).move(move(REGISTRY, 45_000));
  await lab.serve();
  const sync = lab.sync(alice);
  await sync.printed(/ own-endpoint /);
  assertEquals(await tables(alice), "table inet wgsig-wg1");
  await sync.stop();
});

testWith(
  [...LAB_NEEDS, "setpriv"],
  "without nft or permission it has a code, and nothing changes",
  async () => {
    await using lab = await Lab.open();
    const { alice } = lab;
    const inside = within(alice.namespace);
    const some = "-net_admin";
    const before = ["setpriv", `--bounding-set=${some}`, `--inh-caps=${some}`];
    const bare: Processes = { run: (argv, options) => inside.run([...before, ...argv], options) };
    const none: Processes = {
      run: () => Promise.reject(Object.assign(new Error("no nft"), { code: "ENOENT" })),
    };
    const old: Processes = {
      run: () => Promise.resolve({ code: 1, out: "", err: "Error: Protocol not supported\n..." }),
    };
    for (const [host, code] of [[bare, "EPERM"], [none, "ENOENT"], [old, "ENOTSUP"]] as const) {
      const moves = new PortMoves(host, INTERFACE);
      const error = await assertRejects(() => moves.move(move(REGISTRY, 45_000)));
      assertEquals([errorCode(error), moves.size], [code, 0]);
      // Nothing was moved, so nothing is to be undone.
      await moves.end();
      assertEquals(await mendPortMoves(host, INTERFACE), false);
    }
    const moves = new PortMoves(inside, INTERFACE);
    for (
      const wrong of [
        move("fe80::1%eth0", 5),
        move("example.org", 5),
        move("1.2.3.4 accept", 5),
        move("192.0.2.1", 0),
        move("192.0.2.1", 65_536),
        move("192.0.2.1", 5, 0),
        move("192.0.2.1", 1.5),
      ]
    ) {
      const error = await assertRejects(() => moves.move(wrong));
      assertEquals(errorCode(error), "EINVAL");
    }
    // One that fails takes no other with it.
    await Promise.all([
      assertRejects(() => moves.move(move("fe80::1%eth0", 5))),
      moves.move(move("::ffff:192.0.2.1", 5)),
      moves.move(move("2001:db8::1", 6)),
    ]);
    assertEquals(moves.size, 2);
    const rules = await alice.namespace.must(["nft", "list", "table", "inet", "wgsig-wg0"]);
    assert(rules.includes("ip daddr 192.0.2.1") && rules.includes("ip6 daddr 2001:db8::1"), rules);
    const odd = new PortMoves(inside, "a=b+c.d-e_");
    await odd.move(move("192.0.2.1", 5));
    assertEquals(await mendPortMoves(inside, "a=b+c.d-e_"), true);
  },
);
