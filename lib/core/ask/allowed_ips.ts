/**
 * Which AllowedIPs of a peer are taken from others: a zone, a lease server. What they name draws
 * traffic to that peer, so that they must not name what another peer has.
 *
 * @module
 */

import { IpPrefix } from "../net/ip_prefix.ts";
import type { Sighting } from "./sighting.ts";

/** What peers have already. */
export interface TakenIps {
  /** What the settings say: no other peer gets anything of it. */
  readonly configured: Iterable<string>;
  /**
   * What the interface has: no other peer gets the same, nor more than it. A part of it is another
   * matter: behind a hub that has a whole network, peers are found one by one.
   */
  readonly present: Iterable<string>;
}

/** What was named, parted. */
export interface NamedIps {
  readonly taken: readonly string[];
  /** Those that others have. */
  readonly refused: readonly string[];
}

/** Takes AllowedIPs for one peer after the other. */
export class AllowedIpsGate {
  readonly #configured: readonly IpPrefix[];
  readonly #present: IpPrefix[];

  /** @throws {SyntaxError} Where one of them is no prefix. */
  constructor({ configured, present }: TakenIps) {
    this.#configured = Array.from(configured, prefixOf);
    this.#present = Array.from(present, prefixOf);
  }

  /**
   * Takes what nobody has of what is named for a peer; from now on, that peer has it.
   *
   * @throws {SyntaxError} Where one of them is no prefix.
   */
  take(named: readonly string[]): NamedIps {
    const taken: string[] = [];
    const refused: string[] = [];
    const own: IpPrefix[] = [];
    for (const text of named) {
      const prefix = prefixOf(text);
      const isTaken = this.#configured.some((other) => prefix.overlaps(other)) ||
        this.#present.some((other) => prefix.covers(other));
      (isTaken ? refused : taken).push(text);
      if (!isTaken) own.push(prefix);
    }
    this.#present.push(...own);
    return { taken, refused };
  }
}

/** What zones name, sifted. */
export interface ZoneIps {
  /** By public key, what is taken. */
  readonly taken: ReadonlyMap<string, readonly string[]>;
  /** What a person should know of what isn't, a line each. */
  readonly warnings: readonly string[];
}

/** So many keys are named. */
const MOST_NAMED = 3;

/**
 * Takes AllowedIPs that zones name: DNS is not authenticated, so that a zone counts only where it has
 * signed its answers (TSIG), or somebody trusts it all the same. What is signed counts first: who forges
 * what isn't can call it the newest.
 *
 * @param peers All that is said of each of those for which nobody else names any, the newest first.
 * @param trustedZones Whose word is taken although it isn't signed.
 * @param configured What other peers have.
 */
export function takeZoneIps(
  peers: Iterable<readonly Sighting[]>,
  trustedZones: readonly string[],
  configured: readonly string[],
): ZoneIps {
  const gate = new AllowedIpsGate({ configured, present: [] });
  const taken = new Map<string, readonly string[]>();
  const untrusted = new Set<string>();
  const refused: string[] = [];
  const isTrusted = ({ zone = "" }: Sighting) => trustedZones.includes(zone);
  for (const all of peers) {
    const said = all.filter(({ zone, allowedIps }) =>
      zone !== undefined && allowedIps !== undefined
    );
    const word = said.find(({ isSigned }) => isSigned) ?? said.find(isTrusted);
    if (word === undefined) {
      for (const { zone = "", allowedIps = [] } of said) {
        if (allowedIps.length > 0) untrusted.add(zone);
      }
      continue;
    }
    const { publicKey, allowedIps = [] } = word;
    const named = gate.take(allowedIps);
    if (named.taken.length > 0) taken.set(publicKey, named.taken);
    if (named.refused.length > 0) refused.push(`${named.refused.join(", ")} of ${publicKey}`);
  }
  const shown = refused.slice(0, MOST_NAMED).join("; ");
  const more = refused.length > MOST_NAMED ? `; and of ${refused.length - MOST_NAMED} more` : "";
  return {
    taken,
    warnings: [
      ...[...untrusted].map((zone) =>
        `the AllowedIPs that the zone ${zone} names are left out, since anyone could forge them; ` +
        "ask it with a key (tsig-files), name them in [[peer]], or take them with " +
        `trust-allowed-ips = ["${zone}"]`
      ),
      ...(refused.length === 0
        ? []
        : [`AllowedIPs that other peers have are left out: ${shown}${more}`]),
    ],
  };
}

function prefixOf(text: string): IpPrefix {
  return new IpPrefix(text);
}
