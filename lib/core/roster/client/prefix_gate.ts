/**
 * Which AllowedIPs of a roster are let in: what it names draws traffic to a peer, so that it must not
 * name what this host or another peer has.
 *
 * @module
 */

import { PrefixOwners } from "./prefix_owners.ts";
import { addressOf, IpPrefix, isNarrow, normalizePrefix } from "../../net/ip_prefix.ts";

/** What must stay free. */
export interface RosterBounds {
  /** The networks in which all must lie. */
  readonly trusted: readonly string[];
  /** This host's own addresses, those in the tunnel among them; a prefix length is left out. */
  readonly addresses: readonly string[];
  /** The networks of this host's other interfaces, and its gateways. */
  readonly networks: readonly string[];
  /** IP addresses of registries. */
  readonly registries: readonly string[];
  /** IP addresses at which peers are, outside of the tunnel. */
  readonly endpoints: readonly string[];
}

/** What a peer has that is no roster's. */
export interface Claim {
  readonly publicKey: string;
  readonly prefix: string;
}

/** What somebody has, ready to be compared. */
interface Held {
  readonly owner: string;
  readonly prefix: IpPrefix;
}

/** Lets AllowedIPs in, one after the other. */
export class PrefixGate {
  readonly #trusted: readonly IpPrefix[];
  readonly #addresses: readonly IpPrefix[];
  readonly #networks: readonly IpPrefix[];
  readonly #registries: readonly IpPrefix[];
  readonly #endpoints: readonly IpPrefix[];
  readonly #claims: readonly Held[];
  /** Who has what from a roster. */
  readonly #taken = new PrefixOwners();

  /**
   * @param claims What others have, whom no roster gave it. Those that send everything through a
   *   tunnel say nothing of where something is, and don't count.
   * @throws {SyntaxError} Where one of them is no prefix.
   */
  constructor(bounds: RosterBounds, claims: readonly Claim[]) {
    this.#trusted = bounds.trusted.map(prefixOf);
    this.#addresses = bounds.addresses.map((each) => prefixOf(addressOf(each)));
    this.#networks = bounds.networks.filter(isNarrow).map(prefixOf);
    this.#registries = bounds.registries.map(prefixOf);
    this.#endpoints = bounds.endpoints.map(prefixOf);
    this.#claims = claims.filter(({ prefix }) => isNarrow(prefix))
      .map(({ publicKey: owner, prefix }) => ({ owner, prefix: prefixOf(prefix) }));
  }

  /** A peer has this, as `wg` shows it, from a roster, whatever is said of it. */
  hold(publicKey: string, prefix: string): void {
    this.#taken.set(prefix, publicKey);
  }

  /** Whether no other peer than this has any of a prefix from a roster. */
  isFree(publicKey: string, prefix: string): boolean {
    return this.#taken.otherThan(publicKey, prefix) === undefined;
  }

  /**
   * Why a peer isn't given a prefix, as `wg` shows it, in words; undefined where it may have it.
   *
   * @param isKept Whether it has it already: that a host has come into another network since, or a peer
   *   has moved, takes nothing away.
   */
  refusal(publicKey: string, text: string, isKept: boolean): string | undefined {
    const prefix = prefixOf(text);
    if (!isNarrow(text)) return "it would send everything through the tunnel";
    if (!this.#trusted.some((each) => each.covers(prefix))) {
      return "it is no private network; trust-networks names others that are let in";
    }
    if (this.#registries.some((each) => prefix.covers(each))) {
      return "a registry's address is in it";
    }
    const other = this.#claims.find((each) =>
      each.owner !== publicKey && each.prefix.overlaps(prefix)
    );
    if (other !== undefined) return `peer ${other.owner} has addresses of it`;
    const holder = this.#taken.otherThan(publicKey, text);
    if (holder !== undefined) return `peer ${holder} has addresses of it by a roster`;
    return isKept ? undefined : this.#refusalHere(prefix);
  }

  #refusalHere(prefix: IpPrefix): string | undefined {
    if (this.#addresses.some((each) => prefix.covers(each))) return "this host's address is in it";
    if (this.#networks.some((each) => each.overlaps(prefix))) {
      return "a network of this host has addresses of it";
    }
    if (this.#endpoints.some((each) => prefix.covers(each))) return "a peer's endpoint is in it";
    return undefined;
  }
}

function prefixOf(text: string): IpPrefix {
  return new IpPrefix(normalizePrefix(text));
}
