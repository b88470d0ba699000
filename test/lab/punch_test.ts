/** WireGuard's hole-punching example, spoken by `serve --punch` and `punch://`. */

import { assertEquals, assertMatch } from "@std/assert";
import { parseKey } from "../../lib/core/net/peer_key.ts";
import { BINARY, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { Ping } from "./ping.ts";
import { INTERFACE } from "./wireguard_host.ts";

const LIMIT = 8;
const SERVER = `punch://${REGISTRY}`;
const ENV = { WGSIG_CONFIG: "/dev/null" };
/** Sends 64 bytes in hex to the server from a port of its own, and prints the answer in hex. */
const ASK = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], 49918))
print(s.recv(64).hex())
`;

function hexOf(publicKey: string): string {
  return [...parseKey(publicKey) ?? []].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

for (const register of ["raw", "borrow"]) {
  testWith(
    LAB_NEEDS,
    `lab: peers find each other through punch://, --register ${register}`,
    async () => {
      await using lab = await Lab.withWireGuard("preserve", "eim");
      const server = lab.registry.start([BINARY, "serve", "--punch"], { env: ENV });
      await server.printed(
        / warn punch-listening address=0\.0\.0\.0:49918 note="nobody is authenticated here"\n/,
      );
      await server.printed(/ ready/);
      const first = lab.sync(lab.alice, "--server", SERVER, "--register", register);
      await first.printed(/ interface-found /);
      const start = performance.now();
      const second = lab.sync(lab.bob, "--server", SERVER, "--register", register);
      const answered = await new Ping(lab.bob.namespace, lab.alice.address).answers(LIMIT);
      assertEquals(
        answered,
        true,
        `${first.out}${first.err}\n${second.out}${second.err}\n${server.out}`,
      );
      figure(`punch://, ${register}: first ping after ${Math.round(performance.now() - start)} ms`);
      assertMatch(second.out, / endpoint-set key=\S+ endpoint=203\.0\.113\.21:51820 /);
      await server.stop("SIGTERM");
      assertMatch(server.out, / counters .*punch-received=\d+ punch-answered=\d+/);
    },
  );
}

testWith(
  [...LAB_NEEDS, "python3"],
  "lab: what somebody claims through punch never overrides what a peer has proved",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    await lab.serve(REGISTRY, "--punch");
    const alice = lab.sync(lab.alice);
    await alice.printed(/ own-endpoint endpoint=203\.0\.113\.21:51820\n/);
    const [a, b] = [hexOf(lab.alice.publicKey), hexOf(lab.bob.publicKey)];
    const ask = async (bytes: string) =>
      (await lab.bob.namespace.must(["python3", "-c", ASK, REGISTRY, bytes])).trim();
    // Bob's host says that it is alice, and asks where bob is, whom nobody has seen.
    assertEquals(await ask(a + b), "");
    // Alice is where she has proved to be: 203.0.113.21:51820.
    assertEquals(await ask(b + a), "cb007115ca6c");
    // And what was claimed of bob is known to who asks here, and to no group.
    assertMatch(await ask(a + b), /^cb007116[0-9a-f]{4}$/);
    const { out } = await lab.syncOnce(lab.alice);
    assertEquals(out.includes("endpoint-set"), false, out);
    const peers = await lab.alice.namespace.must([
      BINARY,
      "query",
      REGISTRY,
      "--secret",
      lab.secretFile,
      "--interface",
      INTERFACE,
      "--json",
    ], { env: ENV });
    assertEquals(peers.includes(lab.bob.publicKey), false, peers);
  },
);
