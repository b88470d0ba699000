/** A report is read as it was written, and fits a terminal. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { PATH_KINDS } from "../../../lib/core/path/path.ts";
import { readReport } from "../../../lib/core/status/read_report.ts";
import {
  type InterfaceReport,
  OUTCOMES,
  REACHED_BY,
  SCHEMA,
} from "../../../lib/core/status/report.ts";
import { columnsOf } from "../../../lib/core/status/lines.ts";
import { formatReport, hasDown } from "../../../lib/core/status/table.ts";
import { REPORT } from "../../support/status_report.ts";
import { test } from "../../testing.ts";

const KEY = "uEN/FxDargZsj7MEVnIKmCcoN71q+0r+n7triSVeaio=";
const TABLE = `interface wg0
  public key PUZNgTxz+aKMAXEfBvs1aq7I5rOhy8ZCnkel0ZXxlkw=
  port 51820, registered: raw, NAT: easy
  seen at 203.0.113.32:51820
  forwarded by the router from 203.0.113.32:40000

SERVER                                            STATUS    ANSWERED  ROUND TRIP
vps.example.com:1223                                  ok    12 s ago       12 ms
  wgsig 2, relays
old.example.com:1223                           no-answer       never           -

PEER               PATH        HANDSHAKE ROUND TRIP   RECEIVED       SENT
alice              punched      61 s ago      12 ms    1.2 MiB      512 B
  203.0.113.21:51820: proved by probes, round trip 12 ms; better ways tried in
    vain: lan
  tried: lan 192.168.1.7:51820 (no answer)
UFERvJuzK9UG8AvR…  down            never          -        0 B      148 B
  no server knows it; does sync run there, with the same servers and group?
`;

test("status: the table", () => {
  assertEquals(formatReport(REPORT, false), TABLE);
  assertEquals(hasDown(REPORT), true);
  assertEquals(hasDown({ ...REPORT, peers: REPORT.peers.slice(0, 1) }), false);
});

test("status: colours are all that they add", () => {
  const coloured = formatReport(REPORT, true);
  assert(coloured.includes("\x1b[31m"), "who is down is red");
  // deno-lint-ignore no-control-regex -- these are what is looked for
  assertEquals(coloured.replace(/\x1b\[\d+m/g, ""), TABLE);
});

test("status: addresses that are leased are named, and when they end", () => {
  const lease = { addresses: ["10.9.0.2/32", "fd00::2/128"], endsIn: 3000 };
  const line = "\n  leased: 10.9.0.2/32, fd00::2/128, for another 50 min if it is not renewed\n";
  assert(formatReport({ ...REPORT, lease }, false).includes(line));
  const none = { addresses: [], endsIn: null };
  assert(formatReport({ ...REPORT, lease: none }, false).includes("\n  leased: nothing yet\n"));
});

test("status: an interface that isn't there is waited for", () => {
  const gone = { ...REPORT, present: false, publicKey: null, port: null, peers: [], servers: [] };
  assertEquals(formatReport(gone, false), "interface wg0: waiting for it\n");
});

const seconds = fc.double({ min: 0, max: 1e7, noNaN: true });
const text = fc.string({ maxLength: 40, unit: "binary" });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null });
const size = fc.nat(Number.MAX_SAFE_INTEGER);
const endpoint = fc.constantFrom(
  "203.0.113.7:51820",
  "[2001:db8:1234:5678:9abc:def0:1234:5678]:51820",
);
const candidate = fc.record({
  kind: fc.constantFrom(...PATH_KINDS),
  endpoint,
  outcome: fc.constantFrom(...OUTCOMES),
  roundTrip: maybe(seconds),
});
const peer = fc.record({
  publicKey: fc.constant(KEY),
  name: maybe(text),
  alive: fc.boolean(),
  path: fc.constantFrom(...REACHED_BY),
  endpoint: maybe(endpoint),
  why: text,
  roundTrip: maybe(seconds),
  handshakeAge: maybe(seconds),
  received: size,
  sent: size,
  candidates: fc.array(candidate, { maxLength: 24 }),
});
const server = fc.record({
  server: text,
  status: fc.constantFrom("ok", "no-answer", "not-authenticated"),
  protocol: maybe(fc.constantFrom(1, 2)),
  relays: fc.boolean(),
  age: maybe(seconds),
  roundTrip: maybe(seconds),
});
const report: fc.Arbitrary<InterfaceReport> = fc.record({
  kind: fc.constant("sync" as const),
  interface: fc.constant("wg0"),
  present: fc.boolean(),
  publicKey: maybe(fc.constant(KEY)),
  port: maybe(fc.nat(65535)),
  register: maybe(fc.constantFrom("raw", "borrow")),
  endpoints: fc.array(endpoint, { maxLength: 2 }),
  mapped: fc.array(endpoint, { maxLength: 2 }),
  nat: fc.constantFrom("easy", "hard"),
  servers: fc.array(server, { maxLength: 3 }),
  lease: maybe(fc.record({
    addresses: fc.array(fc.constantFrom("10.9.0.2/32", "fd00::2/128"), { maxLength: 2 }),
    endsIn: maybe(seconds),
  })),
  peers: fc.array(peer, { maxLength: 5 }),
  more: fc.nat(9),
});

test("status: a report is read as it was written, and its lines fit a terminal", () => {
  fc.assert(fc.property(report, (report) => {
    const json = JSON.stringify({ schema: SCHEMA, ...report });
    assertEquals(readReport(JSON.parse(json)), JSON.parse(JSON.stringify(report)));
    for (const line of formatReport(report, false).split("\n")) {
      assert(columnsOf(line) <= 80, line);
      assert(!/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(line), "what a terminal obeys");
    }
  }));
});

test("status: what is no report of this schema is refused", () => {
  const good = { schema: SCHEMA, ...REPORT };
  assert(readReport(good) !== undefined);
  const bad = [
    { ...good, schema: 2 },
    { ...good, kind: "other" },
    { ...good, peers: {} },
    { ...good, peers: [null] },
    { ...good, servers: [{ ...REPORT.servers[0], age: "12" }] },
    { ...good, peers: [{ ...REPORT.peers[0], path: "carrier-pigeon" }] },
    { ...good, present: 1 },
  ];
  for (const each of [...bad, "", null, [], 7]) assertEquals(readReport(each), undefined);
});
