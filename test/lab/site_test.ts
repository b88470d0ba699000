/** The kinds of sites are what they are called: what two servers see of one port, and who gets in. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Running, testWith } from "../support/program.ts";
import { atATime } from "./at_a_time.ts";
import { Lab, LAB_NEEDS, OTHER_REGISTRY, REGISTRY, REGISTRY_IPV6 } from "./lab.ts";
import { type Namespace, sleep } from "./namespace.ts";
import { WIRE_NEED } from "./slow_wire.ts";
import { type Kinds, type SharedKind, SITE_KINDS, type SiteKind } from "./site.ts";

const NODE = new URL("udp_node.ts", import.meta.url).pathname;
/** Of the sockets that are looked at. */
const PORT = 7000;
/** What `eim` and `cone` make of it. */
const OTHER_PORT = PORT ^ 0x4000;
const SERVER_PORT = 3478;
const STRANGER_PORT = 3479;
const OUTSIDE_A = "203.0.113.21";
const OUTSIDE_B = "203.0.113.22";
/** Each sends so often, 0.2 s apart. */
const SENDS = 20;
/** Long enough for a datagram to arrive. */
const ARRIVAL = 0.3;

/** Starts a socket in a namespace. */
async function node(
  namespace: Namespace,
  address: string,
  port: number,
  ...steps: readonly string[]
): Promise<Running> {
  const argv = [Deno.execPath(), "run", "--allow-all", "--unstable-net", "--no-check", NODE];
  // The folder of what Deno has compiled is the user's.
  const env = { HOME: Deno.env.get("HOME") ?? "/root" };
  const running = namespace.start([...argv, address, `${port}`, ...steps], { env });
  await running.printed(/ready/);
  return running;
}

interface Seen {
  /** The ports that the servers saw, in the order of asking. */
  readonly ports: readonly number[];
  /** Whether a datagram came in from who was never asked. */
  readonly strangerGetsIn: boolean;
}

/** Asks servers from alice's port what it is outside. */
async function look(lab: Lab, servers: readonly string[], outside: string): Promise<Seen> {
  const others: Running[] = [];
  for (const server of servers) {
    others.push(await node(lab.registry, server, SERVER_PORT, "echo"));
  }
  const any = outside.includes(":") ? "::" : "0.0.0.0";
  const asks = servers.flatMap((server) => [`${server}=${SERVER_PORT}`, "50"]);
  const alice = await node(lab.alice.namespace, any, PORT, ...asks);
  const ports: number[] = [];
  for (const server of servers) {
    const answer = new RegExp(`^${server.replaceAll(".", "\\.")} ${SERVER_PORT} \\S+ (\\d+)$`, "m");
    ports.push(Number((await alice.printed(answer))[1]));
  }
  const to = `${outside}=${ports[0]}`;
  others.push(await node(lab.registry, servers[0] ?? "", STRANGER_PORT, to));
  await sleep(ARRIVAL);
  const strangerGetsIn = new RegExp(` ${STRANGER_PORT} hello`).test(alice.out);
  await Promise.all([alice, ...others].map((each) => each.stop("SIGKILL")));
  return { ports, strangerGetsIn };
}

const KEEPS_PORT: Seen = { ports: [PORT, PORT], strangerGetsIn: false };
const OTHER_PORT_FOR_ALL: Seen = { ports: [OTHER_PORT, OTHER_PORT], strangerGetsIn: false };

const EXPECTED: Readonly<Record<SiteKind, (seen: Seen) => void>> = {
  preserve: (seen) => assertEquals(seen, KEEPS_PORT),
  bare: (seen) => assertEquals(seen, KEEPS_PORT),
  eim: (seen) => assertEquals(seen, OTHER_PORT_FOR_ALL),
  cone: (seen) => assertEquals(seen, { ...OTHER_PORT_FOR_ALL, strangerGetsIn: true }),
  sym: ({ ports: [first = 0, second = 0], strangerGetsIn }) => {
    assert(new Set([PORT, first, second]).size === 3 && second - first !== 1);
    assertEquals(strangerGetsIn, false);
  },
  seq: ({ ports: [first = 0, second = 0], strangerGetsIn }) => {
    assertEquals([second - first, strangerGetsIn], [1, false]);
  },
  dual: (seen) => assertEquals(seen, KEEPS_PORT),
  ipv6: () => {},
  cgn: (seen) => assertEquals(seen, OTHER_PORT_FOR_ALL),
  blocked: (seen) => assertEquals(seen, KEEPS_PORT),
};

/** Asserts that a site of this kind is what it is called. */
async function assertKind(kind: SiteKind): Promise<void> {
  await using lab = await Lab.between(kind, "preserve");
  if (kind === "ipv6" || kind === "dual") {
    const seen = await look(lab, [REGISTRY_IPV6], "2001:db8:1::2");
    assertEquals(seen, { ports: [PORT], strangerGetsIn: false });
  }
  const { code } = await lab.alice.namespace.run(["ping", "-n", "-c", "1", "-W", "1", REGISTRY]);
  assertEquals(code === 0, kind !== "ipv6");
  if (kind === "ipv6") return;
  EXPECTED[kind](await look(lab, [REGISTRY, OTHER_REGISTRY], OUTSIDE_A));
  // Three hops are past the own NATs, and before the other's.
  const low = await lab.alice.namespace.run([
    ...["ping", "-n", "-c", "5", "-i", "0.3", "-W", "2"],
    ...["-t", "3", OUTSIDE_B],
  ]);
  assertMatch(low.out, /^From (10\.255\.1\.[12]|203\.0\.113\.1) .*Time to live exceeded/m);
}

testWith(LAB_NEEDS, "lab: a site of each kind maps and lets in as it is called", async () => {
  const failures = await atATime(
    4,
    SITE_KINDS,
    async (kind) =>
      await assertKind(kind).then(() => "", (error: unknown) => `${kind}: ${error}\n`),
  );
  assertEquals(failures.join(""), "");
});

testWith(
  LAB_NEEDS,
  "lab: a bare router gives the port away to who came before, the others don't",
  async () => {
    for (const kind of ["bare", "preserve"] as const) {
      await using lab = await Lab.between(kind, "preserve");
      const stranger = await node(
        lab.registry,
        REGISTRY,
        STRANGER_PORT,
        "echo",
        `${OUTSIDE_A}=${PORT}`,
      );
      await sleep(ARRIVAL);
      const alice = await node(
        lab.alice.namespace,
        "0.0.0.0",
        PORT,
        `${REGISTRY}=${STRANGER_PORT}`,
      );
      const [, port] = await alice.printed(/^\S+ \d+ \S+ (\d+)$/m);
      assertEquals(Number(port) === PORT, kind === "preserve");
      await stranger.stop("SIGKILL");
    }
  },
);

/** What the registry sees of a host's port. */
async function outsideOf(lab: Lab, host: Namespace): Promise<string> {
  const server = await node(lab.registry, REGISTRY, SERVER_PORT, "echo");
  const asking = await node(host, "0.0.0.0", PORT, `${REGISTRY}=${SERVER_PORT}`);
  const [, address, port] = await asking.printed(/^\S+ \d+ (203\S+) (\d+)$/m);
  await Promise.all([server, asking].map((each) => each.stop("SIGKILL")));
  return `${address}=${port}`;
}

/** Who hears the other, where both send to where the registry has seen the other. */
async function hearing(lab: Lab): Promise<string> {
  const hosts = [lab.alice.namespace, lab.bob.namespace] as const;
  const outside = [await outsideOf(lab, hosts[0]), await outsideOf(lab, hosts[1])] as const;
  const nodes: Running[] = [];
  for (const [i, host] of hosts.entries()) {
    const sends = Array.from({ length: SENDS }, () => ["200", outside[1 - i] ?? ""]).flat();
    nodes.push(await node(host, "0.0.0.0", PORT, ...sends));
  }
  // The first may have to wait for the second's start.
  const heard = nodes.map((each) => each.printed(/ hello$/m, 2).then(() => true, () => false));
  return (await Promise.all(heard)).map((is, i) => is ? ["alice", "bob"][i] : "").join(" ").trim();
}

const MEETINGS: readonly (readonly [Kinds, string])[] = [
  [["preserve", "eim"], "alice bob"],
  [["preserve", "cgn"], "alice bob"],
  [["preserve", "sym"], ""],
  [["preserve", "seq"], ""],
  [["cone", "sym"], "alice"],
  [["blocked", "cone"], ""],
  [["lan"], ""],
  [["lan-hairpin"], "alice bob"],
  [["carrier"], ""],
  [["carrier-hairpin"], "alice bob"],
];

testWith(
  LAB_NEEDS,
  "lab: who sends to where the other was seen is heard as the kinds say",
  async () => {
    const results = await atATime(4, MEETINGS, async ([kinds, expected]) => {
      await using lab = await Lab.between(...kinds);
      return [kinds.join("/"), await hearing(lab), expected] as const;
    });
    assertEquals(
      results.map(([kinds, heard]) => `${kinds}: ${heard}`),
      results.map(([kinds, , expected]) => `${kinds}: ${expected}`),
    );
  },
);

testWith(
  [...LAB_NEEDS, WIRE_NEED],
  "lab: wires have the length that they are to have",
  async () => {
    await using lab = await Lab.apart(25, "preserve", "dual");
    for (
      const [host, to, least] of [
        [lab.alice, REGISTRY, 50],
        [lab.bob, REGISTRY_IPV6, 50],
        [lab.alice, OUTSIDE_B, 100],
      ] as const
    ) {
      const out = await host.namespace.must(["ping", "-n", "-c", "5", "-i", "0.2", to]);
      const [, fastest] = /^rtt min\S* = ([\d.]+)\//m.exec(out) ?? [];
      assert(Number(fastest) >= least, out);
    }
  },
);

testWith(
  LAB_NEEDS,
  "lab: neighbours on one LAN reach each other, two homes of a carrier don't",
  async () => {
    const reaches = async (kind: SharedKind, address: string) => {
      await using lab = await Lab.between(kind);
      const bob = await node(lab.bob.namespace, "0.0.0.0", PORT);
      await node(lab.alice.namespace, "0.0.0.0", PORT, `${address}=${PORT}`);
      await sleep(ARRIVAL);
      return /^(\S+) \d+ hello$/m.exec(bob.out)?.[1];
    };
    // The router has no hand in it.
    assertEquals(await reaches("lan", "192.168.1.3"), "192.168.1.2");
    assertEquals(await reaches("lan-hairpin", "192.168.1.3"), "192.168.1.2");
    assertEquals(await reaches("carrier", "192.168.2.2"), undefined);
  },
);
