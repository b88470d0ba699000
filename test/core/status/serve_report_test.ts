/** What a server says of itself is read as it was written, and fits a terminal. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { readReport } from "../../../lib/core/status/read_report.ts";
import { SCHEMA } from "../../../lib/core/status/report.ts";
import {
  type GroupReport,
  NAT_KINDS,
  SAID_KINDS,
  type ServeReport,
} from "../../../lib/core/status/serve_report.ts";
import { columnsOf } from "../../../lib/core/status/lines.ts";
import { formatReport, hasDown } from "../../../lib/core/status/table.ts";
import { SERVE_REPORT } from "../../support/status_report.ts";
import { test } from "../../testing.ts";

const TABLE = `server 1223
  wgsig 1.0.0, bun 1.4.5, up 2 d
  listens at 0.0.0.0:1223, [::]:1223
  public address vps.example.com:1223
  public key PUZNgTxz+aKMAXEfBvs1aq7I5rOhy8ZCnkel0ZXxlkw=
  keeps its state in /var/lib/wgsig/state

group 7
  3 peers, 1 proved, 1 over IPv6, 1 subscribed, 2 in the roster, 1 open
    invitation
PEER                    HEARD PROOF   NAT         ENDPOINT
alice                12 s ago proved  hard        203.0.113.21:51820
  [2001:db8::21]:51820, lan 192.168.1.7:51820
UFERvJuzK9UG8AvR…   5 min ago wgsig 1 -           198.51.100.7:51820
and 1 more

relay
  1 pair, 1200 datagrams so far, 1.2 MiB
PEER               AND                    GROUP       RELAYED     ASKED FOR
alice              UFERvJuzK9UG8AvR…          7       1 s ago           2 h

zones
  answered at 0.0.0.0:53
  wg.example.com: interface wg0, groups 7, 9, 2 views
  wg.example.com: signed with keys 44136 (ECDSA P-256), 2039 (Ed25519)
  wg.example.com: TSIG keys ops.wg.example.com, group-7.wg.example.com

leases
  1 address on wg0
PEER               ADDRESS                                          ENDS IN
alice              10.9.0.2/32                                       50 min

counters
  received 1234, answered 1230, drop-bad-mac 4
`;

test("status of serve: the table", () => {
  assertEquals(formatReport(SERVE_REPORT, false), TABLE);
  assertEquals(hasDown(SERVE_REPORT), false);
});

test("status of serve: how the store is that its peers are shared in", () => {
  const store = {
    address: "redis://10.0.0.1:6379",
    connected: true,
    since: 7200,
    complete: true,
    behind: 0,
    roundTrip: 0.0012,
    fault: { why: "nothing listens there", age: 7200, over: true },
  };
  const said = (part: Partial<ServeReport["store"]>) =>
    formatReport({ ...SERVE_REPORT, store: { ...store, ...part } }, false).split("\n")
      .map((line) => line.trim()).join(" ");
  const address = "shares its peers in redis://10.0.0.1:6379: ";
  assertStringIncludes(said({}), `${address}connected for 2 h, round trip 1.2 ms `);
  const gone = said({ connected: false, behind: 3, fault: { ...store.fault, over: false } });
  assertStringIncludes(
    gone,
    `${address}gone for 2 h, nothing listens there, 3 peers to be written `,
  );
  const counters = { ...SERVE_REPORT.counters, "shared-bad-mac": 2 };
  const refused = formatReport({ ...SERVE_REPORT, store, counters }, false);
  assertStringIncludes(refused.replaceAll(/\s+/g, " "), "2 records by another key refused, round");
});

const seconds = fc.double({ min: 0, max: 1e7, noNaN: true });
const text = fc.string({ maxLength: 70, unit: "binary" });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null });
const count = fc.nat(1_000_000_000);
const key = fc.constant("uEN/FxDargZsj7MEVnIKmCcoN71q+0r+n7triSVeaio=");
const endpoint = fc.constantFrom(
  "203.0.113.7:51820",
  "[2001:db8:1234:5678:9abc:def0:1234:5678]:51820",
);
const peer = fc.record({
  publicKey: key,
  name: maybe(text),
  proved: fc.boolean(),
  protocol: fc.constantFrom(1 as const, 2 as const),
  age: seconds,
  endpoints: fc.array(endpoint, { maxLength: 2 }),
  places: fc.array(fc.record({ kind: fc.constantFrom(...SAID_KINDS), endpoint }), {
    maxLength: 6,
  }),
  nat: fc.constantFrom(...NAT_KINDS),
  probes: fc.boolean(),
});
const group: fc.Arbitrary<GroupReport> = fc.record({
  id: fc.nat(0xffff_ffff),
  proof: fc.constantFrom("auto" as const, "required" as const),
  count,
  proved: count,
  ipv6: count,
  nats: fc.record({ unknown: count, easy: count, sequential: count, hard: count }),
  subscribers: count,
  roster: maybe(count),
  invitations: maybe(count),
  peers: fc.array(peer, { maxLength: 4 }),
  more: count,
});
const report: fc.Arbitrary<ServeReport> = fc.record({
  kind: fc.constant("serve" as const),
  name: text,
  version: text,
  runtime: text,
  uptime: seconds,
  listen: fc.array(endpoint, { maxLength: 5 }),
  serverKey: maybe(key),
  publicAddress: maybe(text),
  state: maybe(text),
  store: maybe(fc.record({
    address: text,
    connected: fc.boolean(),
    since: seconds,
    complete: fc.boolean(),
    behind: count,
    roundTrip: maybe(seconds),
    fault: maybe(fc.record({ why: text, age: seconds, over: fc.boolean() })),
  })),
  groups: fc.array(group, { maxLength: 3 }),
  relay: maybe(fc.record({
    count,
    datagrams: count,
    bytes: fc.nat(Number.MAX_SAFE_INTEGER),
    pairs: fc.array(
      fc.record({
        group: fc.nat(0xffff_ffff),
        a: key,
        b: text,
        age: maybe(seconds),
        since: seconds,
      }),
      { maxLength: 3 },
    ),
    more: count,
  })),
  dns: fc.array(endpoint, { maxLength: 3 }),
  zones: fc.array(
    fc.record({
      name: text,
      interface: maybe(text),
      groups: fc.array(fc.nat(9), { maxLength: 3 }),
      views: count,
      keys: fc.array(fc.record({ tag: count, algorithm: fc.nat(255) }), { maxLength: 4 }),
      tsig: fc.array(text, { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  leases: maybe(fc.record({
    interface: text,
    count,
    held: fc.array(
      fc.record({ publicKey: key, name: maybe(text), address: text, endsIn: seconds }),
      { maxLength: 3 },
    ),
    more: count,
  })),
  counters: fc.record({ received: count, answered: count, "drop-bad-mac": count }),
});

test("status of serve: a report is read as it was written, and its lines fit a terminal", () => {
  fc.assert(fc.property(report, (report) => {
    const json = JSON.stringify({ schema: SCHEMA, ...report });
    assertEquals(readReport(JSON.parse(json)), JSON.parse(JSON.stringify(report)));
    for (const line of formatReport(report, false).split("\n")) {
      // A word that is longer than a line has one of its own.
      assert(columnsOf(line) <= 80 || !line.trim().includes(" "), line);
      assert(!/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(line), "what a terminal obeys");
    }
  }));
});

test("status of serve: what is no report of this schema is refused", () => {
  const good = { schema: SCHEMA, ...SERVE_REPORT };
  assert(readReport(good) !== undefined);
  const [group] = SERVE_REPORT.groups;
  const [peer] = group!.peers;
  const bad = [
    { ...good, schema: 2 },
    { ...good, groups: [{ ...group, nats: {} }] },
    { ...good, groups: [{ ...group, proof: "maybe" }] },
    { ...good, groups: [{ ...group, peers: [{ ...peer, nat: "symmetric" }] }] },
    { ...good, counters: { received: "1" } },
    { ...good, leases: undefined },
    { ...good, relay: { ...SERVE_REPORT.relay, pairs: [null] } },
  ];
  for (const each of bad) assertEquals(readReport(each), undefined);
});
