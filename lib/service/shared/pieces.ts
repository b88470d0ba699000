/**
 * The pieces of a scan, as they come.
 *
 * @module
 */

import { SCAN_BEGIN } from "../../core/shared/reading.ts";
import type { StoreConnection } from "../../host/shared_stores.ts";
import type { ScannedPiece, StoreCalls } from "./store_calls.ts";

/** Pieces of a scan: while one is taken over, the next one comes. */
export class Pieces {
  readonly #calls: StoreCalls;
  #coming: {
    readonly store: StoreConnection;
    readonly group: number;
    readonly cursor: string;
    readonly piece: Promise<ScannedPiece>;
  } | undefined;

  /** Asks by `calls`. */
  constructor(calls: StoreCalls) {
    this.#calls = calls;
  }

  /** Reads a piece, and has the one after it come. */
  async fetch(store: StoreConnection, group: number, cursor: string): Promise<ScannedPiece> {
    const coming = this.#coming;
    this.#coming = undefined;
    const isIt = coming?.store === store && coming.group === group && coming.cursor === cursor;
    const piece = await (isIt ? coming.piece : this.#calls.scan(store, group, cursor));
    if (piece.cursor === SCAN_BEGIN) return piece;
    const next = this.#calls.scan(store, group, piece.cursor);
    // Whoever takes it is told of what fails.
    next.catch(() => {});
    this.#coming = { store, group, cursor: piece.cursor, piece: next };
    return piece;
  }
}
