/**
 * The interface of a lease client: what it lacks, and the addresses and routes that a lease brings.
 *
 * @module
 */

import { explain } from "../../../host/error.ts";
import type { Files } from "../../../host/files.ts";
import type { Processes } from "../../../host/processes.ts";
import {
  addAddress,
  addRoute,
  anycastBy,
  type Link,
  readIpv6Routes,
  readLink,
  readOtherNetworks,
  removeAddress,
  removeRoute,
} from "../../../wireguard/addresses.ts";
import {
  COVERS_SERVER,
  isServer,
  LeaseBounds,
  SERVER_PREFIX,
} from "../../../core/lease/client/bounds.ts";
import type { Device } from "../../../core/net/device.ts";
import { HeldAddresses, type HeldPrefixes } from "./held_addresses.ts";
import { LEASE_SERVER_ADDRESS } from "../../../wire/lease/message.ts";
import type { SyncReport } from "../../log/sync_report.ts";

const OWN_LINK_LOCAL = /^(fe[89ab][0-9a-f]:.*)\/128$/i;

/** One interface. */
export class LeaseLink {
  readonly #host: Files & Processes;
  readonly #report: SyncReport;
  readonly #name: string;
  readonly #note: HeldAddresses;
  #noted = "";
  #index: number | undefined;
  /** What a lease brings. */
  #wanted: HeldPrefixes = { addresses: [], routes: [] };
  /** What was put on the interface because of one: nothing else is taken off it. */
  #addresses = new Set<string>();
  #routes = new Set<string>();
  /** Routes that were there before, or were added already. */
  #tried = new Set<string>();

  /** @param name Of the interface. */
  constructor(host: Files & Processes, report: SyncReport, name: string) {
    this.#host = host;
    this.#report = report;
    this.#name = name;
    this.#note = new HeldAddresses(host, name);
  }

  /** Takes over what an earlier run has left; returns the addresses of its lease. */
  async takeOver(): Promise<readonly string[]> {
    const { addresses, routes } = await this.#note.read();
    this.#addresses = new Set(addresses);
    this.#routes = new Set(routes);
    this.#tried = new Set();
    return addresses;
  }

  /** Says what a lease brings; {@linkcode bringAbout} sees to it. */
  want(wanted: Partial<HeldPrefixes>): void {
    this.#wanted = { ...this.#wanted, ...wanted };
  }

  /** Whether a lease brings an address. */
  wants(address: string): boolean {
    return this.#wanted.addresses.includes(address);
  }

  /** Reads the interface; returns also whether it was made anew since it was last read. */
  async read(): Promise<Link & { readonly isNew: boolean }> {
    const link = await readLink(this.#host, this.#name);
    const isNew = this.#index !== undefined && link.index !== this.#index;
    if (isNew) this.#tried = new Set();
    this.#index = link.index;
    return { ...link, isNew };
  }

  /** Where what a lease brings may lie. */
  async bounds(device: Device): Promise<LeaseBounds> {
    return new LeaseBounds(device, await readOtherNetworks(this.#host, this.#name));
  }

  /** What is missing on the interface, in words, or undefined. */
  async missing({ addresses }: Link, device: Device): Promise<string | undefined> {
    const name = this.#name;
    const own = ownAddresses(addresses);
    if (own.length === 0) {
      return `${name} has no link-local address of its own; add the one that the server knows for ` +
        `this peer: ip -6 addr add fe80::…/128 dev ${name}`;
    }
    if (own.length > 1) {
      const [kept, ...others] = own;
      const commands = others.map((each) => `ip -6 addr del ${each}/128 dev ${name}`).join(" && ");
      return `${name} has ${own.length} link-local addresses; leave only the one that the server ` +
        `knows for this peer; where that is ${kept}: ${commands}`;
    }
    const shadows = await anycastBy(this.#host, name, LEASE_SERVER_ADDRESS, addresses);
    if (shadows.length > 0) {
      const commands = shadows.map((each) => `ip -6 addr del ${each} dev ${name}`).join(" && ");
      return `${LEASE_SERVER_ADDRESS} is this host's own anycast address; remove what makes it ` +
        `one: ${commands}`;
    }
    const { peers } = device;
    if (!peers.some(isServer)) {
      // What is set replaces what was there.
      const command = (key: string, allowedIps: readonly string[]) =>
        `wg set ${name} peer ${key} allowed-ips ${[...allowedIps, SERVER_PREFIX].join(",")}`;
      const [only, ...more] = peers;
      return `no peer of ${name} has ${SERVER_PREFIX} in its AllowedIPs; add it to the server's: ` +
        (only === undefined || more.length > 0
          ? command("KEY", ["…"])
          : command(only.publicKey, only.allowedIps));
    }
    const routes = await readIpv6Routes(this.#host, name);
    if (routes.some((route) => COVERS_SERVER.has(route))) return undefined;
    return `there is no route to the server; add it: ip -6 route add ${SERVER_PREFIX} dev ${name}`;
  }

  /**
   * Puts on the interface what a lease brings, also where it has been lost since, and takes off what
   * no lease brings any more.
   *
   * @throws {UserError} Where something can't be done. Called again, it does the rest.
   */
  async bringAbout({ addresses }: Link): Promise<void> {
    const host = this.#host;
    const name = this.#name;
    const wanted = this.#wanted;
    for (const route of this.#routes) {
      if (wanted.routes.includes(route)) continue;
      await removeRoute(host, name, route);
      this.#routes.delete(route);
      this.#tried.delete(route);
    }
    const missing = wanted.addresses.filter((address) => !addresses.includes(address));
    // A run that is killed right now is to find them.
    for (const address of missing) this.#addresses.add(address);
    await this.#writeNote();
    for (const address of missing) await addAddress(host, name, address);
    for (const address of this.#addresses) {
      if (wanted.addresses.includes(address)) continue;
      if (addresses.includes(address)) await removeAddress(host, name, address);
      this.#addresses.delete(address);
    }
    if (missing.length > 0) this.#tried = new Set();
    for (const route of wanted.routes) {
      if (this.#tried.has(route)) continue;
      if (await addRoute(host, name, route)) this.#routes.add(route);
      this.#tried.add(route);
    }
    await this.#writeNote();
  }

  async #writeNote(): Promise<void> {
    const note = { addresses: [...this.#addresses], routes: [...this.#routes] };
    const text = JSON.stringify(note);
    if (text === this.#noted) return;
    try {
      await this.#note.write(note);
      this.#noted = text;
    } catch (error) {
      const hint = "after a restart, other addresses are asked for";
      this.#report.once("warn", "lease-not-noted", { why: explain(error), hint });
    }
  }
}

/** The link-local addresses that are this host's alone. */
export function ownAddresses(addresses: readonly string[]): string[] {
  return addresses.flatMap((each) => OWN_LINK_LOCAL.exec(each)?.[1] ?? [])
    .filter((address) => address !== LEASE_SERVER_ADDRESS);
}
