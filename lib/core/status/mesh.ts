/**
 * Who of a group reaches whom how, judged from what a registry knows of its peers, before anybody builds
 * a tunnel: what they say of their NATs, whether they have IPv6, and who is in the same LAN.
 *
 * @module
 */

import { familyOf, type HostPort, parseHostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, formatAddress, parseAddress } from "../net/ip_address.ts";
import { isPublic, reachOf } from "../net/reach.ts";
import { type Means, meansTo } from "../path/reaches.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { GroupReport, RegisteredPeerReport } from "./serve_report.ts";

/**
 * By which means two peers reach each other: in their LAN, over IPv6, because the port of one is
 * forwarded, because both NATs map alike for all, by ports that are predicted or guessed, through a relay
 * alone; or nobody knows.
 */
export type MeshMeans = Means | "lan" | "ipv6" | "unknown";

/** The same, as far as most want to know: hard ways take some seconds, at first. */
export type MeshClass = "direct" | "hard" | "relay" | "unknown";

/** What stands between a peer and the others: a forwarded port is open. */
export type MeshKind = "open" | "easy" | "sequential" | "hard" | "unknown";

/** A peer of a mesh. */
export interface MeshPeer {
  readonly publicKey: string;
  readonly name: string | null;
  readonly kind: MeshKind;
  readonly ipv6: boolean;
}

/** A group's mesh, as JSON. */
export interface MeshReport {
  readonly group: number;
  /** Whether the registry relays. */
  readonly relays: boolean;
  readonly peers: readonly MeshPeer[];
  /** So many more peers there are, of which nothing is said. */
  readonly more: number;
  /** How many peers are of a kind, of those that are told of; */
  readonly kinds: Readonly<Record<MeshKind, number>>;
  /** how many of their pairs are of a class. */
  readonly pairs: Readonly<Record<MeshClass, number>>;
  /**
   * For each peer a letter for each of those before it: `d`, `h`, `r` or `u`, as the class begins. Null
   * where there are too many.
   */
  readonly rows: readonly string[] | null;
  /** Pairs that need a relay: two places among the peers, the later one first. */
  readonly relayed: readonly (readonly [number, number])[];
  readonly moreRelayed: number;
}

/** Of so many peers at most is each pair told of. */
export const MOST_IN_ROWS = 60;
/** Of so many pairs that need a relay. */
const MOST_RELAYED = 1000;
/** Who shares that much of an address, and is seen at the same one, is in the same LAN, in bytes. */
const [IPV4_LAN, IPV6_LAN] = [ADDRESS_SIZE - 1, 8] as const;

const CLASSES: Readonly<Record<MeshMeans, MeshClass>> = {
  lan: "direct",
  ipv6: "direct",
  direct: "direct",
  punched: "direct",
  predicted: "hard",
  guessed: "hard",
  relay: "relay",
  unknown: "unknown",
};

/** What is known of a peer, for a judgement. */
export interface MeshFacts {
  readonly kind: MeshKind;
  /** The address that it is seen at, by family, in one spelling; undefined where it isn't. */
  readonly seen4: string | undefined;
  /** Whether it has an IPv6 address that holds everywhere. */
  readonly hasIpv6: boolean;
  /** Networks that it is in. */
  readonly lans: ReadonlySet<string>;
}

/** What is known of a peer. */
export function meshFacts({ endpoints, places, nat }: RegisteredPeerReport): MeshFacts {
  const seen = endpoints.flatMap((text) => parseHostPort(text) ?? []);
  const said = places.flatMap(({ kind, endpoint }) => {
    const place = parseHostPort(endpoint);
    return place === undefined ? [] : [{ kind, ...place }];
  });
  const own = [...seen.filter(isPrivateOr6), ...said.filter(({ kind }) => kind === "lan")];
  const isOpen = said.some((place) => place.kind === "mapped" && familyOf(place) === 4);
  return {
    kind: isOpen ? "open" : nat,
    seen4: seen.find((place) => familyOf(place) === 4)?.host,
    hasIpv6: own.some((place) => familyOf(place) === 6 && isPublic(place.host)),
    lans: new Set(own.flatMap((place) => lanOf(place) ?? [])),
  };
}

function isPrivateOr6(place: HostPort): boolean {
  return familyOf(place) === 6 || reachOf(place.host) === 1;
}

/** The network of an address, in one spelling. */
function lanOf({ host }: HostPort): string | undefined {
  const address = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(host, address, 0)) return undefined;
  address.bytes.fill(0, host.includes(":") ? IPV6_LAN : IPV4_LAN);
  return formatAddress(address, 0);
}

/** How two peers reach each other: the same from both sides. */
export function judgePair(a: MeshFacts, b: MeshFacts): MeshMeans {
  const areNear = a.seen4 !== undefined && a.seen4 === b.seen4;
  if (sharesLan(a, b, areNear)) return "lan";
  if (a.hasIpv6 && b.hasIpv6) return "ipv6";
  if (isNowhere(a) || isNowhere(b)) return "unknown";
  // Who is seen over IPv6 alone has nothing in common with who is seen over IPv4 alone.
  if (a.seen4 === undefined || b.seen4 === undefined) return "relay";
  // Behind one address, it is up to the router whether what goes out comes back in.
  if (areNear) return "unknown";
  if (a.kind === "open" || b.kind === "open") return "direct";
  if (a.kind === "unknown" || b.kind === "unknown") return "unknown";
  const own = { nat: a.kind, isOpen: false, hasIpv4: true, hasIpv6: a.hasIpv6 };
  return meansTo(own, b.kind) ?? "unknown";
}

function isNowhere({ seen4, hasIpv6 }: MeshFacts): boolean {
  return seen4 === undefined && !hasIpv6;
}

/** A private network of that number may be another one elsewhere; an IPv6 one isn't. */
function sharesLan(a: MeshFacts, b: MeshFacts, areNear: boolean): boolean {
  for (const lan of a.lans) {
    if (b.lans.has(lan) && (areNear || isPublic(lan))) return true;
  }
  return false;
}

/** What a means comes to. */
export function classOf(means: MeshMeans): MeshClass {
  return CLASSES[means];
}

/**
 * Judges all pairs of a group: its cost grows with the square of its peers.
 *
 * @param relays Whether the registry relays.
 * @param most So many peers at most, those heard last.
 */
export function meshOf(group: GroupReport, relays: boolean, most: number = Infinity): MeshReport {
  const reports = group.peers.slice(0, most);
  const facts = reports.map(meshFacts);
  const kinds = { open: 0, easy: 0, sequential: 0, hard: 0, unknown: 0 };
  const pairs = { direct: 0, hard: 0, relay: 0, unknown: 0 };
  const rows: string[] = [];
  const relayed: (readonly [number, number])[] = [];
  for (const [i, own] of facts.entries()) {
    kinds[own.kind]++;
    let row = "";
    for (let j = 0; j < i; j++) {
      const word = classOf(judgePair(own, facts[j]!));
      pairs[word]++;
      row += word[0]!;
      if (word === "relay" && relayed.length < MOST_RELAYED) relayed.push([i, j]);
    }
    rows.push(row);
  }
  return {
    group: group.id,
    relays,
    peers: reports.map(({ publicKey, name }, i) => {
      return { publicKey, name, kind: facts[i]!.kind, ipv6: facts[i]!.hasIpv6 };
    }),
    more: group.count - reports.length,
    kinds,
    pairs,
    rows: reports.length <= MOST_IN_ROWS ? rows : null,
    relayed,
    moreRelayed: pairs.relay - relayed.length,
  };
}
