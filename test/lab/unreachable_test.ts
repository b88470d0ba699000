/** Where there is no way, and no relay: both sides say so, and what would help. */

import { assertEquals } from "@std/assert";
import { testWith } from "../support/program.ts";
import { atATime } from "./at_a_time.ts";
import { Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { sleep } from "./namespace.ts";
import type { NatKind } from "./nat_rules.ts";
import { Ping } from "./ping.ts";

/** Each endpoint that a symmetric NAT shows is tried for some seconds. */
const VERDICT = 60;
const SERVERS = ["--server", `${REGISTRY}:1223`, "--server", `${REGISTRY}:1224`];
const PAIRS: readonly (readonly [NatKind, NatKind])[] = [["sym", "sym"], ["eim", "sym"]];

/** What a side says of its own NAT. */
function verdictOf(kind: NatKind): RegExp {
  return kind === "sym"
    ? / warn peer-unreachable key=\S+ endpoint=\S+ nat=hard hint="the NAT on this side is hard: .*forward a port.*"\n/
    : / warn peer-unreachable key=\S+ endpoint=\S+ nat=easy hint="not for the NAT on this side, which is easy: .*forward a port.*"\n/;
}

/** What is wrong with a pair; nothing is empty. */
async function faultOf([a, b]: readonly [NatKind, NatKind]): Promise<string> {
  await using lab = await Lab.withWireGuard(a, b);
  // Two servers show what kind of NAT is in between.
  await lab.serve(REGISTRY, "--listen", `${REGISTRY}:1224`);
  const sides = [[lab.alice, a], [lab.bob, b]] as const;
  const syncs = sides.map(([host, kind]) =>
    [lab.sync(host, ...SERVERS, "--punch-hard", "off"), verdictOf(kind)] as const
  );
  const ping = new Ping(lab.bob.namespace, lab.alice.address);
  const told = await Promise.all(
    syncs.map(([sync, verdict]) => sync.printed(verdict, VERDICT).then(() => "", String)),
  );
  await sleep(1);
  if (ping.wasAnswered) return `${a}/${b}: a ping was answered\n`;
  return told.map((fault) => fault === "" ? "" : `${a}/${b}: ${fault}\n`).join("");
}

testWith(
  LAB_NEEDS,
  "lab: without a relay, who can't be reached is told, and what helps",
  async () => {
    assertEquals((await atATime(2, PAIRS, faultOf)).join(""), "");
  },
);
