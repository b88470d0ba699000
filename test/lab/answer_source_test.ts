/** Servers that listen on all addresses of a host which has several: answers leave from the one that was asked. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, OTHER_REGISTRY, REGISTRY } from "./lab.ts";
import { sleep } from "./namespace.ts";

const ZONE = "wg.example";
/** One that the registry's host gets while it serves. */
const LATER = "203.0.113.12";
/** Of the registry's host, and of alice's router, beside it. */
const IPV6 = ["fd00:203::10", "fd00:203::11"];
const ROUTER_IPV6 = "fd00:203::21";
/** So long it may take until an address is noticed, in seconds. */
const NOTICED = 60;
const ENV = { WGSIG_CONFIG: "/dev/null" };
/** What is answered from elsewhere doesn't come through it. */
const NAT = "preserve";

/** An address of the registry as part of a server's name. */
function host(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

testWith(
  [...LAB_NEEDS, "dig"],
  "lab: each address of a registry answers, behind a NAT and beside it",
  async () => {
    await using lab = await Lab.open(NAT);
    const { registry, routerA, alice } = lab;
    // Tentative addresses can't be bound.
    await registry.ip(...IPV6.map((each) => `addr add ${each}/64 dev eth0 nodad`));
    await routerA.namespace.ip(`addr add ${ROUTER_IPV6}/64 dev wan nodad`);
    const args = ["--listen", "0.0.0.0:1223", "--listen", "[::]:1223", "--secret", lab.secretFile];
    const zone = ["--dns", "0.0.0.0:53", "--dns", "[::]:53", "--zone", ZONE, "--punch"];
    const server = registry.start([BINARY, "serve", ...args, ...zone], { env: ENV });
    await server.printed(/ ready/);
    const query = (from: typeof registry, address: string) =>
      from.run([
        ...[BINARY, "query", "--secret", lab.secretFile, "--key", `${"A".repeat(42)}8=`],
        ...["--timeout", "2s", `${host(address)}:1223`],
      ], { env: ENV });
    const dig = (from: typeof registry, address: string) =>
      from.run(["dig", "+tries=1", "+time=2", "+short", `@${address}`, ZONE, "SOA"]);
    for (
      const [from, addresses] of [
        [alice.namespace, [REGISTRY, OTHER_REGISTRY]],
        [routerA.namespace, [REGISTRY, OTHER_REGISTRY, ...IPV6]],
      ] as const
    ) {
      for (const address of addresses) {
        const { code, err } = await query(from, address);
        assertEquals(code, 0, `${address}: ${err}${server.out}`);
        const { code: dug, out } = await dig(from, address);
        assertEquals(dug, 0, `${address}: ${out}`);
        assertStringIncludes(out, ZONE, address);
      }
    }
    const { out: listed } = await registry.run(["ss", "-lunH", "sport", "=", "49918"]);
    for (const each of ["0.0.0.0", REGISTRY, OTHER_REGISTRY]) {
      assertStringIncludes(
        listed,
        ` ${each}:49918 `,
      );
    }
    // An address that goes leaves the others as they are, and one that comes is noticed.
    await registry.ip(`addr del ${OTHER_REGISTRY}/24 dev eth0`, `addr add ${LATER}/24 dev eth0`);
    for (let tries = NOTICED / 2; (await query(alice.namespace, LATER)).code !== 0; tries--) {
      assertEquals(tries > 0, true, `${LATER} doesn't answer`);
      await sleep(0);
    }
    assertEquals((await query(alice.namespace, REGISTRY)).code, 0);
    // No other process gets the port.
    const second = await registry.run([
      BINARY,
      "serve",
      "--listen",
      `${REGISTRY}:1223`,
      "--secret",
      lab.secretFile,
    ], {
      env: ENV,
    });
    assertEquals(second.code, 1, second.out + second.err);
    assertMatch(second.err, /cannot listen on 203\.0\.113\.10:1223/);
    assertEquals(server.out.includes("address-not-listened"), false, server.out);
    assertEquals(await server.stop(), 0);
  },
);
