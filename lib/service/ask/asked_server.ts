/**
 * A server while it is being asked: its addresses, and how far its answer has come.
 *
 * @module
 */

import type { DatagramBatch } from "../../core/net/datagram_batch.ts";
import type { Exchange } from "../../core/ask/exchange.ts";
import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { ADDRESS_SIZE, formatAddress, isIpv4, parseAddress } from "../../core/net/ip_address.ts";
import type { RegistryStatus } from "../../core/query/query_result.ts";
import type { RegistryName } from "../../core/ask/server_name.ts";
import { equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** A server while it is being asked. */
export class AskedServer {
  /** The question. */
  readonly exchange: Exchange;
  /** Its addresses, IPv4 first; each attempt goes to the next. */
  readonly addresses: HostPort[] = [];
  readonly #binary: WireBuffer[] = [];
  /** An address that was not asked, from which datagrams came. */
  stranger: string | undefined;
  /** How often it was asked. */
  attempts = 0;
  /** Whether it answered with a wrong MAC, or for another group. */
  badMac = false;
  /** How often the system said that nothing listens on the port that was asked. */
  refused = 0;
  /** By address: what the system said when it could not be asked (`ENETUNREACH`, `EPERM`, …). */
  readonly #problems = new Map<string, string>();

  #answeredFrom: string | undefined;

  constructor(readonly name: RegistryName, exchange: Exchange) {
    this.exchange = exchange;
  }

  /** Adds one of its addresses, IPv4 before IPv6. */
  addAddress(host: string): void {
    const binary = new WireBuffer(ADDRESS_SIZE);
    if (!parseAddress(host, binary, 0)) return;
    const address = { host, port: this.name.port };
    if (isIpv4(binary, 0)) {
      const before = this.#binary.filter((each) => isIpv4(each, 0)).length;
      this.addresses.splice(before, 0, address);
      this.#binary.splice(before, 0, binary);
    } else {
      this.addresses.push(address);
      this.#binary.push(binary);
    }
  }

  /** Whether it has an IPv4 address: only over IPv4 can an endpoint be registered. */
  get hasIpv4(): boolean {
    return this.addresses.some(({ host }) => !host.includes(":"));
  }

  /**
   * The address to ask at an attempt: each in turn; to register, the IPv4 ones if there are any. One
   * that the system can't send to comes into question only where there is no other.
   */
  address(attempt: number, register: boolean): HostPort {
    const works = this.addresses.filter(({ host }) => !this.#problems.has(host));
    const some = works.length > 0 ? works : this.addresses;
    const ipv4 = some.filter(({ host }) => !host.includes(":"));
    const usable = register && ipv4.length > 0 ? ipv4 : some;
    return usable[attempt % usable.length]!;
  }

  /** Notes what the system said of one of its addresses. */
  noteProblem(host: string, code: string): void {
    this.#problems.set(host, code);
  }

  /** What the system said, where it said so of all of its addresses; else undefined. */
  get problem(): string | undefined {
    const codes = this.addresses.map(({ host }) => this.#problems.get(host));
    return codes.includes(undefined) ? undefined : codes[0];
  }

  /** Notes who answers from the port that was asked, but from another address. */
  noteStranger(batch: DatagramBatch, i: number): void {
    if (batch.sourcePort(i) !== this.name.port) return;
    const host = formatAddress(batch.sources, batch.sourceAt(i));
    this.stranger = formatHostPort({ host, port: this.name.port });
  }

  /** Whether datagram `i` comes from it. */
  sent(batch: DatagramBatch, i: number): boolean {
    return batch.sourcePort(i) === this.name.port && this.#indexOf(batch, i) >= 0;
  }

  /** Notes which of its addresses a part of the answer came from. */
  noteAnswer(batch: DatagramBatch, i: number): void {
    this.#answeredFrom = this.addresses[this.#indexOf(batch, i)]?.host;
  }

  /** The IP address that the answer came from last. */
  get answeredFrom(): string | undefined {
    return this.#answeredFrom;
  }

  #indexOf(batch: DatagramBatch, i: number): number {
    return this.#binary.findIndex((address) =>
      equalBytes(address, 0, batch.sources, batch.sourceAt(i), ADDRESS_SIZE)
    );
  }

  /** What became of it so far. */
  get status(): RegistryStatus {
    if (this.addresses.length === 0) return "not-found";
    if (this.exchange.isComplete) return "ok";
    if (this.exchange.received > 0) return "incomplete";
    return this.badMac ? "not-authenticated" : "no-answer";
  }
}
