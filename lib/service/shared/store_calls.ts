/**
 * What a store is asked, and how its answers are read. An answer of another form than it must have is
 * a `StoreRefusal`: whatever answers there is no store.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import type { SharedGone, SharedPeer, SharedWrite, WriteOutcome } from "../../core/shared/store.ts";
import { STORE_FORMAT, type StoreFacts } from "../../core/shared/sharing_steps.ts";
import type { RandomSource } from "../../core/net/random.ts";
import type { StoreCommand, StoreConnection, StoreReply } from "../../host/shared_stores.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { FORGET, GREET, WRITE } from "./scripts.ts";
import { bytesOf, listOf, numberOf, runScript, textOf } from "./store_reply.ts";

/** All keys begin so: the tag has them on one server of a cluster. */
export const KEYS = "{wgsig}:";
const ID_KEY = `${KEYS}id`;
const FORMAT_KEY = `${KEYS}format`;
const CHANGES_KEY = `${KEYS}changes`;
const MAX_AGE_KEY = `${KEYS}max-age`;

/** An answer takes so many seconds at most. */
const TIMEOUT = 5;
/** So many seconds it is waited for changes, before it is asked again. */
const BLOCK = 5;
/** Peers in a piece of a scan, more or less, and writes in an answer about changes. */
const SCAN_COUNT = 512;
const READ_COUNT = 16;
const SIZE_SIZE = 2;
/** What tells a store from others, and a process from others, in bytes. */
const NAME_SIZE = 16;
const WRITER_SIZE = 8;

/** A piece of a group. */
export interface ScannedPiece {
  readonly cursor: string;
  readonly peers: readonly SharedPeer[];
}

/** What has changed in a group. */
export interface StoredChange {
  readonly group: number;
  readonly peers: readonly SharedPeer[];
}

/** What came after a place. */
export interface ReadChanges {
  /** The place of the last; undefined where there is none. */
  readonly last: string | undefined;
  /** Whether there may be more. */
  readonly isAll: boolean;
  readonly changes: readonly StoredChange[];
}

/** Asks a store. */
export class StoreCalls {
  readonly #random: RandomSource;
  readonly #writer = new Uint8Array(WRITER_SIZE);
  /** How the store calls scripts, once it has said so. */
  readonly #hashes = new Map<string, string>();

  /** @param random Draws what tells this process from others, and what stores are named. */
  constructor(random: RandomSource) {
    this.#random = random;
    random(this.#writer);
  }

  /** Who it is. @param maxAge Seconds for which this registry keeps peers that are silent. */
  async greet(store: StoreConnection, maxAge: number): Promise<StoreFacts> {
    const unknown = [WRITE, FORGET].filter((script) => !this.#hashes.has(script));
    const name = new Uint8Array(NAME_SIZE);
    this.#random(name);
    const args = [encodeHex(name), STORE_FORMAT, `${maxAge}`, ...unknown];
    const keys = [ID_KEY, FORMAT_KEY, CHANGES_KEY, MAX_AGE_KEY];
    const [id, format, seconds, micros, run, first, last, policy, ...hashes] = listOf(
      await store.call(["EVAL", GREET, `${keys.length}`, ...keys, ...args], TIMEOUT),
    );
    unknown.forEach((script, i) => this.#hashes.set(script, textOf(hashes[i])));
    const time = numberOf(seconds) + numberOf(micros) / 1e6;
    return {
      id: textOf(id),
      format: textOf(format),
      time,
      run: textOf(run),
      first: textOf(first),
      last: textOf(last),
      // What has no end of its own is thrown away by these alone.
      evicts: textOf(policy).startsWith("allkeys-"),
    };
  }

  /** How many peers it has of a group. */
  async count(store: StoreConnection, group: number): Promise<number> {
    return numberOf(await store.call(["HLEN", peersKey(group)], TIMEOUT));
  }

  /** Reads a piece of a group. */
  async scan(store: StoreConnection, group: number, cursor: string): Promise<ScannedPiece> {
    const command = ["HSCAN", peersKey(group), cursor, "COUNT", `${SCAN_COUNT}`];
    const [next, found] = listOf(await store.call(command, TIMEOUT));
    const fields = listOf(found);
    const peers: SharedPeer[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      peers.push({ id: bytesOf(fields[i]), record: bytesOf(fields[i + 1]) });
    }
    return { cursor: textOf(next), peers };
  }

  /** Writes. Returns what came of it; undefined where it is another store. */
  async write(
    store: StoreConnection,
    id: string,
    { group, records }: SharedWrite,
  ): Promise<WriteOutcome | undefined> {
    const keys = [ID_KEY, peersKey(group), CHANGES_KEY];
    const flat = records.flatMap(({ id, record, wrong = "" }) => [id, record, wrong]);
    const [changed, wasEmpty, ...rest] = listOf(
      await this.#run(store, WRITE, keys, [id, this.#writer, `${group}`, ...flat]),
    );
    const count = numberOf(changed);
    if (count < 0) return undefined;
    const kept: SharedPeer[] = [];
    for (let i = 0; i + 1 < rest.length; i += 2) {
      kept.push({ id: bytesOf(rest[i]), record: bytesOf(rest[i + 1]) });
    }
    return { changed: count, wasEmpty: numberOf(wasEmpty) === 1, kept };
  }

  /** Has it forget who was not heard since. */
  async forget(
    store: StoreConnection,
    { group, notHeardSince, ids }: SharedGone,
  ): Promise<void> {
    const since = new WireBuffer(8);
    since.view.setFloat64(0, notHeardSince);
    await this.#run(store, FORGET, [peersKey(group), MAX_AGE_KEY], [since.bytes, ...ids]);
  }

  /** Waits for changes after a place. */
  async read(store: StoreConnection, after: string): Promise<ReadChanges> {
    const command = ["XREAD", "COUNT", `${READ_COUNT}`, "BLOCK", `${BLOCK * 1000}`, "STREAMS"];
    const reply = await store.call([...command, CHANGES_KEY, after], BLOCK + TIMEOUT);
    if (reply === null) return { last: undefined, isAll: true, changes: [] };
    const [stream] = listOf(reply);
    const entries = listOf(listOf(stream)[1]);
    const changes: StoredChange[] = [];
    let last: string | undefined;
    for (const entry of entries) {
      const [place, fields] = listOf(entry);
      last = textOf(place);
      const change = readChange(listOf(fields));
      if (change !== undefined) changes.push(change);
    }
    return { last, isAll: entries.length < READ_COUNT, changes };
  }

  #run(
    store: StoreConnection,
    text: string,
    keys: readonly string[],
    args: StoreCommand,
  ): Promise<StoreReply> {
    return runScript(store, { text, hash: this.#hashes.get(text) }, keys, args, TIMEOUT);
  }
}

function peersKey(group: number): string {
  return `${KEYS}peers:${group}`;
}

/** What one write has changed; undefined where it is something else's. */
function readChange(fields: readonly StoreReply[]): StoredChange | undefined {
  let group: number | undefined;
  const peers: SharedPeer[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = textOf(fields[i]);
    if (name === "g") group = Number(textOf(fields[i + 1]));
    else if (name === "r") readPeers(bytesOf(fields[i + 1]), peers);
  }
  return group === undefined || !Number.isInteger(group) ? undefined : { group, peers };
}

function readPeers(bytes: Uint8Array, peers: SharedPeer[]): void {
  for (let at = 0; at + ID_SIZE + SIZE_SIZE <= bytes.length;) {
    const id = bytes.subarray(at, at += ID_SIZE);
    const size = bytes[at]! * 256 + bytes[at + 1]!;
    at += SIZE_SIZE;
    if (at + size > bytes.length) return;
    peers.push({ id, record: bytes.subarray(at, at += size) });
  }
}
