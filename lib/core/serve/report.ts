/**
 * What is said of a server when `wgsig status` asks.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import type { LeaseBook } from "../lease/server/book.ts";
import type { Now } from "../net/clock.ts";
import { formatKey } from "../net/peer_key.ts";
import type { Registry } from "../registry/registry.ts";
import type { Relay } from "../relay/relay.ts";
import { elapsed } from "../status/rounded.ts";
import {
  type GroupReport,
  type HeldLeaseReport,
  type LeasesReport,
  MOST_LISTED,
  MOST_REGISTERED,
  MOST_REGISTERED_IN_ALL,
  type RelayedPairReport,
  type RelayReport,
  type ServeReport,
} from "../status/serve_report.ts";
import { groupReport, type NameOf, type RosterCounts } from "./group_report.ts";

/** What is known of a server beside what its parts have. */
export type ServeFacts = Omit<ServeReport, "kind" | "groups" | "relay" | "leases" | "counters">;

/** Who knows what. */
export interface ServeParts {
  readonly registry: Registry;
  readonly leases: { readonly interface: string; readonly book: LeaseBook } | undefined;
  readonly nameOf: NameOf;
  /** What the roster of a group has; undefined where it has none. */
  rosterOf(group: number): RosterCounts | undefined;
  /** What others count here, by name. */
  counters(): Readonly<Record<string, number>>;
}

/** After so many leases, others have their turn. */
const SLICE = 128;

/** Says it in pieces, between which other things may be done. */
export function* serveReport(
  facts: ServeFacts,
  parts: ServeParts,
  { mono }: Now,
): Generator<undefined, ServeReport> {
  const { registry, leases, nameOf } = parts;
  const groups: GroupReport[] = [];
  let left = MOST_REGISTERED_IN_ALL;
  for (const group of [...registry.groups.values()]) {
    const names = { nameOf, roster: parts.rosterOf(group.id) };
    const report = yield* groupReport(group, names, Math.min(left, MOST_REGISTERED), mono);
    left -= report.peers.length;
    groups.push(report);
  }
  yield undefined;
  const { relay } = registry;
  const relayed = relay === undefined ? null : relayReport(registry, relay, mono);
  yield undefined;
  const held = leases === undefined ? null : yield* leasesReport(leases, nameOf, mono);
  return {
    kind: "serve",
    ...facts,
    groups,
    relay: relayed,
    leases: held,
    counters: { ...registry.counters.all(), ...parts.counters() },
  };
}

function relayReport(registry: Registry, relay: Relay, mono: number): RelayReport {
  const id = new WireBuffer(ID_SIZE);
  const pairs = relay.lastUsed(MOST_LISTED).flatMap((pair): RelayedPairReport[] => {
    const group = registry.groupOfPair(pair);
    if (group === undefined) return [];
    const keyOf = (member: number) => {
      pair.group.readId(member, id, 0);
      return formatKey(id.bytes);
    };
    return [{
      group,
      a: keyOf(pair.a),
      b: keyOf(pair.b),
      age: pair.usedAt === undefined ? null : elapsed(mono - pair.usedAt),
      since: elapsed(mono - pair.addedAt),
    }];
  });
  const { pairCount: count } = relay;
  return {
    count,
    datagrams: registry.counters.get("relayed"),
    bytes: registry.counters.get("relayed-bytes"),
    pairs,
    more: Math.max(0, count - pairs.length),
  };
}

function* leasesReport(
  { interface: name, book }: NonNullable<ServeParts["leases"]>,
  nameOf: NameOf,
  mono: number,
): Generator<undefined, LeasesReport> {
  const held: HeldLeaseReport[] = [];
  for (const { publicKey, cidr, expiresAt } of book.leases()) {
    if (held.length === MOST_LISTED) break;
    if (held.length % SLICE === SLICE - 1) yield undefined;
    const endsIn = elapsed(expiresAt - mono);
    held.push({ publicKey, name: nameOf(publicKey, undefined) ?? null, address: cidr, endsIn });
  }
  const { count } = book;
  return { interface: name, count, held, more: Math.max(0, count - held.length) };
}
