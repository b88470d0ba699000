/** `wgsig sync` behind every pair of NATs: which tunnels come up, and how soon. */

import { assertEquals } from "@std/assert";
import { type Running, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS } from "./lab.ts";
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
  await lab.serve();
  const alice = lab.sync(lab.alice);
  await alice.printed(/ own-endpoint /);
  const start = performance.now();
  const bob = lab.sync(lab.bob);
  const ping = new Ping(lab.bob.namespace, lab.alice.address);
  const expected = expectation([a, b]);
  const limit = expected === "never" ? NEVER : LIMIT[expected];
  const answered = await ping.answers(limit);
  const ms = Math.round(performance.now() - start);
  if (answered) {
    figure(`${a}/${b} first ping after ${ms} ms`);
    return expected === "never" ? `${a}/${b}: expected no ping` : undefined;
  }
  const tried = triedEndpoint(alice) && triedEndpoint(bob);
  figure(`${a}/${b} no ping in ${NEVER} s, endpoints tried: ${tried ? "yes" : "no"}`);
  if (expected === "never" && tried) return undefined;
  return `${a}/${b}: no ping in ${limit} s; alice:\n${alice.out}${alice.err}\n` +
    `bob:\n${bob.out}${bob.err}`;
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
