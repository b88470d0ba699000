/**
 * Where servers see the own port, and what the NAT makes of it.
 *
 * @module
 */

import { judgeNat, type NatVerdict } from "../ask/nat_verdict.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";
import type { QueryResult } from "../query/query_result.ts";

/** The own endpoint, as it was registered last. */
export class OwnEndpoint {
  #endpoint: string | undefined;
  #nat: NatVerdict | undefined;
  #seen: readonly HostPort[] = [];
  #port = 0;

  /** As text; undefined where it isn't known. */
  get endpoint(): string | undefined {
    return this.#endpoint;
  }

  /** What the NAT makes of WireGuard's port, where two servers have seen it. */
  get nat(): NatVerdict | undefined {
    return this.#nat;
  }

  /** The interface is another one. */
  forget(): void {
    this.#endpoint = undefined;
  }

  /**
   * Takes in the answer to a question that registered it.
   *
   * @returns The endpoint and the one before, if that is another.
   */
  take(answer: QueryResult): { endpoint: string; before: string | undefined } | undefined {
    const seen = new Map(
      answer.servers.flatMap(({ server, ownEndpoint }) =>
        ownEndpoint === undefined ? [] : [[server, ownEndpoint]]
      ),
    );
    this.#seen = [...seen.values()];
    this.#port = answer.port;
    const own = answer.peers.find(({ publicKey }) => publicKey === answer.publicKey);
    if (own === undefined) return undefined;
    const endpoint = `${own.address}:${own.port}`;
    const before = this.#endpoint;
    if (endpoint === before) return undefined;
    // Behind a symmetric NAT, each registry sees another one: that is no move.
    const seesBefore = answer.servers.some(({ ownEndpoint }) =>
      ownEndpoint !== undefined && formatHostPort(ownEndpoint) === before
    );
    if (seesBefore) return undefined;
    this.#endpoint = endpoint;
    return { endpoint, before };
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
