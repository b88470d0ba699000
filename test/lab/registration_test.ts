/** How `wgsig sync` registers the port that WireGuard owns, each way in the lab. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { Ping } from "./ping.ts";
import { INTERFACE, WIREGUARD_PORT } from "./wireguard_host.ts";

const LIMIT = 5;
/** How often sync is killed with the port borrowed. */
const KILLS = 3;
const NO_RAW = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];

for (const register of ["raw", "borrow"]) {
  testWith(
    LAB_NEEDS,
    `lab: --register ${register} registers what the NAT makes of the port`,
    async () => {
      await using lab = await Lab.withWireGuard("eim", "preserve");
      await lab.serve();
      const alice = lab.sync(lab.alice, "--register", register);
      await alice.printed(/ own-endpoint endpoint=203\.0\.113\.21:35436\n/);
      assertMatch(
        alice.out,
        new RegExp(` interface-found interface=wg0 port=51820 register=${register} `),
      );
      const start = performance.now();
      lab.sync(lab.bob, "--register", register);
      await new Ping(lab.bob.namespace, lab.alice.address).reply(LIMIT);
      figure(
        `--register ${register}: first ping after ${Math.round(performance.now() - start)} ms`,
      );
      assertEquals((await lab.alice.device()).listenPort, WIREGUARD_PORT);
      assertEquals((await lab.bob.device()).listenPort, WIREGUARD_PORT);
    },
  );
}

testWith(
  LAB_NEEDS,
  "lab: --register tunnel leaves it to the registry's own WireGuard",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const { alice, bob } = lab;
    await lab.openHub();
    await lab.serve(REGISTRY, "--interface", INTERFACE);
    lab.sync(alice, "--register", "tunnel");
    const start = performance.now();
    const sync = lab.sync(bob, "--register", "tunnel");
    await new Ping(bob.namespace, alice.address).reply(LIMIT * 3);
    figure(`--register tunnel: first ping after ${Math.round(performance.now() - start)} ms`);
    assertMatch(sync.out, / endpoint-set key=\S+ endpoint=203\.0\.113\.21:51820 /);
  },
);

testWith([...LAB_NEEDS, "setpriv"], "lab: without CAP_NET_RAW the port is borrowed", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  await lab.serve();
  const alice = lab.syncWith(lab.alice, [], { through: NO_RAW });
  await alice.printed(
    / interface-found .* register=borrow why="no raw socket: [^"]+" hint="[^"]+"\n/,
  );
  await alice.printed(/ own-endpoint endpoint=203\.0\.113\.21:51820\n/);
  const bob = lab.syncWith(lab.bob, [], { through: NO_RAW });
  await new Ping(lab.bob.namespace, lab.alice.address).reply(LIMIT);
  assertMatch(bob.out, / register=borrow /);
  // Who insists on raw sockets is told what to do.
  await alice.stop();
  const insisting = [...NO_RAW, BINARY, ...lab.syncArgs("--once", "--register", "raw")];
  const { code, err } = await lab.alice.namespace.run(insisting);
  assertEquals(code, 1);
  assertMatch(err, /^wgsig: raw sockets are not permitted; .*CAP_NET_RAW.*--register borrow\n$/);
});

testWith(
  [...LAB_NEEDS, "setpriv"],
  "lab: without a place for notes the port is borrowed, too",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const { alice, bob } = lab;
    await lab.serve();
    const script = "mkdir -p /var/run/wgsig && mount -t tmpfs -o ro tmpfs /var/run/wgsig && " +
      'exec "$@"';
    const through = ["sh", "-c", script, "sh", ...NO_RAW];
    const once = await alice.namespace.run([...through, BINARY, ...lab.syncArgs("--once")]);
    assertEquals([once.code, once.err], [5, ""], once.out);
    assertMatch(
      once.out,
      / warn not-kept why="cannot write \/var\/run\/wgsig\/wg0\.port: read-only/,
    );
    const sync = lab.syncWith(alice, ["--interval", "1s"], { through });
    await sync.printed(/ own-endpoint endpoint=203\.0\.113\.21:51820\n/);
    lab.syncWith(bob, [], { through });
    await new Ping(bob.namespace, alice.address).reply(LIMIT);
    await sync.printed(/ peer-alive /, LIMIT);
    assertEquals(sync.out.match(/ not-kept /g)?.length, 1, sync.out);
  },
);

for (const register of ["raw", "borrow"]) {
  const name = `lab: a tunnel that takes all traffic doesn't swallow --register ${register}`;
  testWith(LAB_NEEDS, name, async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const { alice, bob } = lab;
    await lab.serve();
    // As wg-quick does for AllowedIPs = 0.0.0.0/0.
    await alice.set(
      "fwmark",
      `${WIREGUARD_PORT}`,
      "peer",
      bob.publicKey,
      "allowed-ips",
      "0.0.0.0/0",
    );
    await alice.namespace.ip(
      `route add default dev ${INTERFACE} table ${WIREGUARD_PORT}`,
      `rule add not fwmark ${WIREGUARD_PORT} table ${WIREGUARD_PORT}`,
      "rule add table main suppress_prefixlength 0",
    );
    const sync = lab.sync(alice, "--register", register);
    await sync.printed(/ own-endpoint endpoint=203\.0\.113\.21:51820\n/);
    lab.sync(bob);
    await new Ping(bob.namespace, alice.address).reply(LIMIT);
  });
}

testWith(LAB_NEEDS, "lab: a port that a killed sync had borrowed is given back", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const { alice } = lab;
  const server = await lab.serve();
  const port = async () => (await alice.device()).listenPort;
  for (let i = 0; i < KILLS; i++) {
    // A registry that says nothing makes the time long in which the port is away.
    server.signal("SIGSTOP");
    const sync = lab.sync(alice, "--register", "borrow");
    await sync.printed(/ interface-found /);
    const until = performance.now() + 2000;
    while (await port() === WIREGUARD_PORT && performance.now() < until);
    await sync.stop("SIGKILL");
    server.signal("SIGCONT");
    assertEquals(await port() === WIREGUARD_PORT, false, "the port was not borrowed");

    const next = lab.sync(alice, "--register", "borrow");
    await next.printed(/ warn port-mended interface=wg0 port=51820\n/);
    await next.printed(/ own-endpoint endpoint=203\.0\.113\.21:51820\n/);
    await next.stop();
    assertEquals(await port(), WIREGUARD_PORT);
  }
  // What was mended is not mended again.
  const { out } = await lab.syncOnce(alice, "--register", "borrow");
  assertEquals(out.includes("port-mended"), false, out);
});
