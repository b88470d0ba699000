/**
 * What a part of a server that keeps something over a restart says of it. The store knows no more of
 * peers and leases than this.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import type { Batch, JournalEnd } from "./journal_file.ts";

/** Something that is encoded piece by piece, so that others have their turn in between. */
export interface Pieces {
  /**
   * The next piece: the content of a batch, at most `MAX_CONTENT_SIZE` bytes, which are the caller's.
   *
   * @returns Undefined where there is no more.
   */
  next(now: Now): Uint8Array | undefined;
}

/** What was read, for the log. */
export interface Restored {
  /** What the log calls it. */
  readonly event: string;
  /** How many of what. */
  readonly counts: Readonly<Record<string, number>>;
}

/** A part of a server that keeps something over a restart. */
export interface Journaled {
  /** Its name in the file: four letters. */
  readonly part: string;
  /** How files of its own began before there was one for all parts. */
  readonly formerMagics: readonly string[];
  /** How long what has changed may wait for the disk, in seconds; Infinity where nothing has. */
  readonly patience: number;
  /** Whether something went on that is worth the disk only at the end. */
  readonly wentOn: boolean;
  /**
   * All that there is. It may change while it is encoded: what is said then, with what `changes` says
   * from the first piece on, is right again.
   */
  all(): Pieces;
  /** What has changed since this was last called. */
  changes(): Pieces;
  /**
   * Takes over what a file says: its batches, in the order in which they were written.
   *
   * @returns Undefined where there is nothing to be said of it.
   */
  restore(file: WireBuffer, batches: readonly Batch[], now: Now): Restored | undefined;
  /**
   * Takes over a file of its own that begins with one of {@linkcode formerMagics}.
   *
   * @throws {SyntaxError} If it is damaged, so that nothing of it can be taken.
   */
  restoreFormer(file: WireBuffer, now: Now): Restored & JournalEnd;
}
