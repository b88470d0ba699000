/**
 * The peers of a group that its registry knows by name.
 *
 * @module
 */

/** A peer that a registry knows by name. */
export interface RosterEntry {
  /** The WireGuard public key in base64. */
  readonly publicKey: string;
  /** A name for people. */
  readonly name: string;
  /** Its addresses in the tunnel, and the networks behind it: as `wg` shows them. */
  readonly allowedIps: readonly string[];
  /** The public key of the hub through which it is reached, in base64: it doesn't speak wgsig. */
  readonly via: string | undefined;
  /** Whether it was taken away: revoked, or forgotten. */
  readonly isGone: boolean;
}

/** What one registry has told, or several of them. */
export interface Roster {
  /** Another number whenever something of it is another. */
  readonly revision: number;
  /** By public key, those that were taken away among them. */
  readonly entries: ReadonlyMap<string, RosterEntry>;
  /** Whether that is all there is: until then, who isn't there may be. */
  readonly isComplete: boolean;
}

/** Of a peer that several registries know, the one that is named first is believed. */
export function mergeRosters(rosters: readonly Roster[]): ReadonlyMap<string, RosterEntry> {
  const [only, ...others] = rosters;
  if (only !== undefined && others.length === 0) return only.entries;
  const merged = new Map<string, RosterEntry>();
  for (const { entries } of rosters) {
    for (const [key, entry] of entries) if (!merged.has(key)) merged.set(key, entry);
  }
  return merged;
}
