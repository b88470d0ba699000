/**
 * What this host tells registries of how it can be reached, from what it knows of itself and from what
 * they have seen.
 *
 * @module
 */

import { natKindOf } from "../ask/nat_verdict.ts";
import { ownCandidates } from "../ask/own_candidates.ts";
import type { NatKind, OwnCandidate } from "../ask/own_reach.ts";
import type { Device } from "../net/device.ts";
import { familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";
import type { OwnMapping } from "../path/path_step.ts";
import type { QueryResult } from "../query/query_result.ts";

/** Knows the own side. */
export class OwnSide {
  #addresses: readonly string[] = [];
  /** The interface's own, with prefix lengths. */
  #tunnel: readonly string[] = [];
  #mapped: readonly HostPort[] = [];
  #seen: readonly HostPort[] = [];
  #nat: NatKind = "unknown";

  /** How the own port is seen. */
  get mapping(): OwnMapping {
    const seen = this.#seen.find((each) => familyOf(each) === 4);
    return { nat: this.#nat, seen: seen === undefined ? "" : formatHostPort(seen) };
  }

  /** Where routers have mapped the port. */
  get mapped(): readonly HostPort[] {
    return this.#mapped;
  }

  /** The interface is another one. */
  forget(): void {
    this.#seen = [];
    this.#nat = "unknown";
  }

  /** Takes in this host's addresses, and those of the interface with their prefix lengths. */
  takeAddresses(addresses: readonly string[], tunnel: readonly string[]): void {
    this.#addresses = addresses;
    this.#tunnel = tunnel;
  }

  /** Takes in where routers have mapped the port. */
  takeMapped(mapped: readonly HostPort[]): void {
    this.#mapped = mapped;
  }

  /** Takes in the answers to a question that has registered the port. */
  take({ sightings, publicKey = "", servers, port }: QueryResult): void {
    const own = sightings.get(publicKey) ?? [];
    this.#seen = own.map(({ address: host, port }) => ({ host, port }));
    let most: readonly HostPort[] = [];
    for (const { mapping = [] } of servers) if (mapping.length > most.length) most = mapping;
    // Each registry's view is of one destination more.
    const firsts = servers.flatMap(({ mapping }) => mapping?.[0] ?? []);
    if (firsts.length > most.length) most = firsts;
    if (most.length > 0) this.#nat = natKindOf(port, this.#addresses, most);
  }

  /** What registries are to be told. */
  candidates({ listenPort: port, peers }: Device): readonly OwnCandidate[] {
    return ownCandidates({
      port,
      addresses: this.#addresses,
      inTunnel: [...this.#tunnel, ...peers.flatMap(({ allowedIps }) => allowedIps)],
      seen: this.#seen,
      mapped: this.#mapped,
    });
  }
}
