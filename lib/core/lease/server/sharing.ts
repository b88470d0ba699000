/**
 * What a lease server takes of the part that shares leases with others. Nothing of that is loaded where
 * leases are not shared.
 *
 * @module
 */

import type { LeaseAnswer, LeaseSession } from "./session.ts";
import type { StepClock, Steps } from "./steps.ts";

/** A peer that asks. */
export interface AskingPeer {
  readonly session: LeaseSession;
  readonly bytes: Uint8Array;
  /** When it came, on the monotonic clock. */
  readonly askedAt: number;
}

/** The answer to a peer, once what is granted is true; undefined where there is none just now. */
export type SharedAnswers = (publicKey: string) => LeaseAnswer | undefined;

/** The part of a server that shares leases with others. */
export interface LeaseSharing {
  /** Takes over what the others have changed. */
  follow(clock: StepClock): Steps;
  /** Has the store decide what peers get. */
  decide(asking: ReadonlyMap<string, AskingPeer>, clock: StepClock): Steps<SharedAnswers>;
  /** Says that other addresses may be leased here than before. */
  configured(): void;
}
