/** Who reaches whom: as the README's table has it, and the same from both sides. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  classOf,
  judgePair,
  meshFacts,
  type MeshKind,
  type MeshMeans,
  meshOf,
  MOST_IN_ROWS,
} from "../../../lib/core/status/mesh.ts";
import {
  type GroupReport,
  NAT_KINDS,
  type RegisteredPeerReport,
  SAID_KINDS,
} from "../../../lib/core/status/serve_report.ts";
import { columnsOf } from "../../../lib/core/status/lines.ts";
import { formatMeshes } from "../../../lib/core/status/table.ts";
import { SERVE_REPORT } from "../../support/status_report.ts";
import { test } from "../../testing.ts";

const [GROUP] = SERVE_REPORT.groups;
const [ALICE] = GROUP!.peers;

/** A peer behind a NAT of its own. */
function peer(
  number: number,
  kind: MeshKind,
  more: Partial<RegisteredPeerReport> = {},
): RegisteredPeerReport {
  const endpoint = `203.0.113.${number}:1000`;
  return {
    ...ALICE!,
    name: `p${number}`,
    endpoints: [endpoint],
    nat: kind === "open" ? "hard" : kind,
    places: kind === "open" ? [{ kind: "mapped", endpoint }] : [],
    ...more,
  };
}

function judge(a: RegisteredPeerReport, b: RegisteredPeerReport): MeshMeans {
  return judgePair(meshFacts(a), meshFacts(b));
}

function groupOf(peers: readonly RegisteredPeerReport[]): GroupReport {
  return { ...GROUP!, count: peers.length, peers, more: 0 };
}

test("mesh: two NATs are got through as README says", () => {
  const kinds = ["open", "easy", "sequential", "hard", "unknown"] as const;
  const table: readonly (readonly MeshMeans[])[] = [
    ["direct"],
    ["direct", "punched"],
    ["direct", "predicted", "predicted"],
    ["direct", "guessed", "relay", "relay"],
    ["direct", "unknown", "unknown", "unknown", "unknown"],
  ];
  for (const [i, row] of table.entries()) {
    for (const [j, means] of row.entries()) {
      const [a, b] = [peer(1, kinds[i]!), peer(2, kinds[j]!)];
      assertEquals([judge(a, b), judge(b, a)], [means, means], `${kinds[i]} ${kinds[j]}`);
    }
  }
});

test("mesh: a LAN and IPv6 come before what NATs do, and nothing in common is a relay", () => {
  const lan = (number: number, host: string) =>
    peer(number, "hard", { places: [{ kind: "lan", endpoint: `${host}:51820` }] });
  const home = { endpoints: ["203.0.113.9:5"] };
  // Behind one address, and in one network; or in two, of which only the router knows.
  assertEquals(
    judge({ ...lan(1, "192.168.1.7"), ...home }, { ...lan(2, "192.168.1.9"), ...home }),
    "lan",
  );
  assertEquals(
    judge({ ...lan(1, "192.168.1.7"), ...home }, { ...lan(2, "192.168.2.9"), ...home }),
    "unknown",
  );
  // Elsewhere, the same private network is another one.
  assertEquals(judge(lan(1, "192.168.1.7"), lan(2, "192.168.1.9")), "relay");
  const six = (number: number) => ({ endpoints: [`[2001:db8:${number}::1]:5`] });
  const both = (number: number) => ({
    endpoints: [`203.0.113.${number}:5`, `[2001:db8:${number}::1]:5`],
  });
  assertEquals(judge(peer(1, "hard", both(1)), peer(2, "hard", both(2))), "ipv6");
  assertEquals(judge(peer(1, "hard", both(1)), peer(2, "easy", six(2))), "ipv6");
  assertEquals(judge(peer(1, "easy", six(1)), peer(2, "easy")), "relay");
  assertEquals(
    judge(
      peer(1, "easy", { endpoints: ["[2001:db8:1::1]:5"] }),
      peer(2, "easy", {
        endpoints: ["[2001:db8:1::2]:5"],
      }),
    ),
    "lan",
  );
  // What it says of its own address counts, also where the registry sees it over IPv4 alone.
  const said = (number: number) =>
    peer(number, "hard", { places: [{ kind: "lan", endpoint: `[2001:db8:${number}::1]:5` }] });
  assertEquals(judge(said(1), said(2)), "ipv6");
  assertEquals(judge(peer(1, "easy", { endpoints: [] }), peer(2, "easy")), "unknown");
});

const endpoint = fc.constantFrom(
  "203.0.113.7:1",
  "203.0.113.8:1",
  "10.0.0.1:1",
  "10.0.0.2:1",
  "[2001:db8::7]:1",
  "[2001:db8::8]:1",
  "[2001:db8:1::8]:1",
  "[fd00::1]:1",
  "nonsense",
);
const anyPeer = fc.record({
  endpoints: fc.array(endpoint, { maxLength: 2 }),
  places: fc.array(fc.record({ kind: fc.constantFrom(...SAID_KINDS), endpoint }), { maxLength: 3 }),
  nat: fc.constantFrom(...NAT_KINDS),
  name: fc.option(fc.string({ maxLength: 40, unit: "binary" }), { nil: null }),
}).map((more) => ({ ...ALICE!, ...more }));

test("mesh: a judgement is the same from both sides, and the sums are right", () => {
  const many = fc.array(anyPeer, { maxLength: 20 });
  fc.assert(fc.property(many, fc.boolean(), fc.nat(25), (peers, relays, most) => {
    const mesh = meshOf(groupOf(peers), relays, most);
    const told = peers.slice(0, most);
    assertEquals(mesh.peers.length, told.length);
    assertEquals(mesh.more, peers.length - told.length);
    const sum = (counts: Readonly<Record<string, number>>) =>
      Object.values(counts).reduce((a, b) => a + b, 0);
    assertEquals(sum(mesh.kinds), told.length);
    assertEquals(sum(mesh.pairs), told.length * (told.length - 1) / 2);
    let needy = 0;
    for (const [i, row] of mesh.rows!.entries()) {
      assertEquals(row.length, i);
      for (let j = 0; j < i; j++) {
        const means = judge(told[i]!, told[j]!);
        assertEquals(judge(told[j]!, told[i]!), means);
        assertEquals(row[j], classOf(means)[0]);
        if (row[j] === "r") assertEquals(mesh.relayed[needy++], [i, j]);
      }
    }
    assertEquals([mesh.relayed.length, mesh.pairs.relay], [needy, needy]);
    for (const line of formatMeshes({ name: "1223" }, [mesh], false).split("\n")) {
      assert(columnsOf(line) <= 80, line);
      assert(!/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(line), "what a terminal obeys");
    }
  }));
});

test("mesh: a small one is a matrix", () => {
  const peers = [peer(1, "easy"), peer(2, "hard"), peer(3, "sequential"), peer(4, "unknown")];
  const text = formatMeshes({ name: "1223" }, [meshOf(groupOf(peers), false)], false);
  assertEquals(
    text,
    `server 1223

mesh of group 7
  4 peers; pairs: 2 hard, 1 relay, 3 unknown

                            1       2       3
 1 p1
 2 p2                    hard
 3 p3                    hard   relay
 4 p4                 unknown unknown unknown

  1 p1: NAT easy
  2 p2: NAT hard
  3 p3: NAT sequential
  4 p4: NAT unknown

  1 pair needs a relay: this registry is none; start it with --relay
  1 peer with an unknown NAT: sync finds it out where the registry listens at
    two ports
`,
  );
});

test("mesh: a large one is counts, and who needs a relay", () => {
  const kinds = ["easy", "hard"] as const;
  const peers = Array.from({ length: MOST_IN_ROWS + 1 }, (_, i) => peer(i + 1, kinds[i % 2]!));
  const mesh = meshOf(groupOf(peers), true);
  assertEquals([mesh.rows, mesh.pairs.relay, mesh.relayed.length], [null, 435, 435]);
  const text = formatMeshes({ name: "1223" }, [mesh], false);
  assertEquals(text.split("\n").slice(2, 8), [
    "mesh of group 7",
    "  61 peers; pairs: 465 direct, 930 hard, 435 relay",
    "  NATs: 31 easy, 30 hard; 0 with IPv6",
    "",
    "  435 pairs need a relay: this registry is one",
    "    p4 – p2",
  ]);
  assert(text.endsWith("    and 385 more\n"), text);
});
