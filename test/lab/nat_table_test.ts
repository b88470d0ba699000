/** `wgsig sync` behind every pair of NATs: which tunnels come up, and how soon. */

import { assertEquals } from "@std/assert";
import { type Running, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { NAT_KINDS, type NatKind } from "./nat_rules.ts";
import { Ping } from "./ping.ts";

type Pair = readonly [NatKind, NatKind];
type Expected = "fast" | "slow" | "never";

/** At most so many seconds; what is expected is 2 and 7, but this machine has other things to do. */
const LIMIT = { fast: 4, slow: 10 } as const;
/** WireGuard has tried again by then. */
const NEVER = 8;
/** So many labs at the same time, where the time isn't what counts. */
const AT_A_TIME = 4;

/** A symmetric NAT shows two endpoints to two servers: each is tried for 6 s. */
const VERDICT = 20;

const ENDPOINT_SET = / endpoint-set key=\S+ endpoint=203\.0\.113\.2[12]:\d+/;

const PAIRS: readonly Pair[] = NAT_KINDS.flatMap((a) => NAT_KINDS.map((b): Pair => [a, b]));

function expectation([a, b]: Pair): Expected {
  if (a !== "sym" && b !== "sym") return "fast";
  // WireGuard's first handshake is lost, and it waits 5 s for the next.
  return a === "cone" || b === "cone" ? "slow" : "never";
}

/** Starts both sides, and pings from the second. */
async function tryPair([a, b]: Pair): Promise<string | undefined> {
  await using lab = await Lab.withWireGuard(a, b);
  const expected = expectation([a, b]);
  await lab.serve(REGISTRY, "--listen", `${REGISTRY}:1224`);
  // Two servers, or one on two ports, let sync see what kind of NAT is in between.
  const servers = expected === "never"
    ? ["--server", `${REGISTRY}:1223`, "--server", `${REGISTRY}:1224`]
    : [];
  const alice = lab.sync(lab.alice, ...servers);
  await alice.printed(/ own-endpoint /);
  const start = performance.now();
  const bob = lab.sync(lab.bob, ...servers);
  const ping = new Ping(lab.bob.namespace, lab.alice.address);
  const limit = expected === "never" ? NEVER : LIMIT[expected];
  const answered = await ping.answers(limit);
  const ms = Math.round(performance.now() - start);
  if (answered) {
    figure(`${a}/${b} first ping after ${ms} ms`);
    return expected === "never" ? `${a}/${b}: expected no ping` : undefined;
  }
  const tried = triedEndpoint(alice) && triedEndpoint(bob);
  const told = expected === "never" && await tellsWhy(alice, a) && await tellsWhy(bob, b);
  figure(
    `${a}/${b} no ping in ${NEVER} s, endpoints tried: ${tried ? "yes" : "no"}, ` +
      `verdict: ${/ peer-unreachable .* (nat=\S+)/.exec(alice.out)?.[1] ?? "none"} / ` +
      `${/ peer-unreachable .* (nat=\S+)/.exec(bob.out)?.[1] ?? "none"}`,
  );
  if (tried && told) return undefined;
  return `${a}/${b}: no ping in ${limit} s; alice:\n${alice.out}${alice.err}\n` +
    `bob:\n${bob.out}${bob.err}`;
}

/** Whether a side behind this kind of NAT says what is wrong, and what helps. */
async function tellsWhy(sync: Running, kind: NatKind): Promise<boolean> {
  const line = kind === "sym"
    ? / warn peer-unreachable key=\S+ endpoint=\S+ nat=endpoint-dependent hint="symmetric NAT: .*forward a port, or route through a hub"\n/
    : / warn peer-unreachable key=\S+ endpoint=\S+ nat=endpoint-independent hint="not for the NAT on this side: .*forward a port on either side, or route through a hub"\n/;
  return await sync.printed(line, VERDICT).then(() => true, () => false);
}

function triedEndpoint({ out }: Running): boolean {
  return ENDPOINT_SET.test(out);
}

testWith(
  LAB_NEEDS,
  "lab: tunnels come up through all pairs of NATs that can be punched",
  async () => {
    const failures: (string | undefined)[] = [];
    for (const pair of PAIRS.filter((each) => expectation(each) === "fast")) {
      failures.push(await tryPair(pair));
    }
    const rest = PAIRS.filter((each) => expectation(each) !== "fast");
    await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
      for (let pair = rest.shift(); pair !== undefined; pair = rest.shift()) {
        failures.push(await tryPair(pair));
      }
    }));
    assertEquals(failures.filter((failure) => failure !== undefined).join("\n"), "");
  },
);
