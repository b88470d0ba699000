/**
 * What goes to a store that registries share, and what its clock shows.
 *
 * @module
 */

/** The store's clock, by the monotonic one of this process. */
export interface StoreClock {
  /** What the store's clock shows at a moment of the monotonic one; both in seconds. */
  toStore(mono: number): number;
  /** The other way round. */
  toMono(heard: number): number;
}

/** What is known of a peer. */
export interface SharedPeer {
  /** Its ID, 32 bytes. */
  readonly id: Uint8Array;
  /** Its record, or those registers of it that have changed: see `wire/shared/record`. */
  readonly record: Uint8Array;
  /** MACs, 16 bytes each, of registers in the store that this takes the place of, whatever they say. */
  readonly wrong?: Uint8Array | undefined;
}

/** What became of a write. */
export interface WriteOutcome {
  /** How many peers it has changed in the store. */
  readonly changed: number;
  /** Whether the group had no peers there before. */
  readonly wasEmpty: boolean;
  /** What the store has of those of whom it has something else than was written, and keeps it. */
  readonly kept: readonly SharedPeer[];
}

/** What is to be written to the store. The arrays are the caller's. */
export interface SharedWrite {
  /** GROUP. */
  readonly group: number;
  /** Of each peer, what has changed. */
  readonly records: readonly SharedPeer[];
}

/** Who is gone here. */
export interface SharedGone {
  /** GROUP. */
  readonly group: number;
  /** The store may forget them if it hasn't heard them since, by its clock. */
  readonly notHeardSince: number;
  /** 32 bytes each. */
  readonly ids: readonly Uint8Array[];
}
