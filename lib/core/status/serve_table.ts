/**
 * What `serve` says of itself, as a person reads it: lines of at most 80 columns.
 *
 * @module
 */

import { ECDSA_P256, ED25519 } from "../../wire/crypto/signing.ts";
import { formatAge } from "../settings/duration.ts";
import {
  column,
  counted,
  flushRight,
  formatSize,
  milliseconds,
  nameOf,
  type Paint,
  plain,
  wrap,
} from "./lines.ts";
import type {
  GroupReport,
  LeasesReport,
  RegisteredPeerReport,
  RelayReport,
  ServeReport,
  StoreReport,
} from "./serve_report.ts";

/** Widths of what a peer's line has. */
const NAME = 18;
const [HEARD, PROOF, NAT] = [11, 8, 12] as const;
/** Endpoints of IPv4, a column before them, fit beside that. */
const ENDPOINT = 80 - NAME - HEARD - PROOF - NAT - 1;
const ADDRESS = 44;
/** Counters that say how much was done, */
const WORK: readonly string[] = ["received", "answered", "registered", "pushed", "dns-answered"];
/** and parts of the names of those that say that something was not. */
const TROUBLE = /drop|no-room|pushed-out|failed|overload|refused|cut$|limited|servfail|busy/;

/** Puts it into lines. */
export function serverLines(report: ServeReport, paint: Paint): readonly string[] {
  const { name, version, runtime, uptime, listen, serverKey, publicAddress, state, store } = report;
  const names = namesOf(report);
  const facts = [
    `wgsig ${version}, ${runtime}, up ${formatAge(uptime)}`,
    ...listen.length > 0 ? [`listens at ${listen.join(", ")}`] : [],
    ...publicAddress === null ? [] : [`public address ${publicAddress}`],
    ...serverKey === null ? [] : [`public key ${serverKey}`],
    ...state === null ? [] : [`keeps its state in ${state}`],
    ...store === null ? [] : [`shares its peers in ${store.address}: ${storeFacts(report, store)}`],
  ];
  return [
    `${paint("server", "bold")} ${plain(name)}`,
    ...facts.flatMap((fact) => wrap(plain(fact))),
    ...report.groups.flatMap((group) => groupLines(group, paint)),
    ...report.relay === null ? [] : relayLines(report.relay, names, paint),
    ...zoneLines(report, paint),
    ...report.leases === null ? [] : leaseLines(report.leases, paint),
    ...counterLines(report.counters, paint),
  ];
}

function storeFacts(report: ServeReport, store: StoreReport): string {
  const { connected, complete, since, behind, roundTrip, fault } = store;
  const refused = report.counters["shared-bad-mac"] ?? 0;
  const present = fault?.over === false ? fault : undefined;
  return [
    connected ? `connected for ${formatAge(since)}` : `gone for ${formatAge(since)}`,
    ...present === undefined ? [] : [present.why],
    ...complete ? [] : ["not read yet"],
    ...behind > 0 ? [`${counted(behind, "peer")} to be written`] : [],
    ...refused > 0 ? [`${counted(refused, "record")} by another key refused`] : [],
    ...connected && roundTrip !== null ? [`round trip ${milliseconds(roundTrip)}`] : [],
  ].join(", ");
}

function groupLines(group: GroupReport, paint: Paint): readonly string[] {
  const { id, count, proved, ipv6, subscribers, proof, roster, invitations, peers, more } = group;
  const facts = [
    counted(count, "peer"),
    `${proved} proved`,
    ...ipv6 > 0 ? [`${ipv6} over IPv6`] : [],
    ...subscribers > 0 ? [`${subscribers} subscribed`] : [],
    ...proof === "required" ? ["proof required"] : [],
    ...roster === null ? [] : [`${roster} in the roster`],
    ...invitations === null ? [] : [counted(invitations, "open invitation")],
  ];
  const head = row("PEER", "HEARD", "PROOF", "NAT", "ENDPOINT");
  return [
    "",
    `${paint("group", "bold")} ${id}`,
    ...wrap(facts.join(", ")),
    ...peers.length > 0 ? [paint(head, "bold")] : [],
    ...peers.flatMap((peer) => peerLines(peer, paint)),
    ...more > 0 ? [`and ${more} more`] : [],
  ];
}

function peerLines(peer: RegisteredPeerReport, paint: Paint): readonly string[] {
  const { age, proved, protocol, nat, endpoints, places } = peer;
  const [first] = endpoints;
  const isBeside = first !== undefined && first.length <= ENDPOINT;
  const more = [
    ...isBeside ? endpoints.slice(1) : endpoints,
    ...places.map(({ kind, endpoint }) => `${kind} ${endpoint}`),
  ];
  const proof = proved ? "proved" : protocol === 1 ? "wgsig 1" : "-";
  return [
    row(
      nameOf(peer),
      `${formatAge(age)} ago`,
      proof,
      nat === "unknown" ? "-" : nat,
      isBeside ? plain(first) : first === undefined ? "-" : "",
    ).trimEnd(),
    ...more.length > 0 ? wrap(plain(more.join(", "))).map((line) => paint(line, "dim")) : [],
  ];
}

function row(name: string, heard: string, proof: string, nat: string, endpoint: string): string {
  const right = flushRight([heard], [HEARD]);
  return `${column(name, NAME)}${right} ${column(proof, PROOF)}${column(nat, NAT)}${endpoint}`;
}

function relayLines(
  { count, datagrams, bytes, pairs, more }: RelayReport,
  names: ReadonlyMap<string, string>,
  paint: Paint,
): readonly string[] {
  const pairRow = (a: string, b: string, numbers: readonly string[]) =>
    `${column(a, NAME)} ${column(b, NAME)}${flushRight(numbers, [10, 14, 14])}`;
  const called = (key: string) => names.get(key) ?? nameOf({ name: null, publicKey: plain(key) });
  return [
    "",
    paint("relay", "bold"),
    ...wrap(
      `${counted(count, "pair")}, ${counted(datagrams, "datagram")} so far, ${formatSize(bytes)}`,
    ),
    ...pairs.length > 0
      ? [paint(pairRow("PEER", "AND", ["GROUP", "RELAYED", "ASKED FOR"]), "bold")]
      : [],
    ...pairs.map(({ a, b, group, age, since }) =>
      pairRow(called(a), called(b), [
        `${group}`,
        age === null ? "never" : `${formatAge(age)} ago`,
        formatAge(since),
      ])
    ),
    ...more > 0 ? [`and ${more} more`] : [],
  ];
}

function zoneLines({ zones, dns }: ServeReport, paint: Paint): readonly string[] {
  if (zones.length === 0) return [];
  return [
    "",
    paint("zones", "bold"),
    ...dns.length > 0 ? wrap(plain(`answered at ${dns.join(", ")}`)) : [],
    ...zones.flatMap(({ name, interface: device, groups, views, keys, tsig }) => {
      const of = [
        ...device === null ? [] : [`interface ${device}`],
        ...groups.length === 0
          ? []
          : [`group${groups.length === 1 ? "" : "s"} ${groups.join(", ")}`],
        ...views === 0 ? [] : [counted(views, "view")],
      ];
      const signed = keys.map(({ tag, algorithm }) => `${tag} (${algorithmOf(algorithm)})`);
      const keyed = (one: string, all: readonly string[]) =>
        all.length === 0 ? [] : [`${one}${all.length === 1 ? "" : "s"} ${all.join(", ")}`];
      return [
        of.join(", "),
        ...keyed("signed with key", signed),
        ...keyed("TSIG key", tsig),
      ].flatMap((line) => wrap(plain(`${name}: ${line}`)));
    }),
  ];
}

/** DNSSEC's algorithms that zones here are signed with; else the number. */
function algorithmOf(algorithm: number): string {
  if (algorithm === ECDSA_P256) return "ECDSA P-256";
  return algorithm === ED25519 ? "Ed25519" : `algorithm ${algorithm}`;
}

function leaseLines(
  { interface: device, count, held, more }: LeasesReport,
  paint: Paint,
): readonly string[] {
  const leaseRow = (name: string, address: string, endsIn: string) =>
    `${column(name, NAME)} ${column(address, ADDRESS)}${flushRight([endsIn], [12])}`;
  return [
    "",
    paint("leases", "bold"),
    ...wrap(plain(`${count === 1 ? "1 address" : `${count} addresses`} on ${device}`)),
    ...held.length > 0 ? [paint(leaseRow("PEER", "ADDRESS", "ENDS IN"), "bold")] : [],
    ...held.map((lease) => leaseRow(nameOf(lease), plain(lease.address), formatAge(lease.endsIn))),
    ...more > 0 ? [`and ${more} more`] : [],
  ];
}

function counterLines(counters: ServeReport["counters"], paint: Paint): readonly string[] {
  const shown = Object.entries(counters).flatMap(([name, value]) =>
    value !== undefined && value > 0 && (WORK.includes(name) || TROUBLE.test(name))
      ? [`${name} ${value}`]
      : []
  );
  if (shown.length === 0) return [];
  return ["", paint("counters", "bold"), ...wrap(plain(shown.join(", ")))];
}

function namesOf({ groups }: ServeReport): ReadonlyMap<string, string> {
  return new Map(
    groups.flatMap(({ peers }) =>
      peers.flatMap(({ publicKey, name }) =>
        name === null ? [] : [[publicKey, plain(name)] as const]
      )
    ),
  );
}
