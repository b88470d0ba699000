/**
 * What a lease service takes of a store in which leases are decided. Nothing of it is loaded where
 * leases are not shared.
 *
 * @module
 */

import type { LeaseBook } from "../../../core/lease/server/book.ts";
import type { ClaimLog, ClaimScan } from "../../../core/lease/server/claims.ts";
import type { LeaseSharing } from "../../../core/lease/server/sharing.ts";
import type { LeaseServerStep } from "../../../core/lease/server/steps.ts";

/** The steps of a lease server that are about the store. */
export type ClaimStep = Extract<LeaseServerStep, { readonly kind: "claim" | "scan-claims" }>;

/** A store. */
export interface ClaimStore {
  /** The part of the machine that shares leases. */
  sharing(book: LeaseBook): LeaseSharing;
  /**
   * Does a step.
   *
   * @throws Where it can't be done, in words or with a POSIX name.
   */
  do(step: ClaimStep): Promise<ClaimLog | ClaimScan>;
  /** Connects, again and again. @param changed Called when other servers have changed leases. */
  open(changed: () => void): void;
  /** Says that this server has ended, so that others need not wait for it. */
  close(): Promise<void>;
}
