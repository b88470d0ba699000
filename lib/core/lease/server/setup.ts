/**
 * What an interface needs before lease clients can reach the server.
 *
 * @module
 */

import { LEASE_SERVER_ADDRESS } from "../../../wire/lease/message.ts";
import type { PeerIndex } from "./peer_index.ts";

const SERVER_PREFIX = `${LEASE_SERVER_ADDRESS}/128`;
/** Routes that reach every link-local address. */
const WHOLE_LINK: ReadonlySet<string> = new Set(["fe80::/64", "fe80::/10", "::/0"]);
/** Where more clients than so many lack a route, one for all of them is simpler. */
const MANY_ROUTES = 16;
const LINK_ROUTE = "fe80::/10";
/** It comes and goes with the address. */
const SHADOW_ROUTE = "fe80::/64";

/** Something that must be done before leases work. */
export interface LeaseSetup {
  readonly what: "add-address" | "remove-address" | "add-route";
  readonly prefix: string;
  /** The same as a shell takes it. */
  readonly command: string;
  /** Whether nobody can be served without it; else some clients can. */
  readonly needed: boolean;
}

/** What an interface has. */
export interface LeaseLink {
  /** With their prefix lengths. */
  readonly addresses: readonly string[];
  /** The prefixes of its IPv6 routes. */
  readonly routes: readonly string[];
  /** Those of its addresses that make the server's own an anycast one. */
  readonly shadows: readonly string[];
}

/** Finds out what an interface lacks. */
export class SetupCheck {
  readonly #name: string;
  readonly #peers: PeerIndex;
  /** Routes that clients lack, and what that was found out from. */
  #unreached: { readonly from: string; readonly routes: readonly string[] } | undefined;

  /** @param name Of the interface. @param peers Its peers. */
  constructor(name: string, peers: PeerIndex) {
    this.#name = name;
    this.#peers = peers;
  }

  /** What is missing before clients can reach the server, in the order in which it is to be done. */
  missing({ addresses, routes, shadows }: LeaseLink): readonly LeaseSetup[] {
    const missing: LeaseSetup[] = [];
    // The /64 that wireguard-go gives itself does that where IPv6 is forwarded.
    for (const address of shadows) missing.push(this.#address("remove-address", address));
    const isThere = addresses.some(isServerAddress);
    // What was shadowed has to be added anew.
    if (isThere && shadows.length > 0 && !shadows.some(isServerAddress)) {
      missing.push(this.#address("remove-address", SERVER_PREFIX));
    }
    if (!isThere || shadows.length > 0) missing.push(this.#address("add-address", SERVER_PREFIX));
    for (const route of this.#missingRoutes(routes, shadows.length > 0 ? SHADOW_ROUTE : "")) {
      const command = `ip -6 route add ${route} dev ${this.#name}`;
      missing.push({ what: "add-route", prefix: route, command, needed: false });
    }
    return missing;
  }

  #address(what: "add-address" | "remove-address", prefix: string): LeaseSetup {
    const verb = what === "add-address" ? "add" : "del";
    const command = `ip -6 addr ${verb} ${prefix} dev ${this.#name}`;
    return { what, prefix, command, needed: true };
  }

  /**
   * Routes that are not there, and needed. What was found out holds as long as nothing changes.
   *
   * @param but One that will be gone.
   */
  #missingRoutes(present: readonly string[], but: string): readonly string[] {
    const from = `${this.#peers.identities} ${but} ${present.join(" ")}`;
    if (this.#unreached?.from === from) return this.#unreached.routes;
    const there = new Set(present);
    there.delete(but);
    let routes: string[] = [];
    if (![...WHOLE_LINK].some((route) => there.has(route))) {
      for (const address of this.#peers.addresses) {
        if (!there.has(`${address}/128`)) routes.push(`${address}/128`);
      }
      routes = routes.length > MANY_ROUTES ? [LINK_ROUTE] : routes.toSorted();
    }
    this.#unreached = { from, routes };
    return routes;
  }
}

/** Whether an address of an interface is the server's, with whatever prefix length. */
function isServerAddress(address: string): boolean {
  return address.startsWith(`${LEASE_SERVER_ADDRESS}/`);
}
