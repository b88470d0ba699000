/** The registry's name, behind name servers that do what those of real networks do. */

import { assertEquals, assertMatch } from "@std/assert";
import { EXIT } from "../../lib/core/settings/user_error.ts";
import { BINARY, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, OTHER_REGISTRY, REGISTRY, REGISTRY_NAME } from "./lab.ts";
import type { NameServerOptions } from "./name_server.ts";
import type { WireGuardHost } from "./wireguard_host.ts";
import { INTERFACE } from "./wireguard_host.ts";

const PROGRAM = new URL("name_server.ts", import.meta.url).pathname;
/** A documentation prefix that the lab has no route to. */
const NOWHERE_IPV6 = "2001:db8::10";
const MARK = 51820;

/** Starts a name server on the registry's host. */
async function startNameServer(
  { registry }: Lab,
  address: string,
  options: Omit<NameServerOptions, "name" | "A" | "AAAA">,
): Promise<void> {
  const all: NameServerOptions = {
    name: REGISTRY_NAME,
    A: [REGISTRY],
    AAAA: [NOWHERE_IPV6],
    ...options,
  };
  const argv = [Deno.execPath(), "run", "-A", PROGRAM, address, JSON.stringify(all)];
  await registry.start(argv, { env: Deno.env.toObject() }).printed(/ready/);
}

/** What comes before a program that is to know these name servers. */
async function knowing(lab: Lab, ...servers: string[]): Promise<string[]> {
  const file = `${lab.folder}/resolv.conf`;
  await Deno.writeTextFile(file, servers.map((each) => `nameserver ${each}\n`).join(""));
  return ["sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', file];
}

/** Runs `sync --once` with the registry's name. */
async function syncOnce(lab: Lab, host: WireGuardHost, through: string[]) {
  const args = ["--once", "--server", REGISTRY_NAME, "--timeout", "3s"];
  return await host.namespace.run([...through, BINARY, ...lab.syncArgs(...args)], {
    env: { WGSIG_CONFIG: "/dev/null" },
  });
}

testWith(LAB_NEEDS, "lab: name servers with faults", async () => {
  const cases: readonly (readonly [string, ...Parameters<typeof startNameServer>[2][]])[] = [
    ["AAAA is dropped", { drops: ["AAAA"] }],
    ["one of two questions from a port is answered", { onePerPort: true }],
    ["the first is dead", { drops: ["A", "AAAA"] }, {}],
    ["the first denies the name, an internal one is slow", { denies: true }, { delay: 0.8 }],
  ];
  for (const [title, ...servers] of cases) {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    await lab.serve();
    const addresses = [REGISTRY, OTHER_REGISTRY].slice(0, servers.length);
    for (const [i, options] of servers.entries()) {
      await startNameServer(lab, addresses[i]!, options);
    }
    const { code, out, err } = await syncOnce(
      lab,
      lab.alice,
      await knowing(lab, ...addresses),
    );
    assertEquals([code, err], [EXIT.somePeersFailed, ""], `${title}: ${out}`);
    assertMatch(out, /own-endpoint endpoint=203\.0\.113\.21:51820/, title);
  }
});

testWith(
  LAB_NEEDS,
  "lab: a kill switch lets only the tunnel's own datagrams out",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const { alice } = lab;
    await lab.serve();
    await startNameServer(lab, REGISTRY, {});
    await alice.set("fwmark", `${MARK}`);
    await alice.setPeer(lab.bob);
    await alice.set("peer", lab.bob.publicKey, "allowed-ips", "0.0.0.0/0");
    // As wg-quick does it, and as its manual says for the kill switch.
    await alice.namespace.ip(
      `route add default dev ${INTERFACE} table ${MARK}`,
      `rule add not fwmark ${MARK} table ${MARK}`,
      "rule add table main suppress_prefixlength 0",
    );
    for (const verdict of ["reject", "drop", "accept"]) {
      const rules = `table inet f
          delete table inet f
          table inet f { chain o { type filter hook output priority 0;
            oifname != "${INTERFACE}" meta mark != ${MARK} fib daddr type != local ${verdict}; }; }`;
      await alice.namespace.must(["nft", "-f", "-"], { input: rules });
      const { code, out, err } = await syncOnce(
        lab,
        alice,
        await knowing(lab, REGISTRY),
      );
      assertEquals([code, err], [EXIT.somePeersFailed, ""], `${verdict}: ${out}`);
      assertMatch(out, /own-endpoint endpoint=203\.0\.113\.21:51820/, verdict);
    }
  },
);

testWith(
  LAB_NEEDS,
  "lab: an answer that comes after the question is for the next look",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    await lab.serve();
    await startNameServer(lab, REGISTRY, { delay: 4 });
    const through = await knowing(lab, REGISTRY);
    const args = ["--server", REGISTRY_NAME, "--timeout", "2s"];
    const sync = lab.syncWith(lab.alice, args, { through });
    await sync.printed(/ not-asked why="cannot find server registry\.example:1223: timed out/);
    await sync.printed(/ own-endpoint endpoint=203\.0\.113\.21:51820/);
  },
);
