/** `wgsig serve --lease` and `wgsig sync --lease` through a real WireGuard: leases and their ends. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWith } from "../support/program.ts";
import { LAB_NEEDS } from "./lab.ts";
import { ALICE, BOB, type LeaseScene, SHORT, together } from "./lease_scene.ts";
import type { WireStep } from "./lease_wire.ts";
import { sleep } from "./namespace.ts";

/** Short leases are looked at every two seconds; this machine may have other things to do. */
const EXPIRED = 10 + 2 + 3;

async function lifeOfALease(scene: LeaseScene): Promise<void> {
  const { alice, bob } = scene;
  const server = await scene.serve("--lease-time", SHORT);
  const [a, b] = await Promise.all([scene.lease(alice), scene.lease(bob)]);
  assertMatch(a.addresses.join(" "), /^10\.20\.0\.\d+\/32 fd00:20::\S+\/128$/);
  assertMatch(b.addresses.join(" "), /^10\.20\.0\.\d+\/32 fd00:20::\S+\/128$/);
  assertEquals(await scene.allowed(alice), [...a.addresses, `${ALICE}/128`].toSorted());
  assertEquals(await scene.allowed(bob), [...b.addresses, `${BOB}/128`].toSorted());
  for (const family of [0, 1]) {
    const [from = "", to = ""] = [a.addresses[family], b.addresses[family]];
    assert(await scene.reaches(alice, from, to), `no ping from ${from} to ${to}`);
  }
  await b.client.stop("SIGKILL");
  const gone = async () => `${await scene.allowed(bob)}` === `${BOB}/128`;
  assertEquals(await gone(), false);
  await scene.until("bob's lease ends", gone, EXPIRED);
  // Alice has renewed hers meanwhile.
  assertEquals(await scene.allowed(alice), [...a.addresses, `${ALICE}/128`].toSorted());
  assertEquals(await scene.addresses(alice), a.addresses);
  // What bob's killed client has left on the interface is what it asks for again.
  const again = await scene.lease(bob);
  assertEquals(again.addresses, b.addresses);
  assert(await scene.reaches(bob, b.addresses[0]!, a.addresses[0]!));
  // A clean end takes all off, on both sides.
  assertEquals(await a.client.stop("SIGTERM"), 0);
  assertEquals(await scene.addresses(alice), []);
  assertEquals(await scene.allowed(alice), [`${ALICE}/128`]);
  assertMatch(a.client.out, / lease-addresses addresses= gone=10\.\S+ why=released\n/);
  assertEquals(await scene.allowed(bob), [...b.addresses, `${BOB}/128`].toSorted());
  assertEquals(await server.stop("SIGTERM"), 0);
  // No lease of the server's ends with it.
  assertEquals(await scene.allowed(bob), [...b.addresses, `${BOB}/128`].toSorted());
}

/** With each way to keep leases: a file that was named, and the one in /var/run. */
function restarts(stateful: boolean): (scene: LeaseScene) => Promise<void> {
  return async (scene) => {
    const { hub, alice } = scene;
    const state = stateful ? ["--state", `${scene.lab.folder}/state`] : [];
    let server = await scene.serve(...state);
    let { client, addresses } = await scene.lease(alice);
    const expected = [...addresses, `${ALICE}/128`].toSorted();
    const assertSame = async (what: string) => {
      assertEquals(await scene.addresses(alice), addresses, what);
      assertEquals(await scene.allowed(alice), expected, what);
    };

    await client.stop("SIGKILL");
    ({ client } = await scene.lease(alice));
    await assertSame("client killed");

    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await server.stop(signal);
      await client.stop("SIGKILL");
      server = await scene.serve(...state);
      assertMatch(server.out, / leases-restored file=\S+ restored=2 expired=0 dropped=0\n/);
      ({ client } = await scene.lease(alice));
      await assertSame(`server ended by ${signal}`);
    }

    await scene.restart(alice);
    const back = async () => `${await scene.addresses(alice)}` === `${addresses}`;
    await scene.until("addresses on the new interface", back, 15);
    await assertSame("the client's WireGuard restarted");

    await scene.restart(hub);
    const granted = async () => `${await scene.allowed(alice)}` === `${expected}`;
    await scene.until("AllowedIPs on the new interface", granted, 15);
    const relisten = / lease-listening .* lease-listening /s;
    await server.printed(relisten, 15);
    await client.stop("SIGKILL");
    ({ client } = await scene.lease(alice));
    await assertSame("the server's WireGuard restarted");
    assertEquals(await client.stop("SIGTERM"), 0);
    assertEquals(await scene.allowed(alice), [`${ALICE}/128`]);
  };
}

/** The server is killed while it grants and takes back: what is told stays, and nothing is left over. */
async function killedInBetween(scene: LeaseScene): Promise<void> {
  const { alice, bob } = scene;
  const state = ["--state", `${scene.lab.folder}/state`];
  let server = await scene.serve(...state);
  const told = await scene.lease(bob);
  await told.client.stop("SIGKILL");
  const expected = [...told.addresses, `${BOB}/128`].toSorted();
  const any = "request_ip=1\nip=0.0.0.0\nip=::\n\n";
  for (const pause of [0, 0.03, 0.011]) {
    // Each answer is another pair of addresses, and the last one is taken off.
    const steps: WireStep[] = Array.from({ length: 200 }, () => [["send", any], ["read"]] as const)
      .flat();
    const asking = scene.wire(alice, steps);
    await server.printed(/ lease-changed key=\S+ addresses=\S+ gone=10\.\S+\n/);
    await sleep(pause);
    await server.stop("SIGKILL");
    await asking;
    server = await scene.serve(...state);
    assert(!/ leases-damaged /.test(server.out), server.out);
    assertEquals(await scene.allowed(bob), expected);
    const kept = await scene.allowed(alice);
    assert(kept?.length === 3, `${kept}`);
    // It is still its own: nothing of it counts as the admin's.
    assertEquals((await scene.ask(alice, "request_ip=1\n\n"))[0], "errno=0\n\n");
    assertEquals(await scene.allowed(alice), [`${ALICE}/128`]);
  }
  const again = await scene.lease(bob);
  assertEquals(again.addresses, told.addresses);
  assertEquals(await server.stop("SIGTERM"), 0);
}

async function emptyPool(scene: LeaseScene): Promise<void> {
  const { alice, bob } = scene;
  const write = (pool: string) =>
    scene.settings(
      `[serve.lease]\ninterface = "wg0"\npools = ["${pool}"]\nlease-time = "${SHORT}"\n` +
        `configure = true\n`,
    );
  // The hub itself has one of the two.
  const config = ["--config", await write("10.20.0.0/30")];
  let server = await scene.serveWith(config);
  const a = await scene.lease(alice);
  assertEquals(a.addresses, ["10.20.0.2/32"]);
  const b = scene.sync(bob);
  await b.printed(/ lease-refused errno=3 message="Chosen IP\(s\) unavailable"\n/);
  assertEquals(await scene.addresses(bob), []);
  // As soon as there is one, it is bob's.
  await a.client.stop("SIGTERM");
  assertEquals(await scene.allowed(alice), [`${ALICE}/128`]);
  await b.printed(/ lease-addresses addresses=10\.20\.0\.2\/32 /, 35);

  await write("10.21.0.0/30");
  server.signal("SIGHUP");
  await server.printed(/ leases-taken-back addresses=1\n/);
  await scene.until(
    "the lease of the old pool is off",
    async () => `${await scene.allowed(bob)}` === `${BOB}/128`,
    5,
  );
  const moved = / lease-addresses addresses=10\.21\.0\.[12]\/32 .*\n/;
  await b.printed(moved, 20);
  assertMatch(`${await scene.addresses(bob)}`, /^10\.21\.0\.[12]\/32$/);

  await server.stop("SIGTERM");
  await write("10.22.0.0/30");
  server = await scene.serveWith(config);
  await b.printed(/ lease-addresses addresses=10\.22\.0\.[12]\/32 .*\n/, 45);
  const addresses = await scene.addresses(bob);
  assertMatch(`${addresses}`, /^10\.22\.0\.[12]\/32$/);
  assertEquals(await scene.allowed(bob), [...addresses, `${BOB}/128`].toSorted());
}

async function whatIsWhose(scene: LeaseScene): Promise<void> {
  const { hub, alice, bob } = scene;
  const site = "192.168.77.0/24";
  await hub.set("peer", bob.publicKey, "allowed-ips", `${BOB}/128,${site},10.20.0.9/32`);
  const config = await scene.settings(
    `[serve.lease]\ninterface = "wg0"\npools = ["10.20.0.0/28", "fd00:20::/64"]\n` +
      `reserved = ["10.20.0.2", "10.20.0.4/30"]\nlease-time = "${SHORT}"\nconfigure = true\n` +
      `[[peer]]\npublic-key = "${alice.publicKey}"\nlease = ["10.25.0.7", "fd00:20::7"]\n`,
  );
  await scene.serveWith(["--config", config]);
  const a = await scene.lease(alice);
  assertEquals(a.addresses, ["10.25.0.7/32", "fd00:20::7/128"]);
  // Alice's own one, reserved ones, the hub's, what the admin gave to a peer, none of a pool.
  for (const address of ["10.25.0.7", "10.20.0.2", "10.20.0.6", "10.20.0.1", "10.20.0.9"]) {
    const [answer] = await scene.ask(bob, `request_ip=1\nip=${address}\n\n`);
    assertEquals(answer, "errno=3\nerrmsg=Chosen IP(s) unavailable\n\n", address);
  }
  const [answer] = await scene.ask(bob, "request_ip=1\nip=10.20.0.3\nip=fd00:20::7\n\n");
  assertMatch(answer, /^ip=10\.20\.0\.3\/32\nleasestart=\d+\nleasetime=10\nerrno=3\nerrmsg=/);
  const own = [`${BOB}/128`, site, "10.20.0.9/32"];
  assertEquals(await scene.allowed(bob), [...own, "10.20.0.3/32"].toSorted());
  await scene.until(
    "bob's lease ends",
    async () => `${await scene.allowed(bob)}` === `${own.toSorted()}`,
    EXPIRED,
  );
  // Who was removed comes back neither when a lease ends, nor when it is renewed.
  const b = await scene.lease(bob);
  assertEquals((await scene.allowed(bob))?.length, 5);
  await hub.set("peer", bob.publicKey, "remove");
  await b.client.printed(/ lease-addresses addresses= gone=\S+ why=expired\n/, EXPIRED);
  await sleep(2);
  assertEquals(await scene.allowed(bob), undefined);
  assertEquals(await scene.addresses(alice), a.addresses);
}

testWith(LAB_NEEDS, "lab: addresses are leased, renewed, lost, and given back", async () => {
  await together({
    lifeOfALease,
    "restarts, with a state file": restarts(true),
    "restarts, without a state file": restarts(false),
    killedInBetween,
    emptyPool,
    whatIsWhose,
  });
});
