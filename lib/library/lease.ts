/**
 * Addresses that WireGuard peers get from inside their tunnel, as wg-dynamic has it. On the server, a
 * {@linkcode LeaseBook} knows who holds what, and a {@linkcode LeaseSession} is a peer's connection.
 * The client is a {@linkcode LeaseClient}.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { LeaseBook, LeaseBudgets, LeaseClient, LeaseSession } from "@wgsig/wgsig/lease";
 * import { MAX_BUDGETS, NO_NEWS } from "@wgsig/wgsig/lease";
 *
 * const random = (bytes: Uint8Array) => void crypto.getRandomValues(bytes);
 * const book = new LeaseBook({
 *   pools: ["10.20.0.0/16"],
 *   reserved: ["10.20.0.1"],
 *   fixed: new Map(),
 *   leaseTime: 3600,
 *   maxLeases: 10_000,
 * }, random);
 * const publicKey = "uEN/FxDargZsj7MEVnIKmCcoN71q+0r+n7triSVeaio=";
 * const session = new LeaseSession(publicKey, book, () => NO_NEWS, new LeaseBudgets(MAX_BUDGETS));
 *
 * const client = new LeaseClient({ wants: { routes: false, peers: false } });
 * const now = { unix: Date.now() / 1000, mono: performance.now() / 1000 };
 * const step = client.next(now.mono);
 * assert.equal(step.kind, "ask");
 * if (step.kind === "ask") client.receive(session.receive(step.bytes, now).bytes, now.mono);
 *
 * // The server gives the peer what it holds as AllowedIPs; the client, its interface as addresses.
 * const [change] = book.takeChanges();
 * assert.deepEqual(change?.addresses, client.addresses);
 * ```
 *
 * @module
 */

export {
  type Lease,
  LeaseBook,
  type LeaseChange,
  type LeaseGrant,
  type LeaseNote,
  type LeaseWish,
  type RestoredLease,
} from "../core/lease/server/book.ts";
export type { LeaseBookOptions } from "../core/lease/server/options.ts";
export type { HeldLease } from "../core/lease/server/family_leases.ts";
export {
  LeaseBudgets,
  MAX_BUDGETS,
  REPLY_BURST,
  REPLY_BYTES_PER_SECOND,
} from "../core/lease/server/budget.ts";
export {
  type LeaseAnswer,
  type LeaseAsk,
  LeaseSession,
  MAX_REQUEST_LINES,
  type NewsSource,
} from "../core/lease/server/session.ts";
export { LeaseJournal } from "../core/lease/server/journal.ts";
export {
  encodeChanges,
  encodeFile,
  type RestoredFile,
  restoreFile,
} from "../core/store/encoding.ts";
export type { Batch, JournalEnd } from "../core/store/journal_file.ts";
export type { Journaled, Pieces, Restored } from "../core/store/journaled.ts";
export { WireBuffer } from "../wire/bytes/wire_buffer.ts";
export { type Bounds, LeaseBounds } from "../core/lease/client/bounds.ts";
export {
  LeaseClient,
  type LeaseClientOptions,
  type LeaseEvent,
  type LeaseStep,
} from "../core/lease/client/client.ts";
export { type LeaseNews, type LeaseWants, NO_NEWS, type PeerNews } from "../core/lease/news.ts";
export {
  type Family,
  formatLeaseAddress,
  formatLeaseCidr,
  type LeaseAddress,
  linkLocalIdentity,
  parseLeaseAddress,
} from "../core/lease/address.ts";
export type { HostPort } from "../core/net/host_port.ts";
export type { Now } from "../core/net/clock.ts";
export type { RandomSource } from "../core/net/random.ts";
