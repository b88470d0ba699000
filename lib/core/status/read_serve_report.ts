/**
 * Reads what a running `serve` has answered: it may be of another release.
 *
 * @module
 */

import {
  byName,
  type Fields,
  fieldsOf,
  flag,
  list,
  maybe,
  number,
  oneOf,
  text,
} from "../net/fields.ts";
import {
  type GroupReport,
  type HeldLeaseReport,
  type LeasesReport,
  NAT_KINDS,
  type RegisteredPeerReport,
  type RelayedPairReport,
  type RelayReport,
  SAID_KINDS,
  type SaidPlaceReport,
  type ServeReport,
  type StoreReport,
  type ZoneKeyReport,
  type ZoneReport,
} from "./serve_report.ts";

/** The report. @throws {TypeError} The fields are none. */
export function readServeReport(fields: Fields): ServeReport {
  return {
    kind: "serve",
    name: text(fields["name"]),
    version: text(fields["version"]),
    runtime: text(fields["runtime"]),
    uptime: number(fields["uptime"]),
    listen: list(text, fields["listen"]),
    serverKey: maybe(text, fields["serverKey"]),
    publicAddress: maybe(text, fields["publicAddress"]),
    state: maybe(text, fields["state"]),
    // Former releases have none.
    store: maybe(storeOf, fields["store"] ?? null),
    groups: list(groupOf, fields["groups"]),
    relay: maybe(relayOf, fields["relay"]),
    dns: list(text, fields["dns"]),
    zones: list(zoneOf, fields["zones"]),
    leases: maybe(leasesOf, fields["leases"]),
    counters: byName(number, fields["counters"]),
  };
}

function storeOf(value: unknown): StoreReport {
  const fields = fieldsOf(value);
  return {
    address: text(fields["address"]),
    connected: flag(fields["connected"]),
    since: number(fields["since"]),
    complete: flag(fields["complete"]),
    behind: number(fields["behind"]),
    roundTrip: maybe(number, fields["roundTrip"]),
    fault: maybe(faultOf, fields["fault"]),
  };
}

function faultOf(value: unknown): StoreReport["fault"] {
  const fields = fieldsOf(value);
  return { why: text(fields["why"]), age: number(fields["age"]), over: flag(fields["over"]) };
}

function groupOf(value: unknown): GroupReport {
  const fields = fieldsOf(value);
  const nats = fieldsOf(fields["nats"]);
  return {
    id: number(fields["id"]),
    proof: oneOf(["auto", "required"], fields["proof"]),
    count: number(fields["count"]),
    proved: number(fields["proved"]),
    ipv6: number(fields["ipv6"]),
    nats: {
      unknown: number(nats["unknown"]),
      easy: number(nats["easy"]),
      sequential: number(nats["sequential"]),
      hard: number(nats["hard"]),
    },
    subscribers: number(fields["subscribers"]),
    roster: maybe(number, fields["roster"]),
    invitations: maybe(number, fields["invitations"]),
    peers: list(peerOf, fields["peers"]),
    more: number(fields["more"]),
  };
}

function peerOf(value: unknown): RegisteredPeerReport {
  const fields = fieldsOf(value);
  return {
    publicKey: text(fields["publicKey"]),
    name: maybe(text, fields["name"]),
    proved: flag(fields["proved"]),
    protocol: number(fields["protocol"]) === 2 ? 2 : 1,
    age: number(fields["age"]),
    endpoints: list(text, fields["endpoints"]),
    places: list(placeOf, fields["places"]),
    nat: oneOf(NAT_KINDS, fields["nat"]),
    probes: flag(fields["probes"]),
  };
}

function placeOf(value: unknown): SaidPlaceReport {
  const fields = fieldsOf(value);
  return { kind: oneOf(SAID_KINDS, fields["kind"]), endpoint: text(fields["endpoint"]) };
}

function relayOf(value: unknown): RelayReport {
  const fields = fieldsOf(value);
  return {
    count: number(fields["count"]),
    datagrams: number(fields["datagrams"]),
    bytes: number(fields["bytes"]),
    pairs: list(pairOf, fields["pairs"]),
    more: number(fields["more"]),
  };
}

function pairOf(value: unknown): RelayedPairReport {
  const fields = fieldsOf(value);
  return {
    group: number(fields["group"]),
    a: text(fields["a"]),
    b: text(fields["b"]),
    age: maybe(number, fields["age"]),
    since: number(fields["since"]),
  };
}

function zoneOf(value: unknown): ZoneReport {
  const fields = fieldsOf(value);
  return {
    name: text(fields["name"]),
    interface: maybe(text, fields["interface"]),
    groups: list(number, fields["groups"]),
    views: number(fields["views"]),
    keys: list(zoneKeyOf, fields["keys"]),
    tsig: list(text, fields["tsig"]),
  };
}

function zoneKeyOf(value: unknown): ZoneKeyReport {
  const fields = fieldsOf(value);
  return { tag: number(fields["tag"]), algorithm: number(fields["algorithm"]) };
}

function leasesOf(value: unknown): LeasesReport {
  const fields = fieldsOf(value);
  return {
    interface: text(fields["interface"]),
    count: number(fields["count"]),
    held: list(leaseOf, fields["held"]),
    more: number(fields["more"]),
  };
}

function leaseOf(value: unknown): HeldLeaseReport {
  const fields = fieldsOf(value);
  return {
    publicKey: text(fields["publicKey"]),
    name: maybe(text, fields["name"]),
    address: text(fields["address"]),
    endsIn: number(fields["endsIn"]),
  };
}
