/** `wgsig sync` on boringtun, which tells neither its keys nor when a handshake was. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS } from "./lab.ts";
import { Ping } from "./ping.ts";
import { INTERFACE } from "./wireguard_host.ts";

const NEEDS = [...LAB_NEEDS, "boringtun-cli"];
const LIMIT = 15;

testWith(
  NEEDS,
  "lab: boringtun with the key of the settings",
  async () => {
    await using lab = await Lab.open("preserve", "eim");
    const { alice, bob } = lab;
    bob.program = ["boringtun-cli", "-f", "--disable-drop-privileges", INTERFACE];
    await Promise.all([alice.makeKey(), bob.makeKey()]);
    alice.peer = bob;
    bob.peer = alice;
    await Promise.all([alice.startWireGuard(), bob.startWireGuard()]);
    assertEquals((await bob.device()).publicKey, undefined);
    await lab.serve();
    const none = await lab.syncOnce(bob);
    assertEquals(none.code, 1);
    assertMatch(
      none.err,
      /^wgsig: .*boringtun.* private-key-file or public-key in \[sync\.wg0\]/,
    );
    const query = await bob.namespace.run([
      ...[BINARY, "query", "203.0.113.10", "--interface", INTERFACE, "--no-register"],
      ...["--secret", lab.secretFile],
    ]);
    assertMatch(query.err, /boringtun/);

    const config = `${lab.folder}/wgsig.toml`;
    await Deno.writeTextFile(config, `[sync.${INTERFACE}]\nprivate-key-file = "${bob.keyFile}"\n`);
    const first = lab.sync(alice, "--interval", "2s");
    const args = ["--interval", "2s", "--config", config];
    const second = lab.sync(bob, ...args);
    await second.printed(/ interface-found .* register=raw /);
    await new Ping(bob.namespace, alice.address).reply(LIMIT);
    await second.printed(/ peer-alive /, LIMIT);
    await first.printed(/ peer-alive /, LIMIT);
    await alice.stopWireGuard();
    await alice.startWireGuard();
    await new Ping(bob.namespace, alice.address).reply(4 * LIMIT);
    assertEquals(second.out.match(/ interface-/g)?.length, 1, second.out);
    const queried = await bob.namespace.run([
      ...[BINARY, "query", "203.0.113.10", "--interface", INTERFACE, "--no-register", "--json"],
      ...["--secret", lab.secretFile, "--config", config],
    ]);
    assertEquals(queried.code, 0, queried.err);
  },
);
