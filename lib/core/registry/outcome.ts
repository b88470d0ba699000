/**
 * What became of a datagram that may be one of wgsig 2.
 *
 * @module
 */

import type { CounterName } from "../net/counters.ts";

/** The name of a counter where it is dropped. */
export type Outcome =
  /** It is nothing for a group that there is: another protocol's perhaps. */
  | "other"
  /** The same, though it looks like something. */
  | "not-opened"
  /** The same, though it looks as if somebody joined with a token that is not known. */
  | "unknown-tag"
  /** A question was answered, or its client told to ask again. */
  | "done"
  /** What is no question was taken: it has changed no peer's record. */
  | "taken"
  | CounterName;
