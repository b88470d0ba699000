/** A router that forwards ports on request: PCP, NAT-PMP and UPnP, as miniupnpd speaks them. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";
import { MAPPED_ADDRESS, MappingRouter, PORT_MAP_NEEDS, type Spoken } from "./port_map_scene.ts";
import { WIREGUARD_PORT } from "./wireguard_host.ts";

const NEEDS = [...LAB_NEEDS, ...PORT_MAP_NEEDS];
const FORWARDED = [`${WIREGUARD_PORT} 192.168.1.2:${WIREGUARD_PORT}`];
const VIA: Readonly<Record<Spoken, string>> = { all: "pcp", "nat-pmp": "nat-pmp", upnp: "upnp" };

testWith(
  NEEDS,
  "lab: query --nat says by which protocol ports are mapped, or why not",
  async () => {
    await using lab = await Lab.open();
    await lab.serve(REGISTRY, "--listen", `${REGISTRY}:1224`);
    const ask = async (...more: readonly string[]) => {
      const servers = [`${REGISTRY}:1223`, `${REGISTRY}:1224`];
      const argv = [BINARY, "query", "--nat", ...servers, "--secret", lab.secretFile, ...more];
      const key = ["--key", "jDqJ0hD2nWcUQqhPqSLGSmFnhZuGHzmHzIXGpzsNz2Y="];
      const { code, out, err } = await lab.alice.namespace.run([...argv, ...key]);
      assertEquals([code, err], [0, ""]);
      return out;
    };
    const router = await MappingRouter.open(lab);
    for (const speaks of ["all", "nat-pmp", "upnp"] as const) {
      await router.start(speaks);
      assertMatch(
        await ask(),
        new RegExp(`^port mapping: ${VIA[speaks]} ${MAPPED_ADDRESS}:\\d+$`, "m"),
      );
      assertEquals(await router.forwarded(), [], "given back");
      await router.stop();
    }
    const { portMapping } = JSON.parse(await ask("--json"));
    assertEquals(portMapping, [{
      gateway: "192.168.1.1",
      via: null,
      endpoint: null,
      why: "pcp: no answer; nat-pmp: no answer; upnp: no gateway answers",
    }]);
  },
);

testWith(
  NEEDS,
  "lab: sync has its port mapped, so that symmetric NATs meet, anew after a restart, and gives it back",
  async () => {
    await using lab = await Lab.withWireGuard("sym", "sym");
    const router = await MappingRouter.open(lab);
    await router.start();
    await lab.serve();
    const alice = lab.sync(lab.alice);
    const endpoint = `${MAPPED_ADDRESS}:${WIREGUARD_PORT}`;
    await alice.printed(new RegExp(` info port-mapped endpoint=${endpoint} via=pcp `), 30);
    assertEquals(await router.forwarded(), FORWARDED);
    lab.sync(lab.bob, "--port-map", "off", "--punch-hard", "off");
    const ping = new Ping(lab.bob.namespace, lab.alice.address);
    await ping.reply(30);
    await ping.stop();
    // At the mapped port, of either address: alice's own datagrams leave from the other one.
    assertMatch(await lab.bob.endpoints(), new RegExp(`:${WIREGUARD_PORT}$`, "m"));

    // Switched off and on: it has forgotten everything, and its epoch has gone back, by more than
    // clocks may be off.
    await sleep(8);
    await router.stop();
    await router.start();
    assertEquals(await router.forwarded(), []);
    await router.waitFor(FORWARDED, 45);

    // And now it speaks only UPnP.
    const before = alice.out.length;
    await router.stop();
    await router.start("upnp");
    alice.signal("SIGUSR1");
    await alice.printed(
      new RegExp(` info port-mapped endpoint=${endpoint} via=upnp `),
      45,
      before,
    );
    assertEquals(await router.forwarded(), FORWARDED);

    await alice.stop("SIGTERM");
    assertMatch(alice.out, / info stopped signal=SIGTERM$/m);
    assertEquals(await router.forwarded(), []);
  },
);
