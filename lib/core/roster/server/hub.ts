/**
 * The peer through which one is reached that can't speak wgsig: it has to be where a stranger reaches
 * it, since that one knows nothing of where others are.
 *
 * @module
 */

import { formatHostPort, type HostPort, parseHostPort } from "../../net/host_port.ts";
import { isPublic } from "../../net/reach.ts";
import { UserError } from "../../settings/user_error.ts";
import type { RosterEntry } from "./roster.ts";

/** What a registry knows of where a peer is. */
export interface SeenPeer {
  /** Seconds since it was heard. */
  readonly age: number;
  /** Where the registry sees it: `IP:PORT`. */
  readonly endpoints: readonly string[];
  /** Where it says that it can be reached besides; of a port that is declared nobody knows more. */
  readonly places: readonly { readonly kind: string; readonly endpoint: string }[];
  /** How it says that its NAT maps WireGuard's port: `unknown`, `easy`, `sequential`, `hard`. */
  readonly nat: string;
}

/** A peer that could be a hub, and what is known of where it is. */
export interface HubCandidate {
  readonly entry: RosterEntry;
  readonly seen: SeenPeer | undefined;
}

/** What was chosen. */
export interface Hub {
  readonly entry: RosterEntry;
  /** Where it is reached: `HOST:PORT`. */
  readonly endpoint: string;
  /** Why this one, in words. */
  readonly why: string;
}

/** What is asked for. */
export interface HubWish {
  /** The peer's name. */
  readonly via: string | undefined;
  /** Where it is reached. */
  readonly endpoint: string | undefined;
  /** Where this host is reached: that is where peers on it are that the registry sees by another way. */
  readonly publicAddress: HostPort | undefined;
}

/** Where a peer is, and how sure it is that strangers reach it there. */
interface Place {
  readonly endpoint: string;
  readonly why: string;
  readonly isSure: boolean;
}

const NO_STRANGERS = new Set(["sequential", "hard"]);

/**
 * Chooses one.
 *
 * @throws {UserError} None can be, or several: a line that says which, and what to do.
 */
export function chooseHub(
  group: number,
  candidates: readonly HubCandidate[],
  wish: HubWish,
): Hub {
  const able = candidates.filter(({ entry }) => entry.via === undefined);
  if (wish.via !== undefined) return namedHub(candidates, wish.via, wish);
  if (able.length === 0) {
    throw new UserError(
      `the roster of group ${group} has no peer that a phone could be reached through: let the hub ` +
        "join first (wgsig invite hub), or add it (wgsig registry add hub KEY --allowed-ips ADDRESS)",
    );
  }
  const [only] = able;
  if (wish.endpoint !== undefined) {
    if (able.length > 1 || only === undefined) throw several(able);
    return { entry: only.entry, endpoint: wish.endpoint, why: "as --endpoint says" };
  }
  const placed = able.flatMap(({ entry, seen }) => {
    const place = seen && placeOf(seen, wish.publicAddress);
    return place === undefined ? [] : [{ entry, ...place }];
  });
  const sure = placed.filter(({ isSure }) => isSure);
  const best = sure.length > 0 ? sure : placed;
  const [hub] = best;
  if (hub === undefined) {
    const names = able.map(({ entry }) => entry.name).join(", ");
    throw new UserError(
      `a phone reaches no peer of group ${group} by itself (${names}: not registered, or behind a ` +
        "NAT that lets no strangers in); forward a port to one, and name both: --via NAME " +
        "--endpoint HOST:PORT",
    );
  }
  if (best.length > 1) throw several(best);
  return hub;
}

function namedHub(candidates: readonly HubCandidate[], name: string, wish: HubWish): Hub {
  const found = candidates.find(({ entry }) => entry.name === name);
  if (found === undefined) {
    throw new UserError(
      `the roster has no peer ${name} to reach a phone through; see: wgsig registry list`,
    );
  }
  const { entry, seen } = found;
  if (entry.via !== undefined) {
    throw new UserError(`${name} is reached through another peer itself; name that one`);
  }
  if (wish.endpoint !== undefined) {
    return { entry, endpoint: wish.endpoint, why: "as --endpoint says" };
  }
  const place = seen && placeOf(seen, wish.publicAddress, true);
  if (place !== undefined) return { entry, endpoint: place.endpoint, why: place.why };
  throw new UserError(
    `it is not known where strangers reach ${name}: ` +
      (seen === undefined ? "it is not registered" : "the registry sees it in its own network") +
      "; say it: --endpoint HOST:PORT",
  );
}

/** @param isNamed Whether it was asked for this peer: it is said then what may be in the way. */
function placeOf(
  { endpoints, places, nat }: SeenPeer,
  publicAddress: HostPort | undefined,
  isNamed = false,
): Place | undefined {
  // A phone has IPv4 wherever it is.
  const seen = endpoints.toSorted((a, b) => Number(a.startsWith("[")) - Number(b.startsWith("[")));
  const open = seen.find((each) => isOpen(each));
  const openOf = (wanted: string) =>
    places.find(({ kind, endpoint }) => kind === wanted && isOpen(endpoint))?.endpoint;
  const mapped = openOf("mapped");
  if (mapped !== undefined) {
    return { endpoint: mapped, why: "its router forwards that port to it", isSure: true };
  }
  if (open === undefined) {
    const port = seen.map((each) => parseHostPort(each)?.port).find((each) => each !== undefined);
    if (port === undefined || publicAddress === undefined) return undefined;
    const endpoint = formatHostPort({ host: publicAddress.host, port });
    return {
      endpoint,
      why: "it is seen in the network of this host, which is there",
      isSure: false,
    };
  }
  if (places.some(({ kind, endpoint }) => kind === "lan" && hostOf(endpoint) === hostOf(open))) {
    return { endpoint: open, why: "it has that address itself, without a NAT", isSure: true };
  }
  if (hostOf(open) === publicAddress?.host) {
    return { endpoint: open, why: "it is on this host, which strangers reach", isSure: true };
  }
  const why =
    "the registry sees it there; if it is behind a NAT, its router has to forward that port";
  if (!NO_STRANGERS.has(nat)) return { endpoint: open, why, isSure: false };
  if (!isNamed) return undefined;
  // The port that is seen is for the registry alone: who forwards one by hand forwards WireGuard's own.
  const declared = openOf("declared");
  return declared === undefined ? { endpoint: open, why, isSure: false } : {
    endpoint: declared,
    why: `its NAT is ${nat}, so its router has to forward that port to it`,
    isSure: false,
  };
}

function isOpen(endpoint: string): boolean {
  return isPublic(hostOf(endpoint));
}

function hostOf(endpoint: string): string {
  return parseHostPort(endpoint)?.host ?? "";
}

function several(
  able: readonly { readonly entry: Pick<RosterEntry, "name" | "key"> }[],
): UserError {
  const names = able.map(({ entry }) => `--via ${entry.name}`).join(", or ");
  return new UserError(
    `several peers could be the one to reach a phone through; say which, of those without a NAT or ` +
      `with a port that their router forwards: ${names}`,
  );
}
