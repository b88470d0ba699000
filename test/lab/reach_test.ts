/** Registries that can't be reached in one way, while there is another. */

import { assertEquals, assertMatch } from "@std/assert";
import { parseKey } from "../../lib/core/net/peer_key.ts";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, REGISTRY, REGISTRY_NAME } from "./lab.ts";
import { must, sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";
import { WireGuardHost } from "./wireguard_host.ts";

/** A documentation prefix that the lab has no route to. */
const NOWHERE_IPV6 = "2001:db8::10";
const NOWHERE_IPV4 = "198.51.100.10";

/**
 * Answers WireGuard's hole-punching example: one key is at the first endpoint, all others at the second.
 * Arguments: the key in hex, and the endpoints.
 */
const CLAIM = `
import socket, struct, sys
key = bytes.fromhex(sys.argv[1])
def endpoint(text):
    host, port = text.split(":")
    return socket.inet_aton(host) + struct.pack(">H", int(port))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 49918))
print("ready", flush=True)
while True:
    question, client = s.recvfrom(64)
    s.sendto(endpoint(sys.argv[2] if question[32:] == key else sys.argv[3]), client)
`;

/** Has a host know several addresses of the registry's name. */
async function knowRegistry({ namespace }: WireGuardHost, ...addresses: string[]): Promise<void> {
  const lines = addresses.map((address) => `${address} ${REGISTRY_NAME}\n`);
  await Deno.writeTextFile(namespace.hostsFile, `127.0.0.1 localhost\n${lines.join("")}`);
}

function quoted(text: string): string {
  return text.replace(/[+/=]/g, "\\$&");
}

for (const register of ["raw", "borrow"]) {
  testWith(
    LAB_NEEDS,
    `lab: an address of the registry without a route is passed over, --register ${register}`,
    async () => {
      await using lab = await Lab.withWireGuard("preserve", "eim");
      const { alice, bob } = lab;
      await lab.serve();
      await lab.syncOnce(bob);
      const args = ["--server", REGISTRY_NAME, "--register", register, "--timeout", "2s"];
      await knowRegistry(alice, NOWHERE_IPV6, REGISTRY);
      const dual = await lab.syncOnce(alice, ...args);
      assertEquals([dual.code, dual.err], [0, ""], dual.out);
      await alice.namespace.ip(`route add unreachable ${NOWHERE_IPV4}/32`);
      await knowRegistry(alice, NOWHERE_IPV4, REGISTRY);
      const unreachable = await lab.syncOnce(alice, ...args);
      assertEquals([unreachable.code, unreachable.err], [0, ""], unreachable.out);
    },
  );

  testWith(
    LAB_NEEDS,
    `lab: without any route it is said which server, and what the system said, ${register}`,
    async () => {
      await using lab = await Lab.withWireGuard("preserve", "eim");
      const { alice } = lab;
      await alice.namespace.ip("route del default");
      const args = ["--register", register, "--timeout", "1s"];
      const { code, out, err } = await lab.syncOnce(alice, ...args);
      assertEquals(code, 2, out + err);
      assertMatch(
        out + err,
        /cannot send to 203\.0\.113\.10:1223: network is unreachable; look at this host's routes/,
      );
    },
  );

  testWith(
    [...LAB_NEEDS, "nft"],
    `lab: a firewall of this host is named, and the other server is asked, ${register}`,
    async () => {
      await using lab = await Lab.withWireGuard("preserve", "eim");
      const { alice, bob } = lab;
      await lab.serve();
      await lab.syncOnce(bob);
      const rules = `table inet f { chain o { type filter hook output priority 0;
        udp dport 1224 drop; }; }`;
      await alice.namespace.must(["nft", "-f", "-"], { input: rules });
      const args = ["--register", register, "--timeout", "1s"];
      const servers = ["--server", `${REGISTRY}:1224`, "--server", REGISTRY];
      const { code, out, err } = await lab.syncOnce(alice, ...args, ...servers);
      assertEquals(code, 0, out + err);
      assertMatch(out, /endpoint-set/);
      assertMatch(
        out + err,
        /cannot send to 203\.0\.113\.10:1224: operation not permitted; look for a firewall rule/,
      );
    },
  );
}

for (const register of ["raw", "borrow"]) {
  testWith(
    [...LAB_NEEDS, "python3"],
    `lab: endpoints that the system refuses stop no other peer, --register ${register}`,
    async () => {
      await using lab = await Lab.withWireGuard("preserve", "eim");
      const { alice, bob } = lab;
      await lab.serve();
      await lab.syncOnce(bob);
      // A broadcast address of alice's network (EACCES), and one without a way (EHOSTUNREACH).
      const refused = ["192.168.1.255:9", `${NOWHERE_IPV4}:9`];
      await alice.namespace.ip(`route add unreachable ${NOWHERE_IPV4}/32`);
      const keys: string[] = [];
      for (let i = 0; i < refused.length; i++) {
        const key = (await must([BINARY, "keygen", "secret"])).trim();
        await alice.set("peer", key, "allowed-ips", `10.9.0.${100 + i}/32`);
        keys.push(key);
      }
      const hex = [...parseKey(keys[0]!) ?? []].map((byte) => byte.toString(16).padStart(2, "0"));
      const argv = ["python3", "-c", CLAIM, hex.join(""), ...refused];
      const liar = lab.registry.start(argv);
      await liar.printed(/ready/);
      const servers = ["--server", `punch://${REGISTRY}`, "--server", REGISTRY];
      const args = ["--register", register, "--timeout", "2s"];
      const { code, out, err } = await lab.syncOnce(alice, ...args, ...servers);
      assertEquals([code, err], [0, ""], out);
      assertMatch(out, new RegExp(`endpoint-set key=${quoted(bob.publicKey)} endpoint=203`));
      // They were named, and tried: no filter has kept them away.
      assertMatch(out, /endpoint-set key=\S+ endpoint=192\.168\.1\.255:9 /);
    },
  );
}

testWith(LAB_NEEDS, "lab: an answer that the kernel left in one piece is taken apart", async () => {
  await using lab = await Lab.open();
  const { bob, registry } = lab;
  await Promise.all([lab.alice.makeKey(), bob.makeKey()]);
  const hub = new WireGuardHost(registry, `${lab.folder}/registry`, "10.9.0.254");
  await hub.makeKey();
  await hub.startWireGuard();
  await hub.setPeer(bob);
  await bob.startWireGuard();
  await lab.serve();
  await lab.syncOnce(bob);
  // The first ten peers of an answer are the newest: bob comes in a later datagram.
  for (let i = 0; i < 25; i++) {
    const key = await must([BINARY, "keygen", "secret"]);
    const args = ["query", REGISTRY, "--secret", lab.secretFile, "--key", key.trim()];
    await registry.must([BINARY, ...args, "--timeout", "2s"]);
  }
  for (const encryption of ["on", "off"]) {
    const args = ["--register", "raw", "--encryption", encryption];
    const { code, out, err } = await lab.syncOnce(hub, ...args, "--timeout", "2s");
    assertEquals([code, err], [0, ""], out);
    assertMatch(out, /endpoint-set/);
    await hub.set("peer", bob.publicKey, "endpoint", "203.0.113.99:9");
  }
});

testWith(
  LAB_NEEDS,
  "lab: a peer on the registry's own host is found at the registry's",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const { alice } = lab;
    const hub = new WireGuardHost(lab.registry, `${lab.folder}/registry`, "10.9.0.254");
    await hub.makeKey();
    await hub.startWireGuard();
    await hub.setPeer(alice);
    await alice.setPeer(hub);
    await lab.serve("0.0.0.0");
    for (const address of ["127.0.0.1", "127.0.1.1"]) {
      lab.sync(hub, "--server", address);
      const sync = lab.sync(alice);
      // The hub may come first.
      await sync.printed(/ (?:endpoint-set|path) key=\S+ endpoint=203\.0\.113\.10:51820 /);
      await new Ping(alice.namespace, hub.address).reply(10);
      const args = ["config", "wg0", "--server", REGISTRY, "--secret", lab.secretFile];
      const config = await alice.namespace.must([BINARY, ...args]);
      assertMatch(config, /Endpoint = 203\.0\.113\.10:51820/);
      await sync.stop("SIGTERM");
      await alice.set("peer", hub.publicKey, "endpoint", "203.0.113.99:9");
      await alice.stopWireGuard();
      await alice.startWireGuard();
      await alice.setPeer(hub);
    }
  },
);

testWith(
  [...LAB_NEEDS, "nft"],
  "lab: a proxy before the registry that rewrites sources is said once",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    await lab.registry.ip("addr add 172.17.0.1/32 dev lo");
    const rules = `table ip proxy { chain i { type nat hook input priority 100;
      udp dport 1223 snat to 172.17.0.1; }; }`;
    await lab.registry.must(["nft", "-f", "-"], { input: rules });
    await lab.serve();
    const sync = lab.sync(lab.alice, "--interval", "2s");
    const said = / sees this peer at 172\.17\.0\.1:\d+, where others can't reach it: a proxy or /;
    await sync.printed(said);
    await sleep(4);
    assertEquals(sync.out.split(said).length, 2, sync.out);
  },
);
