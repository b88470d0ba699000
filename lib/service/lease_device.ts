/**
 * The WireGuard device through which addresses are leased: who its peers are, and what the admin
 * gave them.
 *
 * @module
 */

import { type AddressPrefix, linkLocalIdentity, parseLeasePrefix } from "../core/lease_address.ts";
import type { LeaseBook, LeaseChange } from "../core/lease_book.ts";
import type { Host } from "../host/host.ts";
import {
  addAddress,
  addRoute,
  anycastBy,
  type Link,
  readIpv6Routes,
  removeAddress,
} from "../wireguard/addresses.ts";
import { readDevice, setPeer } from "../wireguard/device.ts";
import type { Device, DevicePeer } from "../wireguard/dump.ts";

/** The server's address in the tunnel. */
export const LEASE_SERVER_ADDRESS = "fe80::";
const SERVER_PREFIX = `${LEASE_SERVER_ADDRESS}/128`;
/** Seconds for which what was read counts as new. */
const FRESH = 1;
/** Routes that reach every link-local address. */
const WHOLE_LINK: ReadonlySet<string> = new Set(["fe80::/64", "fe80::/10", "::/0"]);
/** Where more clients than so many lack a route, one for all of them is simpler. */
const MANY_ROUTES = 16;
const LINK_ROUTE = "fe80::/10";

/** What became of a change: it was made, or who was to be changed is not there. */
export type LeaseApplied = "done" | "no-peer" | "no-device";

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
  readonly #host: Host;
  readonly #name: string;
  #device: Device | undefined;
  #readAt = -Infinity;
  #peers = new Map<string, DevicePeer>();
  /** By link-local address: the peer that has it, or undefined where several do. */
  #byAddress = new Map<string, string | undefined>();

  /** @param name Of the interface. */
  constructor(host: Host, name: string) {
    this.#host = host;
    this.#name = name;
  }

  /** Reads it; returns whether it is there. */
  async read(): Promise<boolean> {
    this.#device = undefined;
    this.#device = await readDevice(this.#host, this.#name);
    this.#readAt = this.#mono();
    this.#peers = new Map((this.#device?.peers ?? []).map((peer) => [peer.publicKey, peer]));
    this.#byAddress = new Map();
    for (const { publicKey, allowedIps } of this.peers) {
      for (const address of identities(allowedIps)) {
        this.#byAddress.set(address, this.#byAddress.has(address) ? undefined : publicKey);
      }
    }
    return this.#device !== undefined;
  }

  /** The public key of the only peer with this whole link-local address, as it is now. */
  async peerAt(address: string): Promise<string | undefined> {
    // Read once a second at most.
    if (this.#mono() - this.#readAt > FRESH) await this.read();
    return this.#byAddress.get(linkLocalIdentity(address) ?? "");
  }

  /** Whether there is such a peer, as far as is known. */
  hasPeer(publicKey: string): boolean {
    return this.#peers.has(publicKey);
  }

  /** Whether a peer has these AllowedIPs, as far as is known. */
  has(publicKey: string, addresses: readonly string[]): boolean {
    const allowedIps = this.#peers.get(publicKey)?.allowedIps ?? [];
    return addresses.every((each) => allowedIps.includes(each));
  }

  /**
   * What is not to be leased: the AllowedIPs that no lease has brought. One that holds a whole pool
   * is the way to all the rest, and reserves nothing.
   *
   * @param leftOver By public key: what leases have brought, and is yet to be taken off.
   */
  staticPrefixes(
    book: LeaseBook,
    pools: readonly string[],
    leftOver: ReadonlyMap<string, ReadonlySet<string>>,
  ): string[] {
    const whole = pools.map(parseLeasePrefix);
    return this.peers.flatMap(({ publicKey, allowedIps }) => {
      const leased = new Set([...book.addressesOf(publicKey), ...leftOver.get(publicKey) ?? []]);
      return allowedIps.filter((prefix) => !leased.has(prefix) && !holdsAny(prefix, whole));
    });
  }

  /** Its peers, as they were read last. */
  get peers(): readonly DevicePeer[] {
    return [...this.#peers.values()];
  }

  /** Its public key, or undefined where it has none. */
  get publicKey(): string | undefined {
    return this.#device?.publicKey;
  }

  /** Brings a peer's AllowedIPs in line with what it holds, and leaves what else it has. */
  async apply({ publicKey, addresses, gone }: LeaseChange): Promise<LeaseApplied> {
    // Between this and the change, only the admin's own hand could come.
    if (!await this.read()) return "no-device";
    const peer = this.#peers.get(publicKey);
    if (peer === undefined) return "no-peer";
    const kept = peer.allowedIps.filter((prefix) => !gone.includes(prefix));
    const allowedIps = [...new Set([...kept, ...addresses])];
    const same = allowedIps.length === peer.allowedIps.length &&
      allowedIps.every((prefix) => peer.allowedIps.includes(prefix));
    if (same) return "done";
    await setPeer(this.#host, this.#name, publicKey, { allowedIps });
    // WireGuard has taken them from whoever had them.
    for (const [key, other] of this.#peers) {
      const left = other.allowedIps.filter((prefix) => !addresses.includes(prefix));
      if (left.length < other.allowedIps.length) {
        this.#peers.set(key, { ...other, allowedIps: left });
      }
    }
    this.#peers.set(publicKey, { ...peer, allowedIps });
    return "done";
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
    const routes = new Set(await readIpv6Routes(host, name));
    // It goes with the address.
    if (shadows.length > 0) routes.delete("fe80::/64");
    for (const route of WHOLE_LINK) {
      if (routes.has(route)) return missing;
    }
    const unreached = [...this.#byAddress.keys()].map((address) => `${address}/128`)
      .filter((client) => !routes.has(client));
    for (const route of unreached.length > MANY_ROUTES ? [LINK_ROUTE] : unreached.toSorted()) {
      missing.push({
        command: `ip -6 route add ${route} dev ${name}`,
        needed: false,
        run: () => addRoute(host, name, route),
      });
    }
    return missing;
  }

  #mono(): number {
    return this.#host.mono() / 1000;
  }
}

/** Whether an address of an interface is the server's, with whatever prefix length. */
function isServerAddress(address: string): boolean {
  return address.startsWith(`${LEASE_SERVER_ADDRESS}/`);
}

/** The link-local addresses of a peer that are its alone. */
function identities(allowedIps: readonly string[]): string[] {
  return allowedIps.filter((prefix) => prefix.endsWith("/128"))
    .flatMap((prefix) => linkLocalIdentity(prefix) ?? [])
    .filter((address) => address !== LEASE_SERVER_ADDRESS);
}

/** Whether one of the ranges lies in a prefix, which is of more than one address, as a whole. */
function holdsAny(text: string, ranges: readonly AddressPrefix[]): boolean {
  const { family, first, last } = parseLeasePrefix(text);
  return first < last &&
    ranges.some((range) => range.family === family && first <= range.first && range.last <= last);
}
