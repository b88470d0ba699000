/**
 * Replays what was asked of the real wgsd (in CoreDNS) to our zones. Each answer is either the one
 * that it gave (letter case and the order of PTRs aside, and the OPT's size, which is ours), or the
 * exchange stands in the table of faults that are not copied, with what is another in ours.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { HostPort } from "../../../../lib/core/net/host_port.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import { DevicePeers } from "../../../../lib/core/zone/server/peers.ts";
import { ZoneSelf } from "../../../../lib/core/zone/server/self.ts";
import { DnsDriver, type DnsReply, readReply } from "../../../support/dns.ts";
import {
  type DnsExchange,
  dnsExchanges,
  vectorDevice,
  vectorKey,
  vectorLabel,
} from "../../../support/dns_vectors.ts";
import { test } from "../../../testing.ts";

/** An answer without what is of no account. */
type Answer = Omit<DnsReply, "size">;

/** What we do where we do not copy a fault. */
interface Difference {
  readonly fault: Fault;
  /** The fields that are not as in the recorded answer; all of them where there was none. */
  readonly ours: Partial<Answer>;
}

const FAULTS = {
  "part": "an answer over UDP that doesn't fit has TC and a part of the set",
  "other type": "A and AAAA are answered with whatever address there is",
  "no type": "a name that exists is NXDOMAIN for types that it has not",
  "no name": "the zone's own names other than the service don't exist",
  "labels": "only the length of the service's labels is looked at",
  "wildcard": "a listener for all addresses publishes the device itself at ::",
  "additional": "a TXT in Additional that doesn't fit sets TC",
  "long": "AllowedIPs of more than 255 bytes can't be packed: no answer",
  "no SOA": "an empty set is answered without SOA",
  "transfer": "AXFR is a type like others",
  "other zone": "a name in no zone is SERVFAIL, as CoreDNS has it without another plugin",
  "size": "answers over UDP are as large as the client asks for",
  "NSID": "an empty NSID option comes back",
  "two OPT": "of two OPTs one counts (RFC 6891, section 6.1.1)",
  "opcode": "NOTIFY is answered as a query",
  "echo": "NOTIMP comes without the question",
  "pointer": "a compressed question is read, here one that points into the header",
  "cut": "a record that is announced and missing is no fault",
  "bits": "AD and CD come back whatever the opcode",
} as const;
type Fault = keyof typeof FAULTS;

const SERVFAIL_TO_REFUSED = { rcode: 5 };

function soa(zone: string): string {
  return `${zone} 60 soa ns1.${zone} postmaster.${zone} 1 86400 7200 3600000 60`;
}

function nodata(zone = "example.com"): Partial<Answer> {
  return { rcode: 0, answers: [], authorities: [soa(zone)], additionals: [] };
}

function nxdomain(zone = "example.com"): Partial<Answer> {
  return { ...nodata(zone), rcode: 3 };
}

/** No part of a list over UDP, but how long it is. */
function counted(zone: string, count: number): Partial<Answer> {
  const text = `_wireguard._udp.${zone} 0 txt "txtvers=1" "peers=${count}"`;
  return { flags: "AA TC RD", answers: [], additionals: [text] };
}

const P8 = `${vectorLabel("P8")}._wireguard._udp.example.com`;
const p8Text = (() => {
  const cidr = (i: number) => `10.108.8.${i}/32`;
  const list = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => cidr(from + i)).join();
  const strings = ["txtvers=1", `pub=${vectorKey("P8")}`];
  return [...strings, `allowed=${list(101, 115)}`, `allowed2=${list(116, 130)}`]
    .map((each) => `"${each}"`).join(" ");
})();
const p8Answer = { opcode: 0, rcode: 0, flags: "AA RD", authorities: [], opt: "" };

function table(
  fault: Fault,
  ours: Partial<Answer>,
  names: readonly string[],
): [string, Difference][] {
  return names.map((name) => [name, { fault, ours }]);
}

const DIFFERENCES: ReadonlyMap<string, Difference> = new Map<string, Difference>([
  ...["example.com", "self6.test"].flatMap((zone) =>
    table("part", counted(zone, 8), [`ptr ${zone}.`])
  ),
  ...["noself.test", "bareself.test", "selfips.test", "sub.example.com"].flatMap((zone) =>
    table("part", counted(zone, 7), [`ptr ${zone}.`])
  ),
  ...table("part", counted("example.com", 8), ["ptr mixed case"]),
  ...table("part", counted("big.test", 50), ["big ptr edns 512", "big ptr edns 1400"]),
  ...table("size", counted("big.test", 50), ["big ptr edns 65535"]),
  ...table(
    "other type",
    nodata(),
    ["P1", "P2", "P5", "P6", "P7", "P8", "SELF"].map((peer) => `aaaa ${peer}`),
  ),
  ...table("other type", nodata("bareself.test"), [
    "bareself bound AAAA via 192.0.2.1",
    "bareself bound A via fd00:1::1",
  ]),
  ...table(
    "no type",
    nodata(),
    ["SOA", "MX", "PTR", "HTTPS", "DNSKEY"].map((type) => `P1 type ${type}`),
  ),
  ...table("no type", nodata(), ["service name SRV", "service name AAAA"]),
  ...table("no type", {
    rcode: 0,
    answers: [`_wireguard._udp.example.com 0 txt "txtvers=1" "peers=8"`],
    authorities: [],
  }, ["service name ANY"]),
  ...table(
    "no name",
    { rcode: 0, answers: ["example.com 60 ns ns1.example.com"], authorities: [] },
    [
      "apex NS",
    ],
  ),
  ...table("no name", { rcode: 0, answers: [soa("example.com")], authorities: [] }, ["apex ANY"]),
  ...table("no name", nodata(), ["apex TXT", "ptr _udp.example.com."]),
  ...table("transfer", { rcode: 5, flags: "RD", authorities: [] }, ["P1 type AXFR", "apex AXFR"]),
  ...table("labels", nxdomain(), ["same length, wrong service", "same length, wrong service TXT"]),
  ...table("wildcard", nxdomain("bareself.test"), [
    "self SRV bareself.test.",
    "self AAAA bareself.test.",
    "bareself via v6 SRV",
    "bareself via v6 AAAA",
  ]),
  ...table("wildcard", nxdomain("selfips.test"), [
    "self SRV selfips.test.",
    "self AAAA selfips.test.",
  ]),
  ...table("additional", { flags: "AA RD" }, [
    "srv P7",
    "srv P8",
    "srv P7 edns 100",
    "srv P7 edns 512",
  ]),
  ...table("long", {
    ...p8Answer,
    id: 0x1041,
    question: `${P8} srv in`,
    answers: [`${P8} 0 srv 0 0 7008 ${P8}`],
    additionals: [`${P8} 0 a 203.0.113.8`, `${P8} 0 txt ${p8Text}`],
  }, ["srv edns1232 P8"]),
  ...table("long", {
    ...p8Answer,
    id: 0x1043,
    question: `${P8} txt in`,
    answers: [`${P8} 0 txt ${p8Text}`],
    additionals: [],
  }, ["txt edns4096 P8"]),
  ...table("no SOA", nodata("empty.test"), ["ptr empty.test."]),
  ...table("other zone", SERVFAIL_TO_REFUSED, [
    "out of zone",
    "zone suffix but not label boundary",
    "name 255 octets",
  ]),
  ...table("NSID", { opt: "" }, ["srv edns nsid"]),
  ...table("two OPT", { rcode: 1, flags: "RD", answers: [], additionals: [] }, ["two OPT"]),
  ...table("opcode", { rcode: 4, flags: "", answers: [], additionals: [] }, ["opcode NOTIFY"]),
  ...table("echo", { question: `${vectorLabel("P1")}._wireguard._udp.example.com srv in` }, [
    "opcode STATUS",
    "opcode DSO",
  ]),
  ...table("pointer", { rcode: 1, question: undefined }, ["pointer into header"]),
  ...table("cut", { rcode: 1, flags: "RD", answers: [], additionals: [] }, [
    "arcount claims 1, none present",
  ]),
  ...table("bits", { flags: "RD" }, ["binary noise 64"]),
]);

function device(name: string, publicKey?: string): DevicePeers {
  const peers = new DevicePeers(7);
  peers.set(vectorDevice(name, publicKey));
  return peers;
}

/** The zones of the recorded server. */
function recordedZones(): Zone[] {
  const a = device("wgA0", vectorKey("SELF"));
  const self = (allowedIps: readonly string[], endpoint?: HostPort) =>
    new ZoneSelf(a, { endpoint, allowedIps });
  const own = ["10.0.0.254/32"];
  return [
    new Zone({
      name: "example.com.",
      peers: [a],
      self: self(own, { host: "192.0.2.1", port: 51820 }),
    }),
    new Zone({ name: "noself.test.", peers: [a] }),
    new Zone({ name: "bareself.test.", peers: [a], self: self([]) }),
    new Zone({
      name: "selfips.test.",
      peers: [a],
      self: self([...own, "fd00:aa::/64", "10.9.8.7/24"]),
    }),
    new Zone({
      name: "self6.test.",
      peers: [a],
      self: self(own, { host: "2001:db8::51", port: 51826 }),
    }),
    new Zone({ name: "sub.example.com.", peers: [a] }),
    new Zone({ name: "big.test.", peers: [device("wgBig0")] }),
    new Zone({ name: "empty.test.", peers: [device("wgEmpty0")] }),
    new Zone({ name: "broken.test.", peers: [new DevicePeers(7)] }),
  ];
}

/** Names without case; strings of TXT keep theirs. */
function lower(record: string): string {
  const quote = record.indexOf('"');
  return quote < 0
    ? record.toLowerCase()
    : record.slice(0, quote).toLowerCase() + record.slice(quote);
}

function normalized({ size: _, ...reply }: DnsReply): Answer {
  return {
    ...reply,
    question: reply.question?.toLowerCase(),
    answers: reply.answers.map(lower).sort(),
    authorities: reply.authorities.map(lower),
    additionals: reply.additionals.map(lower),
    opt: reply.opt?.replace(/^\d+/, ""),
  };
}

function replay(exchange: DnsExchange, needed: Set<string>): void {
  const driver = new DnsDriver(recordedZones());
  exchange.queries.forEach((query, i) => {
    const bytes = driver.send(query, exchange);
    const recorded = exchange.responses[i];
    const theirs = recorded && normalized(readReply(recorded));
    const reply = bytes && readReply(bytes);
    if (reply?.opt !== undefined) assert(reply.opt.startsWith("1232"));
    const ours = reply && normalized(reply);
    const difference = DIFFERENCES.get(exchange.name);
    if (difference === undefined) return assertEquals(ours, theirs, exchange.name);
    const message = `${exchange.name}: ${FAULTS[difference.fault]}`;
    assert(JSON.stringify(ours) !== JSON.stringify(theirs), `${message}: no difference any more`);
    needed.add(exchange.name);
    assertEquals<unknown>(ours, { ...theirs, ...difference.ours }, message);
  });
}

for (const exchange of dnsExchanges) {
  test(`"${exchange.name}" is answered as by wgsd, but for its faults`, () => {
    replay(exchange, new Set());
  });
}

test("every difference from wgsd is needed, and every fault that is named has one", () => {
  assertEquals(new Set(dnsExchanges.map(({ name }) => name)).size, dnsExchanges.length);
  const needed = new Set<string>();
  for (const exchange of dnsExchanges) replay(exchange, needed);
  assertEquals([...DIFFERENCES.keys()].filter((name) => !needed.has(name)), []);
  const used = new Set([...DIFFERENCES.values()].map(({ fault }) => fault));
  assertEquals(Object.keys(FAULTS).filter((fault) => !used.has(fault as Fault)), []);
});
