/**
 * What clients over UDP ask, and what they take for an answer.
 *
 * @module
 */

import type { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";

/** The clients' part of a protocol. */
export interface Dialogue {
  /** The most bytes that a request has. */
  readonly size: number;
  /** How many clients have a socket in common; more than one if answers say whose they are. */
  readonly perSocket: number;
  /** Writes another request of `client` at `at`, and returns its size. */
  ask(client: number, out: WireBuffer, at: number): number;
  /** Which client's the datagram of `length` bytes at `at` is, of those on one socket. */
  clientOf(answers: WireBuffer, at: number, length: number): number;
  /** Whether the datagram of `length` bytes at `at` answers what `client` asked last. */
  isAnswer(client: number, answers: WireBuffer, at: number, length: number): boolean;
}
