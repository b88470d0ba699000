/**
 * At which other ports a registry is asked on the same address: clients that ask at two of them see
 * how their NAT maps. docs/protocol-2.md, ALSO.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { MAX_PORTS, newPorts, type PortList } from "../../wire/wgsig2/option.ts";
import type { HostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, isIpv4, isWildcard, parseAddress } from "../net/ip_address.ts";

/** The ports of a registry's sockets. */
export class OtherPorts {
  #lists: ReadonlyMap<number, PortList> = new Map();

  /** Takes over where each socket listens: an IP address (a wildcard has its family) and its port. */
  configure(sockets: ReadonlyMap<number, HostPort>): void {
    const portsOf = new Map<string, number[]>();
    for (const { host, port } of sockets.values()) {
      const ports = portsOf.get(host) ?? [];
      if (!ports.includes(port)) ports.push(port);
      portsOf.set(host, ports);
    }
    const lists = new Map<number, PortList>();
    for (const [socket, { host, port }] of sockets) {
      const everywhere = portsOf.get(wildcardOf(host)) ?? [];
      const all = new Set([...portsOf.get(host) ?? [], ...everywhere]);
      all.delete(port);
      const list = newPorts();
      list.ports.set([...all].slice(0, MAX_PORTS));
      list.count = Math.min(all.size, MAX_PORTS);
      lists.set(socket, list);
    }
    this.#lists = lists;
  }

  /** Copies those of a socket, none of one that isn't known. */
  read(socket: number, into: PortList): void {
    const list = this.#lists.get(socket);
    into.count = list?.count ?? 0;
    if (list !== undefined) into.ports.set(list.ports);
  }
}

/** What stands for all addresses of the same family. */
function wildcardOf(address: string): string {
  const binary = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(address, binary, 0) || isWildcard(binary, 0)) return address;
  return isIpv4(binary, 0) ? "0.0.0.0" : "::";
}
