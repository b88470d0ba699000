/**
 * Where servers see the own port, and what the NAT makes of it.
 *
 * @module
 */

import { judgeNat, type NatVerdict } from "../ask/nat_verdict.ts";
import { type Family, familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";
import type { QueryResult } from "../query/query_result.ts";

/** The own endpoint of a family is another one. */
export interface OwnMove {
  readonly family: Family;
  readonly endpoint: string;
  /** The one before; undefined where none was known. */
  readonly before: string | undefined;
}

/** The own endpoints, over IPv4 and over IPv6, as they were registered last. */
export class OwnEndpoint {
  readonly #endpoints = new Map<Family, string>();
  #nat: NatVerdict | undefined;
  #seen: readonly HostPort[] = [];
  #port = 0;

  /** As text, with a comma between two; undefined where none is known. */
  get endpoint(): string | undefined {
    return this.#endpoints.size === 0 ? undefined : [...this.#endpoints.values()].join();
  }

  /** Each as text. */
  get endpoints(): readonly string[] {
    return [...this.#endpoints.values()];
  }

  /** What the NAT makes of WireGuard's port, where two servers have seen it. */
  get nat(): NatVerdict | undefined {
    return this.#nat;
  }

  /** The interface is another one. */
  forget(): void {
    this.#endpoints.clear();
  }

  /** Takes in the answer to a question that registered it. @returns What is another than before. */
  take(answer: QueryResult): readonly OwnMove[] {
    const seen = new Map(
      answer.servers.flatMap(({ server, ownEndpoint }) =>
        ownEndpoint === undefined || familyOf(ownEndpoint) === 6 ? [] : [[server, ownEndpoint]]
      ),
    );
    this.#seen = [...seen.values()];
    // One registry may have seen it at several ports.
    for (const { mapping = [] } of answer.servers) {
      if (mapping.length > Math.max(1, this.#seen.length)) this.#seen = mapping;
    }
    this.#port = answer.port;
    const own = answer.sightings.get(answer.publicKey ?? "") ?? [];
    const endpoints = own.map(({ address: host, port }) => ({ host, port }));
    return [
      ...this.#takeOf(4, endpoints, answer),
      ...this.#takeOf(6, endpoints, answer),
    ];
  }

  #takeOf(family: Family, own: readonly HostPort[], { servers }: QueryResult): readonly OwnMove[] {
    const newest = own.find((each) => familyOf(each) === family);
    if (newest === undefined) return [];
    const endpoint = formatHostPort(newest);
    const before = this.#endpoints.get(family);
    if (endpoint === before) return [];
    // Behind a sequential or a hard NAT, each registry sees another one: that is no move.
    const seesBefore = servers.some(({ ownEndpoint, ownIpv6 }) =>
      [ownEndpoint, ownIpv6].some((each) => each !== undefined && formatHostPort(each) === before)
    );
    if (seesBefore) return [];
    this.#endpoints.set(family, endpoint);
    return [{ family, endpoint, before }];
  }

  /** Whether the last answer tells what kind of NAT is in between: two servers have seen the port. */
  get tellsNat(): boolean {
    return this.#seen.length >= 2;
  }

  /** Judges the NAT. @param localAddresses The addresses of this host. */
  judge(localAddresses: readonly string[]): NatVerdict {
    return this.#nat = judgeNat(this.#port, localAddresses, this.#seen);
  }
}
