/**
 * How a peer's NAT maps WireGuard's port, as the flags of questions and records tell it.
 *
 * docs/protocol-2.md, "Question".
 *
 * @module
 */

/** How a NAT maps a port. */
export const NAT = {
  /** Nobody knows. */
  unknown: 0,
  /** There is none, or it maps the port alike for every destination. */
  easy: 1,
  /** Each destination gets a port somewhat above the last one. */
  sequential: 2,
  /** Each destination gets a port that nobody can foretell. */
  hard: 3,
} as const;

/** Where it stands in the flags of a question and of a record. */
export const NAT_FLAGS = 0x30;
/** PROBES and NAT: what a question says of its peer's port, and the record of that after it. */
export const PATH_FLAGS = 0x38;
const SHIFT = 4;

/** A value of {@linkcode NAT} as flags. */
export function flagsOfNat(nat: number): number {
  return (nat << SHIFT) & NAT_FLAGS;
}

/** What flags say of a NAT: a value of {@linkcode NAT}. */
export function natOfFlags(flags: number): number {
  return (flags & NAT_FLAGS) >>> SHIFT;
}
