/**
 * What a registry tells of its peers to who shares them with other registries. Without that, nothing
 * is told and nothing is kept.
 *
 * @module
 */

import type { AskedQuestion } from "./asked_question.ts";

/** Told of the peers of a group. Rows and peers are numbers; times are of the monotonic clock. */
export interface PeerSharing {
  /** The peer of a row was heard, and is new or where it was not. */
  rowChanged(row: number): void;
  /**
   * The peer of a row was heard, and its row stays as it is but for its label.
   *
   * @param isThere Whether it was heard from where the row says.
   */
  rowSeen(row: number, isThere: boolean, mono: number): void;
  /** A tunnel of this host has seen the peer of a row: that is for this registry alone. */
  rowObserved(row: number): void;
  /**
   * Whether a row stays as it is though its peer was heard from elsewhere: another registry sees it at
   * another port, as behind a hard NAT.
   */
  keepsRow(row: number, address: number, port: number, mono: number): boolean;
  /** A question was taken over; its row, if it has one, was told of before. */
  questioned(asked: AskedQuestion, changes: QuestionChanges, mono: number): void;
  /** A peer is about to be removed, since it was not heard for too long. */
  expired(peer: number): void;
  /** A peer is about to be removed, for whatever reason. Its number may be another's soon. */
  left(peer: number): void;
  /** Removes some of those that were not heard in time, so many at most, and returns how many. */
  sweep(mono: number, most: number): number;
}

/** What of a peer is another than before. */
export interface QuestionChanges {
  /** Its endpoint of the question's family, */
  readonly isMoved: boolean;
  /** what it says of itself, */
  readonly isSaid: boolean;
  /** that it has proved its key. */
  readonly isFirstProof: boolean;
}
