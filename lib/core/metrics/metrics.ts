/**
 * What programs say of themselves, as metrics.
 *
 * The names of what WireGuard counts are those that its exporters have, so that dashboards fit. What
 * there is of each peer is left out unless somebody wants so many: each peer is some series for
 * whoever keeps them.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import { COUNTER_NAMES, type Counters } from "../net/counters.ts";
import { type InterfaceReport, type PeerReport, REACHED_BY } from "../status/report.ts";
import { NAT_KINDS, type ServeReport } from "../status/serve_report.ts";
import { counterMetric } from "./counters.ts";
import { Exposition, type Metric } from "./exposition.ts";

function gauge(help: string, ...labels: readonly string[]): Metric {
  return { type: "gauge", help, labels };
}

function counter(help: string, ...labels: readonly string[]): Metric {
  return { type: "counter", help, labels };
}

const PEER = ["interface", "public_key", "friendly_name"] as const;
const MEMBER = ["group", "public_key", "friendly_name"] as const;

/** Of both. */
export const COMMON_METRICS = {
  wgsig_build_info: gauge(
    "1; the program's version, runtime and command",
    "version",
    "runtime",
    "command",
  ),
  process_start_time_seconds: gauge("when the program was started, in Unix seconds"),
} as const;

/** Of `serve`, without counters. */
export const SERVE_METRICS = {
  wgsig_group_peers: gauge("registered peers", "group"),
  wgsig_group_proved_peers: gauge("of those, the ones that have proved their key", "group"),
  wgsig_group_ipv6_peers: gauge("of those, the ones that are seen over IPv6", "group"),
  wgsig_group_nat_peers: gauge("of those, the ones behind this kind of NAT", "group", "nat"),
  wgsig_group_subscribers: gauge("peers that are told of changes at once", "group"),
  wgsig_group_roster_entries: gauge("peers in the roster", "group"),
  wgsig_group_invitations: gauge("open invitations", "group"),
  wgsig_relay_pairs: gauge("pairs of peers that are relayed"),
  wgsig_zones: gauge("DNS zones that are served"),
  wgsig_leases: gauge("addresses that are leased"),
  wgsig_store_up: gauge("whether the store that peers are shared in is there"),
  wgsig_store_behind_peers: gauge("peers that the store doesn't have as they are here"),
  wgsig_store_round_trip_seconds: gauge("round trip of the store's last answer"),
  wgsig_registered_peer_age_seconds: gauge("seconds since the peer was last heard", ...MEMBER),
  wgsig_registered_peer_proved: gauge("whether the peer has proved its key", ...MEMBER),
} as const;

/** Of `sync`, without counters. */
export const SYNC_METRICS = {
  wgsig_interface_up: gauge("whether the interface is there", "interface"),
  wgsig_interface_nat_info: gauge("1; the kind of NAT in front of it", "interface", "nat"),
  wgsig_interface_peers: gauge("peers of the interface", "interface"),
  wgsig_interface_alive_peers: gauge("of those, the ones with a tunnel", "interface"),
  wgsig_interface_path_peers: gauge("of those, the ones reached by this path", "interface", "path"),
  wgsig_server_up: gauge("whether the server answered when last asked", "interface", "server"),
  wgsig_server_age_seconds: gauge("seconds since the server's last answer", "interface", "server"),
  wgsig_server_round_trip_seconds: gauge(
    "round trip of the server's last answer",
    "interface",
    "server",
  ),
  wireguard_sent_bytes_total: counter("bytes sent to the peer", ...PEER),
  wireguard_received_bytes_total: counter("bytes received from the peer", ...PEER),
  wireguard_latest_handshake_seconds: gauge(
    "Unix seconds of the last handshake; 0 where there was none",
    ...PEER,
  ),
  wgsig_peer_up: gauge("whether there is a tunnel to the peer", ...PEER),
  wgsig_peer_path_info: gauge("1; how the peer is reached", ...PEER, "path"),
  wgsig_peer_round_trip_seconds: gauge(
    "round trip to the peer, as probes have measured it",
    ...PEER,
  ),
} as const;

const ALL = { ...COMMON_METRICS, ...SERVE_METRICS, ...SYNC_METRICS } as const;

/** What is known beside a report. */
export interface ProgramFacts {
  readonly version: string;
  readonly runtime: string;
  /** When it was started, in Unix seconds. */
  readonly startedAt: number;
  /** So many peers have series of their own. */
  readonly maxPeers: number;
  /** What was counted, where the report doesn't have it. */
  readonly counters: Readonly<Record<string, number>>;
  readonly now: Now;
}

/** The text of a report. */
export function metricsText(report: InterfaceReport | ServeReport, facts: ProgramFacts): string {
  const writer = new Writer();
  const { version, runtime, startedAt } = facts;
  writer.add("wgsig_build_info", [version, runtime, report.kind], 1);
  writer.add("process_start_time_seconds", [], Math.round(startedAt));
  if (report.kind === "serve") addServer(writer, report, facts);
  else addInterface(writer, report, facts);
  return writer.text;
}

class Writer {
  readonly #exposition = new Exposition();

  add(name: keyof typeof ALL, values: readonly string[], value: number | boolean | null): void {
    this.#exposition.add(name, ALL[name], values, value === null ? null : Number(value));
  }

  count(counters: Readonly<Record<string, number>>): void {
    for (const [counter, count] of Object.entries(counters)) {
      const { name, metric, values } = counterMetric(counter);
      this.#exposition.add(name, metric, values, count);
    }
  }

  get text(): string {
    return this.#exposition.text;
  }
}

function addServer(writer: Writer, report: ServeReport, { maxPeers }: ProgramFacts): void {
  let left = maxPeers;
  for (const each of report.groups) {
    const group = String(each.id);
    writer.add("wgsig_group_peers", [group], each.count);
    writer.add("wgsig_group_proved_peers", [group], each.proved);
    writer.add("wgsig_group_ipv6_peers", [group], each.ipv6);
    for (const nat of NAT_KINDS) writer.add("wgsig_group_nat_peers", [group, nat], each.nats[nat]);
    writer.add("wgsig_group_subscribers", [group], each.subscribers);
    writer.add("wgsig_group_roster_entries", [group], each.roster);
    writer.add("wgsig_group_invitations", [group], each.invitations);
    for (const { publicKey, name, age, proved } of each.peers.slice(0, left)) {
      const labels = [group, publicKey, name ?? ""];
      writer.add("wgsig_registered_peer_age_seconds", labels, age);
      writer.add("wgsig_registered_peer_proved", labels, proved);
    }
    left = Math.max(0, left - each.peers.length);
  }
  if (report.relay !== null) writer.add("wgsig_relay_pairs", [], report.relay.count);
  writer.add("wgsig_zones", [], report.zones.length);
  if (report.leases !== null) writer.add("wgsig_leases", [], report.leases.count);
  const { store } = report;
  if (store !== null) {
    writer.add("wgsig_store_up", [], store.connected);
    writer.add("wgsig_store_behind_peers", [], store.behind);
    writer.add("wgsig_store_round_trip_seconds", [], store.roundTrip);
  }
  writer.count(report.counters);
}

function addInterface(writer: Writer, report: InterfaceReport, facts: ProgramFacts): void {
  const { interface: name, present, nat, peers, more, servers } = report;
  writer.add("wgsig_interface_up", [name], present);
  if (present) writer.add("wgsig_interface_nat_info", [name, nat], 1);
  writer.add("wgsig_interface_peers", [name], peers.length + more);
  writer.add("wgsig_interface_alive_peers", [name], peers.filter(({ alive }) => alive).length);
  for (const path of REACHED_BY) {
    const reached = peers.filter((peer) => peer.path === path).length;
    writer.add("wgsig_interface_path_peers", [name, path], reached);
  }
  for (const { server, status, age, roundTrip } of servers) {
    writer.add("wgsig_server_up", [name, server], status === "ok");
    writer.add("wgsig_server_age_seconds", [name, server], age);
    writer.add("wgsig_server_round_trip_seconds", [name, server], roundTrip);
  }
  for (const peer of peers.slice(0, facts.maxPeers)) addPeer(writer, name, peer, facts);
  writer.count(facts.counters);
}

function addPeer(writer: Writer, device: string, peer: PeerReport, { now }: ProgramFacts): void {
  const labels = [device, peer.publicKey, peer.name ?? ""];
  const { handshakeAge: age } = peer;
  writer.add("wireguard_sent_bytes_total", labels, peer.sent);
  writer.add("wireguard_received_bytes_total", labels, peer.received);
  const at = age === null ? 0 : Math.round(now.unix - age);
  writer.add("wireguard_latest_handshake_seconds", labels, at);
  writer.add("wgsig_peer_up", labels, peer.alive);
  writer.add("wgsig_peer_path_info", [...labels, peer.path], 1);
  writer.add("wgsig_peer_round_trip_seconds", labels, peer.roundTrip);
}

/** A metric, as docs/ have it. */
export interface MetricRow extends Metric {
  readonly name: string;
  readonly commands: readonly ("serve" | "sync")[];
}

/** All metrics that there can be, in order. */
export function allMetrics(): readonly MetricRow[] {
  const rows = new Map<string, MetricRow>();
  const add = (metrics: Readonly<Record<string, Metric>>, ...commands: MetricRow["commands"]) => {
    for (const [name, metric] of Object.entries(metrics)) {
      rows.set(name, { name, ...metric, commands });
    }
  };
  add(COMMON_METRICS, "serve", "sync");
  add(SYNC_METRICS, "sync");
  add(SERVE_METRICS, "serve");
  for (const counter of COUNTER_NAMES) {
    const { name, metric } = counterMetric(counter);
    if (isOfBoth(counter)) add({ [name]: metric }, "serve", "sync");
    else add({ [name]: metric }, "serve");
  }
  return [...rows.values()];
}

/** Whether `sync` counts it, too. */
function isOfBoth(counter: string): boolean {
  return counter.startsWith("http-");
}

/** What a program without other counters has counted. */
export function ownCounters(counters: Counters): Readonly<Record<string, number>> {
  const names = COUNTER_NAMES.filter(isOfBoth);
  return Object.fromEntries(names.map((name) => [name, counters.get(name)]));
}
