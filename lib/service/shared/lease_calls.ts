/**
 * What the store is asked about leases, and how its answers are read.
 *
 * @module
 */

import { decodeLogged, decodeTabled, encodeClaim } from "../../core/lease/server/claim_codec.ts";
import type { ClaimLog, ClaimScan, SharedLease } from "../../core/lease/server/claims.ts";
import type { StoreConnection, StoreReply } from "../../host/shared_stores.ts";
import type { ClaimStep } from "../lease/server/claim_store.ts";
import {
  CLAIM,
  LEASE_CHANGES_KEY,
  LEASE_KEYS,
  LEASE_READERS_KEY,
  LEASES_KEY,
} from "./lease_script.ts";
import { bytesOf, listOf, numberOf, runScript, textOf } from "./store_reply.ts";

/** An answer takes so many seconds at most: clients wait for it. */
const TIMEOUT = 1;
/** So many seconds changes are waited for, before they are asked for again. */
const BLOCK = 5;
const SCAN_COUNT = "512";
/** So many entries at most come with a word that there are some: what is in them is not looked at. */
const WAKE_COUNT = "16";

/** Asks one store. */
export class LeaseCalls {
  readonly #reader: Uint8Array;
  readonly #newTable: () => string;
  #hash: string | undefined;

  /**
   * @param reader Tells this process from others: 8 random bytes.
   * @param newTable What a table is called that is made here: random, and another one each time.
   */
  constructor(reader: Uint8Array, newTable: () => string) {
    this.#reader = reader;
    this.#newTable = newTable;
  }

  /** Does a step. @throws {StoreRefusal} Also where what it says is of another form. */
  async do(store: StoreConnection, step: ClaimStep): Promise<ClaimLog | ClaimScan> {
    return step.kind === "claim"
      ? await this.#claim(store, step)
      : await this.#scan(store, step.from);
  }

  /** Waits until the log goes on after an entry. @returns The last entry; undefined where none came. */
  async wait(store: StoreConnection, after: string): Promise<string | undefined> {
    const command = ["XREAD", "COUNT", WAKE_COUNT, "BLOCK", `${BLOCK * 1000}`, "STREAMS"];
    const reply = await store.call([...command, LEASE_CHANGES_KEY, after], BLOCK + TIMEOUT);
    if (reply === null) return undefined;
    const [stream] = listOf(reply);
    return textOf(listOf(listOf(listOf(stream)[1]).at(-1))[0]);
  }

  /** Says that nobody has to wait for this server any more. */
  async leave(store: StoreConnection): Promise<void> {
    await store.call(["HDEL", LEASE_READERS_KEY, this.#reader], TIMEOUT);
  }

  async #claim(
    store: StoreConnection,
    { after, claims, by }: ClaimStep & { readonly kind: "claim" },
  ): Promise<ClaimLog> {
    const reply = await this.#run(store, [
      this.#reader,
      this.#newTable(),
      after?.isTaken ? "1" : "",
      // Lua has no word for it.
      `${Math.min(by, Number.MAX_SAFE_INTEGER)}`,
      after?.table ?? "",
      after === undefined ? "" : `${after.count}`,
      after?.last ?? "",
      ...claims.flatMap((claim) => encodeClaim(claim) ?? []),
    ]);
    const [at, table, count, last, hasMore, isGap, isYoung, entries] = listOf(reply);
    return {
      kind: "claim-log",
      at: numberOf(at),
      cursor: { table: textOf(table), count: numberOf(count), last: bytesOf(last).slice() },
      entries: listOf(entries).flatMap((entry): SharedLease[] => {
        const lease = decodeLogged(bytesOf(entry));
        return lease === undefined ? [] : [lease];
      }),
      hasMore: textOf(hasMore) !== "",
      isGap: textOf(isGap) !== "",
      isYoung: textOf(isYoung) !== "",
    };
  }

  async #scan(store: StoreConnection, from: string): Promise<ClaimScan> {
    const reply = await store.call(["HSCAN", LEASES_KEY, from, "COUNT", SCAN_COUNT], TIMEOUT);
    const [next, found] = listOf(reply);
    const fields = listOf(found);
    const entries: SharedLease[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const lease = decodeTabled(bytesOf(fields[i]), bytesOf(fields[i + 1]));
      if (lease !== undefined) entries.push(lease);
    }
    return { kind: "claim-scan", entries, next: textOf(next) };
  }

  /** The script by its hash, where the store knows it. */
  async #run(store: StoreConnection, args: readonly (string | Uint8Array)[]): Promise<StoreReply> {
    this.#hash ??= textOf(await store.call(["SCRIPT", "LOAD", CLAIM], TIMEOUT));
    return await runScript(store, { text: CLAIM, hash: this.#hash }, LEASE_KEYS, args, TIMEOUT);
  }
}
