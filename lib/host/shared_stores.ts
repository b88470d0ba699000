/**
 * Connections to a Redis or Valkey that registries share. Not every runtime has that.
 *
 * @module
 */

import type { StorePlace } from "../core/net/store_place.ts";

/** What is sent to a store: a command and its arguments. */
export type StoreCommand = readonly (string | Uint8Array)[];

/** What a store answers: bytes, a number, nothing, or a list of these. */
export type StoreReply = Uint8Array | number | null | readonly StoreReply[];

/** How a store is reached. */
export interface StoreOptions {
  readonly place: StorePlace;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Certificates, in PEM, that its own is checked with; those of public authorities where left out. */
  readonly authority: string | undefined;
  /** So many seconds it may take until it can be used. */
  readonly timeout: number;
  /** Has it given up when it is done. */
  readonly stop: Promise<void>;
  /**
   * Called once where it ends by itself, with a POSIX name or in words; not after
   * {@linkcode StoreConnection.close}.
   */
  readonly onEnd: (why: string) => void;
}

/** A connection that is open. It is not opened again where it has ended. */
export interface StoreConnection {
  /**
   * Sends a command. Several may be on their way: they are answered in order.
   *
   * @param timeout So many seconds the answer may take.
   * @throws {StoreRefusal} The store refuses.
   * @throws An error with a POSIX name: it can't be reached any more, or doesn't answer in time.
   */
  call(command: StoreCommand, timeout: number): Promise<StoreReply>;
  /** Ends it. What is on its way fails. */
  close(): void;
}

/** What a store says where it doesn't do what it was told: the text begins with a word in capitals. */
export class StoreRefusal extends Error {
}

/** The role. */
export interface SharedStores {
  /**
   * Opens a connection. A runtime without it can't.
   *
   * @throws {StoreRefusal} The store refuses.
   * @throws An error with a POSIX name, or in words.
   */
  readonly openStore?: ((options: StoreOptions) => Promise<StoreConnection>) | undefined;
}
