/** `wgsig doctor` on a host with a real WireGuard behind a NAT, with and without `sync`. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { Ping } from "./ping.ts";
import { INTERFACE } from "./wireguard_host.ts";

const PING_SECONDS = 15;

testWith(LAB_NEEDS, "lab: doctor looks at a real interface behind a symmetric NAT", async () => {
  await using lab = await Lab.withWireGuard("sym", "preserve");
  const served = await lab.serve(REGISTRY, "--listen", `${REGISTRY}:1224`);
  const [, key = ""] = await served.printed(/server-key=(\S+)/);
  const { alice, bob } = lab;
  const settings = `${lab.folder}/doctor.toml`;
  await Deno.writeTextFile(
    settings,
    `[sync.${INTERFACE}]
servers = ["${REGISTRY}"]
server-key = "${key}"
secret-file = "${lab.secretFile}"
interval = "1s"

[[peer]]
name = "bob"
public-key = "${bob.publicKey}"
allowed-ips = ["10.9.0.2/32"]
`,
    { mode: 0o600 },
  );
  const doctor = async () => {
    const { code, out, err } = await alice.namespace.run([BINARY, "doctor", "--config", settings]);
    assertEquals(err, "");
    return { code, out };
  };
  const before = await doctor();
  for (
    const line of [
      /^ok +interface +wg0 is up, with the key /m,
      /^ok +udp +.*:1223 over IPv4 answers in .* wgsig 2$/m,
      /^ok +proof +.* takes it$/m,
      /^ok +listen-port +51820$/m,
      /^ok +register +by raw sockets$/m,
      /^warn +nat +hard: .*; mend it: let a registry relay/m,
      /^warn +port-map +none at 192\.168\.1\.1 /m,
      /^warn +keepalive +off behind a NAT.* bob; mend it: wg set wg0 peer /m,
      /^warn +handshake +never with bob/m,
      /^ok +mtu +1420/m,
      /^warn +sync +no sync takes care of wg0/m,
    ]
  ) assertMatch(before.out, line);
  assertEquals(before.code, 0, before.out);

  lab.sync(bob, "--interval", "1s");
  const sync = alice.namespace.start([BINARY, "sync", "--config", settings]);
  try {
    await sync.printed(/ endpoint-set /);
    const ping = new Ping(alice.namespace, bob.address);
    await ping.reply(PING_SECONDS);
    const { code, out } = await doctor();
    assertMatch(out, /^ok +sync +runs for wg0$/m);
    assertMatch(out, /^ok +handshake +with 1 of 1 peers/m);
    assertEquals(code, 0, out);
    // What doctor asks moves nobody: the way is the same.
    await ping.reply(PING_SECONDS);

    await alice.namespace.ip(`link set ${INTERFACE} mtu 1500`);
    const large = await doctor();
    assertMatch(large.out, /^bad +mtu +1500 .* more than the 1500 of .* mtu 1420/m);
    assertEquals(large.code, 1);
  } finally {
    await sync.stop();
  }
  await alice.stopWireGuard();
  const gone = await doctor();
  assertMatch(
    gone.out,
    /^bad +interface +there is no WireGuard interface wg0; mend it: wg-quick up wg0$/m,
  );
  assertEquals(gone.code, 1);
});
