/**
 * A question of wgsig 2 in a round, and the way that it goes.
 *
 * @module
 */

import type { Inquiry } from "./inquiry.ts";
import type { Family } from "../net/host_port.ts";
import type { ServerAddresses } from "./server_addresses.ts";

/** A question of wgsig 2. */
export interface AskedInquiry {
  readonly inquiry: Inquiry;
  readonly family: Family;
  /** Whether through WireGuard's port; else through one of our own. */
  readonly isOwn: boolean;
  /** Which port of the registry is asked; undefined for the one that it is named with. */
  readonly port?: number | undefined;
  attempts: number;
}

/** Whether asking again is of no use. */
export function isFinished({ inquiry }: AskedInquiry): boolean {
  return inquiry.isAnswered || inquiry.isCut;
}

/** Whether all are refused, at every address that is worth being asked. */
export function areRefused(
  asked: readonly AskedInquiry[],
  addresses: Pick<ServerAddresses, "hasOther">,
  mono: number,
): boolean {
  return asked.every(({ inquiry, family }) =>
    inquiry.isKeyRefused ? !addresses.hasOther(mono, family) : inquiry.isProofRefused
  );
}
