/**
 * Requests of lease clients, and who they come from.
 *
 * @module
 */

import type { LeaseSession } from "./session.ts";

/** Anyone who has a connection. */
export interface LeaseVisitor {
  /** The other end's address. */
  readonly address: string;
  /** Who it was found to be. */
  known: { readonly publicKey: string; readonly session: LeaseSession } | undefined;
}

/** Bytes of a connection, at most one at a time of each. */
export interface LeaseRequest {
  readonly visitor: LeaseVisitor;
  /** Nothing, to find out alone who it is. */
  readonly bytes: Uint8Array;
}
