/**
 * The addresses of a server while it is being asked, and what came of asking each.
 *
 * @module
 */

import { equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { DatagramBatch } from "../net/datagram_batch.ts";
import { type Family, familyOf, type HostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, isIpv4, parseAddress } from "../net/ip_address.ts";

/** The addresses of one server. */
export class ServerAddresses {
  /** IPv4 first. */
  readonly all: readonly HostPort[];
  readonly #ports: Set<number>;
  readonly #binary: readonly WireBuffer[];
  /** By address: what the system said when it could not be asked (`ENETUNREACH`, `EPERM`, …). */
  readonly #problems = new Map<string, string>();

  /** @param hosts IP addresses; what is none is left out. */
  constructor(hosts: readonly string[], port: number) {
    const read = hosts.flatMap((host) => {
      const binary = new WireBuffer(ADDRESS_SIZE);
      return parseAddress(host, binary, 0) ? [{ host, binary }] : [];
    });
    const ipv4 = read.filter(({ binary }) => isIpv4(binary, 0));
    const sorted = [...ipv4, ...read.filter(({ binary }) => !isIpv4(binary, 0))];
    this.all = sorted.map(({ host }) => ({ host, port }));
    this.#binary = sorted.map(({ binary }) => binary);
    this.#ports = new Set([port]);
  }

  /** The families that it has, IPv4 first. */
  get families(): readonly Family[] {
    return ([4, 6] as const).filter((family) =>
      this.all.some(({ host }) => familyOf({ host }) === family)
    );
  }

  /** Whether the system can send to an address of a family, as far as it has said. */
  works(family: Family): boolean {
    return this.all.some(({ host }) => familyOf({ host }) === family && !this.#problems.has(host));
  }

  /**
   * The address to ask at an attempt: each in turn. One that the system can't send to comes into
   * question only where there is no other.
   *
   * @param family Which addresses come into question, if there are any of them.
   * @param port Where it isn't the one that the server is named with.
   */
  at(attempt: number, family?: Family, port?: number): HostPort {
    const works = this.all.filter(({ host }) => !this.#problems.has(host));
    const some = works.length > 0 ? works : this.all;
    const meant = family === undefined
      ? []
      : some.filter(({ host }) => familyOf({ host }) === family);
    const usable = meant.length > 0 ? meant : some;
    const address = usable[attempt % usable.length]!;
    return port === undefined ? address : { ...address, port };
  }

  /** Notes what the system said of one of them. */
  noteProblem(host: string, code: string): void {
    this.#problems.set(host, code);
  }

  /** What the system said, where it said so of all of them; else undefined. */
  get problem(): string | undefined {
    const codes = this.all.map(({ host }) => this.#problems.get(host));
    return codes.includes(undefined) ? undefined : codes[0];
  }

  /** It is asked at another port as well, and answers from there. */
  accept(port: number): void {
    this.#ports.add(port);
  }

  /** The address that datagram `i` comes from, if it is one of these; with the port of its name. */
  senderOf(batch: DatagramBatch, i: number): HostPort | undefined {
    if (!this.#ports.has(batch.sourcePort(i))) return undefined;
    return this.all[
      this.#binary.findIndex((address) =>
        equalBytes(address, 0, batch.sources, batch.sourceAt(i), ADDRESS_SIZE)
      )
    ];
  }
}
