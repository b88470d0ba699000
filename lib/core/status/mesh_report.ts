/**
 * Who of a group would reach whom, and how, as JSON has it.
 *
 * @module
 */

/** How two peers would reach each other. */
export const REACHES = ["direct", "hard", "relay", "unknown"] as const;

/** One of them. */
export type Reach = typeof REACHES[number];

/** Peers of a group that are told of: all pairs of so many are some kilobytes. */
export const MOST_MESHED = 64;

/** The pairs of a group. */
export interface MeshReport {
  /** Its number. */
  readonly group: number;
  /** Public keys. */
  readonly peers: readonly string[];
  /** So many more peers there are. */
  readonly more: number;
  /**
   * For each peer a letter for each that comes before it in the list: the first one of a word of
   * {@linkcode REACHES}.
   */
  readonly rows: readonly string[];
}

/** Puts pairs into a report. @param reachOf Says it of two places in the list. */
export function meshReport(
  group: number,
  peers: readonly string[],
  more: number,
  reachOf: (a: number, b: number) => Reach,
): MeshReport {
  const told = peers.slice(0, MOST_MESHED);
  return {
    group,
    peers: told,
    more: more + peers.length - told.length,
    rows: told.map((_, a) => told.slice(0, a).map((_, b) => reachOf(a, b)[0]).join("")),
  };
}
