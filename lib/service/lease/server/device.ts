/**
 * The WireGuard device through which addresses are leased: who its peers are, and what the admin
 * gave them.
 *
 * @module
 */

import { LEASE_SERVER_ADDRESS } from "../../../wire/lease/message.ts";
import type { LeaseChange } from "../../../core/lease/server/book.ts";
import type { Clock } from "../../../host/clock.ts";
import type { Processes } from "../../../host/processes.ts";
import {
  addAddress,
  addRoute,
  anycastBy,
  type Link,
  readIpv6Routes,
  removeAddress,
} from "../../../wireguard/addresses.ts";
import { readAllowedIps, readDump, setAllowedIps } from "../../../wireguard/device.ts";
import { PeerIndex } from "../../../core/lease/server/peer_index.ts";
import { TimeSlicer } from "../time_slicer.ts";

const SERVER_PREFIX = `${LEASE_SERVER_ADDRESS}/128`;
/** Seconds for which it is taken for sure who has no peer, and who has one. */
const FRESH = 1;
const KNOWN_FRESH = 3;
/** Routes that reach every link-local address. */
const WHOLE_LINK: ReadonlySet<string> = new Set(["fe80::/64", "fe80::/10", "::/0"]);
/** Where more clients than so many lack a route, one for all of them is simpler. */
const MANY_ROUTES = 16;
const LINK_ROUTE = "fe80::/10";

/** What became of a change: it was made, there was nothing to do, or who was to be changed is not there. */
export type LeaseApplied = "changed" | "same" | "no-peer" | "no-device";

/** Something that must be done before leases work. */
export interface MissingSetup {
  /** As a shell takes it. */
  readonly command: string;
  /** Whether nobody can be served without it; else some clients can. */
  readonly needed: boolean;
  /** Does it. */
  run(): Promise<unknown>;
}

/** One device. */
export class LeaseDevice {
  /** Its peers, as far as is known. */
  readonly peers: PeerIndex = new PeerIndex();
  readonly #host: Clock & Processes;
  readonly #name: string;
  #readAt = -Infinity;
  /** Routes that clients lack, and what that was found out from. */
  #unreached: { readonly from: string; readonly routes: readonly string[] } | undefined;

  /** @param name Of the interface. */
  constructor(host: Clock & Processes, name: string) {
    this.#host = host;
    this.#name = name;
  }

  /** Reads it; returns whether it is there. */
  async read(): Promise<boolean> {
    this.#readAt = -Infinity;
    const dump = await readDump(this.#host, this.#name);
    if (dump === undefined) this.peers.clear();
    else {
      const slicer = new TimeSlicer(this.#host);
      for (const _ of this.peers.update(dump)) if (slicer.isOver) await slicer.rest();
    }
    this.#readAt = this.#mono();
    return dump !== undefined;
  }

  /** Sees to it that it is known who is at these addresses. It reads once a second at most. */
  async meet(addresses: readonly string[]): Promise<void> {
    const age = this.#mono() - this.#readAt;
    const areKnown = addresses.every((address) => this.peers.at(address) !== undefined);
    if (age > (areKnown ? KNOWN_FRESH : FRESH)) await this.read();
  }

  /**
   * Brings peers' AllowedIPs in line with what they hold, and leaves what else they have.
   *
   * @returns By public key, what became of it.
   */
  async apply(changes: readonly LeaseChange[]): Promise<Map<string, LeaseApplied>> {
    const results = new Map<string, LeaseApplied>();
    if (changes.length === 0) return results;
    // Between this and the change, only the admin's own hand could come.
    const keys = new Set(changes.map(({ publicKey }) => publicKey));
    const current = await readAllowedIps(this.#host, this.#name, keys);
    if (current === undefined) this.peers.clear();
    const wanted = new Map<string, readonly string[]>();
    // Who loses something comes first.
    for (const change of changes.toSorted((a, b) => b.gone.length - a.gone.length)) {
      const { publicKey, addresses, gone } = change;
      const before = current?.get(publicKey);
      if (before === undefined) {
        if (current !== undefined) this.peers.remove(publicKey);
        results.set(publicKey, current === undefined ? "no-device" : "no-peer");
        continue;
      }
      this.peers.setAllowedIps(publicKey, before);
      const kept = before.filter((prefix) => !gone.includes(prefix));
      const allowedIps = [...new Set([...kept, ...addresses])];
      const same = allowedIps.length === before.length &&
        allowedIps.every((prefix) => before.includes(prefix));
      results.set(publicKey, same ? "same" : "changed");
      if (!same) wanted.set(publicKey, allowedIps);
    }
    await setAllowedIps(this.#host, this.#name, wanted);
    for (const [publicKey, allowedIps] of wanted) {
      this.peers.setAllowedIps(publicKey, allowedIps);
    }
    return results;
  }

  /** What is missing before clients can reach the server. */
  async missing({ addresses }: Link): Promise<readonly MissingSetup[]> {
    const host = this.#host;
    const name = this.#name;
    const missing: MissingSetup[] = [];
    const need = (what: "add" | "del", address: string) =>
      missing.push({
        command: `ip -6 addr ${what} ${address} dev ${name}`,
        needed: true,
        run: () => (what === "add" ? addAddress : removeAddress)(host, name, address),
      });
    // The /64 that wireguard-go gives itself does that where IPv6 is forwarded.
    const shadows = await anycastBy(host, name, LEASE_SERVER_ADDRESS, addresses);
    for (const address of shadows) need("del", address);
    const isThere = addresses.some(isServerAddress);
    // What was shadowed has to be added anew.
    if (isThere && shadows.length > 0 && !shadows.some(isServerAddress)) need("del", SERVER_PREFIX);
    if (!isThere || shadows.length > 0) need("add", SERVER_PREFIX);
    const routes = await readIpv6Routes(host, name);
    // It goes with the address.
    for (const route of this.#missingRoutes(routes, shadows.length > 0 ? "fe80::/64" : "")) {
      missing.push({
        command: `ip -6 route add ${route} dev ${name}`,
        needed: false,
        run: () => addRoute(host, name, route),
      });
    }
    return missing;
  }

  /** Routes that are not there, and needed. What was found out holds as long as nothing changes. */
  #missingRoutes(present: readonly string[], but: string): readonly string[] {
    const from = `${this.peers.identities} ${but} ${present.join(" ")}`;
    if (this.#unreached?.from === from) return this.#unreached.routes;
    const there = new Set(present);
    there.delete(but);
    let routes: string[] = [];
    if (![...WHOLE_LINK].some((route) => there.has(route))) {
      for (const address of this.peers.addresses) {
        if (!there.has(`${address}/128`)) routes.push(`${address}/128`);
      }
      routes = routes.length > MANY_ROUTES ? [LINK_ROUTE] : routes.toSorted();
    }
    this.#unreached = { from, routes };
    return routes;
  }

  #mono(): number {
    return this.#host.now().mono;
  }
}

/** Whether an address of an interface is the server's, with whatever prefix length. */
function isServerAddress(address: string): boolean {
  return address.startsWith(`${LEASE_SERVER_ADDRESS}/`);
}
