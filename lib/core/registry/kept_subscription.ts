/**
 * What of a subscription is kept over a restart, and who is told when that changes.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { PrefixList } from "../../wire/wgsig2/option.ts";
import type { QuestionKeys } from "./question_keys.ts";

/** Told of what a restart is to leave. */
export interface SubscriptionKeeper {
  /** The subscription of a peer has begun, goes elsewhere, or needs more COUNTERs. */
  changed(peer: number): void;
  /** It has ended. */
  ended(peer: number): void;
}

/** What was kept of a subscription. */
export interface KeptSubscription {
  /** Holds where it goes, and the NONCE of the question that has begun it. */
  readonly buffer: WireBuffer;
  /** Where the 16-byte address is. */
  readonly addressAt: number;
  /** The UDP port. */
  readonly port: number;
  /** Where the NONCE is, 24 bytes. */
  readonly nonceAt: number;
  /** The number of the socket that it was asked through. */
  readonly socket: number;
  /** Whether that question was proved. */
  readonly isProved: boolean;
  /** The version of the roster that its client is taken to know; Infinity where it doesn't follow it. */
  readonly roster: number;
  /** What it was sealed with. */
  readonly keys: QuestionKeys;
  /** No COUNTER above this was used. */
  readonly counter: number;
  /** Whom it wants. Copied. */
  readonly wants: PrefixList;
}
