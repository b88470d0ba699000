/** `wgsig config` for an interface that is up. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { INTERFACE, WIREGUARD_PORT } from "./wireguard_host.ts";

testWith(LAB_NEEDS, "lab: config keeps the port of an interface that is up", async () => {
  await using lab = await Lab.withWireGuard("preserve", "preserve");
  const server = await lab.serve();
  const { code, out, err } = await lab.alice.namespace.run([
    BINARY,
    "config",
    INTERFACE,
    "--server",
    REGISTRY,
    "--secret",
    lab.secretFile,
    "--address",
    "10.9.0.1/24",
  ], { env: { WGSIG_CONFIG: "/dev/null" } });
  assertEquals([code, err], [0, ""]);
  assertMatch(out, new RegExp(`^ListenPort = ${WIREGUARD_PORT}$`, "m"));
  assertEquals(server.out.includes("peer-registered"), false, server.out);
});
