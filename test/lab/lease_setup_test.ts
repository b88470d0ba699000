/** What leases need of an interface, what else a lease brings, and when the client ends. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { LAB_NEEDS, REGISTRY } from "./lab.ts";
import { ALICE, type LeaseScene, obey, POOLS, together } from "./lease_scene.ts";
import { INTERFACE, WIREGUARD_PORT } from "./wireguard_host.ts";

async function missingAtTheServer(scene: LeaseScene): Promise<void> {
  const { hub, alice } = scene;
  const pools = POOLS.flatMap((pool) => ["--lease", pool]);
  const server = await scene.serveWith(pools);
  const waiting = / lease-waiting interface=wg0 why="run: (.*) \(or serve with --configure\)"\n/;
  const [, first = ""] = await server.printed(waiting);
  // IPv6 is forwarded, and wireguard-go gives itself a link-local address: fe80:: is anycast.
  assertMatch(first, /^ip -6 addr del fe80::\S+\/64 dev wg0 && ip -6 addr add fe80::\/128 dev wg0/);
  assertMatch(
    first,
    / && ip -6 route add fe80::a\/128 dev wg0 && ip -6 route add fe80::b\/128 dev/,
  );
  assertEquals(server.out.includes(" lease-listening "), false);
  await obey(hub, first);
  await server.printed(/ lease-listening address=\[fe80::%wg0\]:970 leases=0\n/);
  const { client } = await scene.lease(alice);
  // What is lost later is told as well.
  const told = server.out.length;
  await hub.namespace.ip("route del fe80::a/128 dev wg0");
  const [, second = ""] = await server.printed(waiting, 10, told);
  assertEquals(second, "ip -6 route add fe80::a/128 dev wg0");
  await obey(hub, second);
  await client.stop("SIGTERM");
  assertEquals(await scene.allowed(alice), [`${ALICE}/128`]);
}

async function missingAtTheClient(scene: LeaseScene): Promise<void> {
  const { hub, alice } = scene;
  await scene.serve();
  const { namespace } = alice;
  await namespace.ip(
    "addr del fe80::a/128 dev wg0",
    "addr add fe80::/64 dev wg0",
    "route del fe80::/128 dev wg0",
    "route del fe80::/64 dev wg0",
    "addr del fe80::/64 dev wg0",
  );
  await alice.set("peer", hub.publicKey, "allowed-ips", "10.16.0.0/12,fd00::/16");
  const client = scene.sync(alice);
  const hint = async (pattern: RegExp) =>
    (await client.printed(new RegExp(` lease-setup hint="${pattern.source}"\n`), 15))[1] ?? "";
  await hint(/wg0 has no link-local address of its own; .* ip -6 addr add fe80::…\/128 dev wg0/);
  await namespace.ip("addr add fe80::a/128 dev wg0", "addr add fe80::c/128 dev wg0");
  const two = await hint(/wg0 has 2 link-local addresses; [^:]* that is fe80::[ac]: (.*)/);
  assertMatch(two, /^ip -6 addr del fe80::[ac]\/128 dev wg0$/);
  await namespace.ip("addr del fe80::c/128 dev wg0");
  const wg = await hint(/no peer of wg0 has fe80::\/128 in its AllowedIPs; [^:]*: (wg set .*)/);
  assertEquals(
    wg.split(" allowed-ips ")[1]?.split(",").toSorted(),
    ["10.16.0.0/12", "fd00::/16", "fe80::/128"],
  );
  await obey(alice, wg);
  const route = await hint(/there is no route to the server; add it: (.*)/);
  assertEquals(route, "ip -6 route add fe80::/128 dev wg0");
  await obey(alice, route);
  await client.printed(/ leased seconds=3600\n/, 20);
  assertEquals((await scene.addresses(alice)).length, 2);
}

async function news(scene: LeaseScene): Promise<void> {
  const { hub, alice, bob } = scene;
  const pools = POOLS.map((pool) => `"${pool}"`).join(", ");
  const config = await scene.settings(
    `[serve.lease]\ninterface = "wg0"\npools = [${pools}]\nconfigure = true\n` +
      `routes = ["10.40.0.0/16", "10.16.0.0/12", "0.0.0.0/0"]\n`,
  );
  const allowedIps = "fe80::/128,10.16.0.0/12,10.40.0.0/16,fd00::/16";
  await alice.set("peer", hub.publicKey, "allowed-ips", allowedIps);
  await scene.serveWith(["--config", config]);
  const b = await scene.lease(bob);
  const routes = () => alice.namespace.must(["ip", "route", "show", "dev", INTERFACE]);
  const run = async (trust: boolean) => {
    const file = `${scene.lab.folder}/alice.toml`;
    await Deno.writeTextFile(
      file,
      `[sync.wg0]\nlease = true\nlease-routes = ${trust}\ntrust-lease = ${trust}\n` +
        `add-peers = true\ninterval = "2s"\n`,
    );
    return alice.namespace.start([BINARY, "sync", INTERFACE, "--config", file]);
  };
  const peer = async () =>
    (await alice.device()).peers.find(({ publicKey }) => publicKey === bob.publicKey);

  const careful = await run(false);
  await careful.printed(/ peer-unknown key=\S+ endpoint=203\.0\.113\.22:51820 /, 20);
  assertEquals(await peer(), undefined);
  assert(!(await routes()).includes("10.40.0.0/16"));
  await careful.stop("SIGTERM");

  const trusting = await run(true);
  await trusting.printed(/ lease-not-taken prefixes=0\.0\.0\.0\/0 hint=/, 20);
  await trusting.printed(/ peer-added key=\S+ endpoint=203\.0\.113\.22:51820 /, 20);
  const added = await peer();
  assertEquals(added?.allowedIps.toSorted(), b.addresses.toSorted());
  assertEquals(added?.endpoint, { host: "203.0.113.22", port: 51820 });
  assertMatch(await routes(), /^10\.40\.0\.0\/16 /m);
  await trusting.stop("SIGTERM");
  // The route that was there before is not the lease's.
  assert(!(await routes()).includes("10.40.0.0/16"));
  assertMatch(await routes(), /^10\.16\.0\.0\/12 /m);
  assertEquals(await scene.allowed(alice), [`${ALICE}/128`]);
  assertEquals((await hub.device()).peers.length, 2);
}

async function strange(scene: LeaseScene): Promise<void> {
  const { hub, alice } = scene;
  // The network between alice and her router.
  await scene.serveWith(["--lease", "192.168.1.0/24", "--lease", "fd00:20::/64", "--configure"]);
  const allowedIps = "::/0,0.0.0.0/0";
  await alice.set("peer", hub.publicKey, "allowed-ips", allowedIps);
  const client = scene.sync(alice);
  await client.printed(/ lease-not-taken prefixes=192\.168\.1\.\d+\/32 hint=/, 20);
  await client.printed(/ lease-addresses addresses=fd00:20::\S+\/128 gone= why=leased\n/, 20);
  assertEquals((await scene.addresses(alice)).length, 1);
  assertEquals(client.out.includes(" lease-refused "), false, client.out);
}

async function untilGone(scene: LeaseScene): Promise<void> {
  const { alice, bob } = scene;
  await scene.serve();
  const [a, b] = await Promise.all([scene.lease(alice, "--until-gone"), scene.lease(bob)]);
  await Promise.all([alice, bob].map((host) => scene.crash(host)));
  assertEquals(await a.client.ended(), 0);
  assertMatch(a.client.out, / interface-gone interface=wg0\n/);
  await b.client.printed(/ waiting interface=wg0\n/);
  await scene.raise(bob);
  const back = async () => `${await scene.addresses(bob)}` === `${b.addresses}`;
  await scene.until("the same addresses on the interface that came back", back, 40);

  // The line of the documentation, in wg-quick's file.
  const { lab } = scene;
  const file = `${lab.folder}/wg0.conf`;
  await Deno.writeTextFile(
    file,
    `[Interface]
PrivateKey = ${await Deno.readTextFile(alice.keyFile)}
ListenPort = ${WIREGUARD_PORT}
Address = ${ALICE}/128
PostUp = wgsig sync %i --lease --until-gone &

[Peer]
PublicKey = ${scene.hub.publicKey}
Endpoint = ${REGISTRY}:${WIREGUARD_PORT}
AllowedIPs = fe80::/128, 10.20.0.0/24, fd00:20::/64
PersistentKeepalive = 5
`,
    { mode: 0o600 },
  );
  await Deno.mkdir(`${lab.folder}/bin`);
  await Deno.symlink(BINARY, `${lab.folder}/bin/wgsig`);
  const env = {
    PATH: `${lab.folder}/bin:${Deno.env.get("PATH")}`,
    WGSIG_CONFIG: "/dev/null",
    WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: "1",
  };
  const up = alice.namespace.start(["wg-quick", "up", file], { env });
  await up.printed(/ leased /, 30);
  // The lease of the client that ended with the interface goes on.
  assertEquals(await scene.addresses(alice), a.addresses);
  assert(await scene.reaches(alice, a.addresses[0]!, "10.20.0.1"));
  await alice.namespace.must(["wg-quick", "down", file], { env });
  await up.ended();
  assertMatch(up.out, / interface-gone interface=wg0\n/);
}

testWith([...LAB_NEEDS, "wg-quick"], "lab: what leases need, bring, and outlive", async () => {
  await together({ missingAtTheServer, missingAtTheClient, news, strange, untilGone });
});
