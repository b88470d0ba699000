/**
 * How what a store answers is read, and how a script is run there.
 *
 * @module
 */

import {
  type StoreCommand,
  type StoreConnection,
  StoreRefusal,
  type StoreReply,
} from "../../host/shared_stores.ts";

const DECODER = new TextDecoder();

/** A script, and what the store calls it where that is known. */
export interface StoreScript {
  readonly text: string;
  /** In hexadecimal digits. */
  readonly hash: string | undefined;
}

/**
 * Runs a script, by its hash where the store knows that.
 *
 * @param timeout Seconds that an answer takes at most.
 * @throws {StoreRefusal} What the script or the store says against it.
 */
export async function runScript(
  store: StoreConnection,
  { text, hash }: StoreScript,
  keys: readonly string[],
  args: StoreCommand,
  timeout: number,
): Promise<StoreReply> {
  const rest = [`${keys.length}`, ...keys, ...args];
  try {
    if (hash !== undefined) return await store.call(["EVALSHA", hash, ...rest], timeout);
  } catch (error) {
    if (!(error instanceof StoreRefusal) || !error.message.includes("NOSCRIPT")) throw error;
  }
  return await store.call(["EVAL", text, ...rest], timeout);
}

/** @throws {StoreRefusal} It is no list. */
export function listOf(reply: StoreReply | undefined): readonly StoreReply[] {
  if (Array.isArray(reply)) return reply;
  throw new StoreRefusal("what it answers is no list");
}

/** The bytes may be a view of all that came with them. @throws {StoreRefusal} It is no text. */
export function bytesOf(reply: StoreReply | undefined): Uint8Array {
  if (reply instanceof Uint8Array) return reply;
  throw new StoreRefusal("what it answers is no text");
}

/** @throws {StoreRefusal} It is no text. */
export function textOf(reply: StoreReply | undefined): string {
  return DECODER.decode(bytesOf(reply));
}

/** A number, or a text of one. @throws {StoreRefusal} It is neither. */
export function numberOf(reply: StoreReply | undefined): number {
  const number = typeof reply === "number" ? reply : Number(textOf(reply));
  if (Number.isFinite(number)) return number;
  throw new StoreRefusal("what it answers is no number");
}
