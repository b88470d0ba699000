/**
 * What a client takes of what a lease server says. WireGuard tells who the server is, and the
 * interface's AllowedIPs what the admin lets it have: a server must not make this host take the
 * address of its gateway, nor send what is none of the server's into the tunnel.
 *
 * @module
 */

import { LEASE_SERVER_ADDRESS } from "../../../wire/lease/message.ts";
import type { Device, DevicePeer } from "../../net/device.ts";
import {
  type AddressPrefix,
  type Family,
  formatLeaseCidr,
  type LeaseAddress,
  parseLeasePrefix,
} from "../address.ts";
import type { LeaseReply } from "./reply.ts";

/** What a lease server's peer has in its AllowedIPs. */
export const SERVER_PREFIX: string = `${LEASE_SERVER_ADDRESS}/128`;
/** Prefixes of AllowedIPs and of routes in which the server's address lies. */
export const COVERS_SERVER: ReadonlySet<string> = new Set([
  SERVER_PREFIX,
  "fe80::/64",
  "fe80::/10",
  "::/0",
]);

/** Whether the server is reached through a peer, as far as that peer's AllowedIPs say. */
export function isServer({ allowedIps }: Pick<DevicePeer, "allowedIps">): boolean {
  return allowedIps.some((each) => COVERS_SERVER.has(each));
}

/** Whether an interface has peers besides the server. */
export function hasOthers({ peers }: Device): boolean {
  return peers.some((peer) => !isServer(peer));
}

/** Where addresses and routes of a lease may lie. */
export class LeaseBounds {
  readonly #inside: readonly AddressPrefix[];
  readonly #outside: readonly AddressPrefix[];
  /** What a route through the tunnel would cut the tunnel off from. */
  readonly #endpoints: readonly AddressPrefix[];

  /**
   * Looks at an interface.
   *
   * @param others The networks of this host's other interfaces, as prefixes.
   */
  constructor({ peers, mark }: Pick<Device, "peers" | "mark">, others: readonly string[]) {
    const endpoints = peers.flatMap(({ endpoint }) => prefixesOf([endpoint?.host ?? ""]));
    // WireGuard takes the peer with the longest prefix.
    const prefix = [...COVERS_SERVER].find((each) =>
      peers.some(({ allowedIps }) => allowedIps.includes(each))
    );
    const server = peers.find(({ allowedIps }) => allowedIps.some((each) => each === prefix));
    this.#inside = prefixesOf(server?.allowedIps ?? []);
    this.#outside = [...prefixesOf(others), ...endpoints];
    // With a mark, WireGuard's own datagrams go another way.
    this.#endpoints = mark === 0 ? endpoints : [];
  }

  /** Whether this host may have the address. */
  takesAddress({ family, value }: LeaseAddress): boolean {
    const address = { family, first: value, last: value };
    return isIn(this.#inside, address) && !isIn(this.#outside, address);
  }

  /** Whether a prefix may be sent into the tunnel. */
  takesRoute(route: string): boolean {
    const [prefix] = prefixesOf([route]);
    return prefix !== undefined && isIn(this.#inside, prefix) && !isIn(this.#outside, prefix) &&
      !this.#endpoints.some((each) => isIn([prefix], each));
  }
}

/** What says what is taken. */
export type Bounds = Pick<LeaseBounds, "takesAddress" | "takesRoute">;

/** A reply, parted. */
export interface SiftedReply {
  /** The addresses that are taken. */
  readonly granted: ReadonlyMap<Family, bigint>;
  /** The routes that are taken. */
  readonly routes: readonly string[];
  /** What else the server named, as prefixes. */
  readonly notTaken: readonly string[];
}

/**
 * Takes of a reply what this host may have.
 *
 * @param wantsRoutes Whether it is told which routes are not taken.
 * @param bounds Everything is taken where this is left out.
 */
export function siftReply(
  reply: Pick<LeaseReply, "ipv4" | "ipv6" | "routes">,
  wantsRoutes: boolean,
  bounds: Bounds | undefined,
): SiftedReply {
  const granted = new Map<Family, bigint>();
  const notTaken: string[] = [];
  for (const [family, value] of [[4, reply.ipv4], [6, reply.ipv6]] as const) {
    if (value === undefined) continue;
    const address = { family, value };
    if (bounds?.takesAddress(address) === false) notTaken.push(formatLeaseCidr(address));
    else granted.set(family, value);
  }
  const routes: string[] = [];
  for (const route of reply.routes) {
    if (bounds?.takesRoute(route) !== false) routes.push(route);
    else if (wantsRoutes) notTaken.push(route);
  }
  return { granted, routes, notTaken };
}

type Range = Pick<AddressPrefix, "family" | "first" | "last">;

function isIn(prefixes: readonly Range[], { family, first, last }: Range): boolean {
  return prefixes.some((each) =>
    each.family === family && each.first <= first && last <= each.last
  );
}

/** What is no prefix is passed over. */
function prefixesOf(texts: readonly string[]): AddressPrefix[] {
  return texts.flatMap((text) => {
    try {
      return parseLeasePrefix(text);
    } catch {
      return [];
    }
  });
}
