/**
 * The WireGuard device through which addresses are leased: who its peers are, and what the admin
 * gave them.
 *
 * @module
 */

import type { LeaseBook, LeaseChange } from "../core/lease_book.ts";
import type { Host } from "../host/host.ts";
import { addAddress, addRoute, readAddresses, readIpv6Routes } from "../wireguard/addresses.ts";
import { readDevice, setPeer } from "../wireguard/device.ts";
import type { Device } from "../wireguard/dump.ts";

/** The server's address in the tunnel. */
export const LEASE_SERVER_ADDRESS = "fe80::";
const SERVER_PREFIX = `${LEASE_SERVER_ADDRESS}/128`;
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/i;
const HOST_PREFIX = /\/128$/;
/** Seconds for which what was read counts as new. */
const FRESH = 1;
/** Routes that reach every link-local address. */
const WHOLE_LINK = new Set(["fe80::/64", "fe80::/10", "::/0"]);

/** One device. */
export class LeaseDevice {
  readonly #host: Host;
  readonly #name: string;
  #device: Device | undefined;
  #readAt = -Infinity;
  /** By link-local address: the peer that has it, or undefined where several do. */
  #byAddress = new Map<string, string | undefined>();

  constructor(host: Host, name: string) {
    this.#host = host;
    this.#name = name;
  }

  /** Reads it; returns whether it is there. */
  async read(): Promise<boolean> {
    this.#device = await readDevice(this.#host, this.#name);
    this.#readAt = this.#host.mono() / 1000;
    this.#byAddress = new Map();
    for (const { publicKey, allowedIps } of this.peers) {
      for (const prefix of allowedIps) {
        if (!LINK_LOCAL.test(prefix) || !HOST_PREFIX.test(prefix)) continue;
        const address = prefix.replace(HOST_PREFIX, "");
        this.#byAddress.set(address, this.#byAddress.has(address) ? undefined : publicKey);
      }
    }
    return this.#device !== undefined;
  }

  /** The same, once a second at most. @param mono In seconds. */
  async renew(mono: number): Promise<void> {
    if (mono - this.#readAt > FRESH) await this.read();
  }

  /** The public key of the only peer with this whole link-local address, or undefined. */
  peerAt(address: string): string | undefined {
    return this.#byAddress.get(address);
  }

  /** What is not to be leased: the AllowedIPs that no lease has brought. */
  staticPrefixes(book: LeaseBook): string[] {
    return this.peers.flatMap(({ publicKey, allowedIps }) => {
      const leased = book.addressesOf(publicKey);
      return allowedIps.filter((prefix) => !leased.includes(prefix) && !isWhole(prefix));
    });
  }

  /** Its peers, as they were read last. */
  get peers(): Device["peers"] {
    return this.#device?.peers ?? [];
  }

  /**
   * Brings a peer's AllowedIPs in line with what it holds, and leaves what else it has.
   *
   * @returns Whether the peer is there.
   */
  async apply({ publicKey, addresses, gone }: LeaseChange): Promise<boolean> {
    // Between this and the change, only the admin's own hand could come.
    await this.read();
    const peer = this.peers.find((each) => each.publicKey === publicKey);
    if (peer === undefined) return false;
    const kept = peer.allowedIps.filter((prefix) => !gone.includes(prefix));
    const wanted = [...new Set([...kept, ...addresses])];
    const same = wanted.length === peer.allowedIps.length &&
      wanted.every((prefix) => peer.allowedIps.includes(prefix));
    if (!same) await setPeer(this.#host, this.#name, publicKey, { allowedIps: wanted });
    return true;
  }

  /** The commands that are missing before clients can reach the server. */
  async missing(): Promise<readonly MissingSetup[]> {
    const host = this.#host;
    const name = this.#name;
    const addresses = await readAddresses(host, name);
    const routes = await readIpv6Routes(host, name);
    const missing: MissingSetup[] = [];
    if (!addresses.includes(SERVER_PREFIX)) {
      missing.push({
        command: `ip -6 addr add ${SERVER_PREFIX} dev ${name}`,
        run: () => addAddress(host, name, SERVER_PREFIX),
      });
    }
    if (routes.some((route) => WHOLE_LINK.has(route))) return missing;
    const clients = this.peers.flatMap(({ allowedIps }) => allowedIps)
      .filter((prefix) => LINK_LOCAL.test(prefix) && HOST_PREFIX.test(prefix));
    for (const client of clients) {
      if (routes.includes(client)) continue;
      missing.push({
        command: `ip -6 route add ${client} dev ${name}`,
        run: () => addRoute(host, name, client),
      });
    }
    return missing;
  }
}

/** Something that must be done before leases work. */
export interface MissingSetup {
  readonly command: string;
  /** Does it. */
  run(): Promise<void>;
}

/** Whether a prefix is of everything: then it reserves nothing. */
function isWhole(prefix: string): boolean {
  return prefix.endsWith("/0");
}
