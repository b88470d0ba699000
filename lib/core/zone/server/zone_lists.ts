/**
 * What a view of a zone says of its lists: which instances there are, all of them or those whose keys
 * begin with a prefix. Described in zone.ts.
 *
 * @module
 */

import { ADDITIONAL, ANSWER, type AnswerWriter } from "../../../wire/dns/answer.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { isSameKey, KeyList, LIST_IDENTITY_SIZE, prefixOf } from "./key_list.ts";
import type { ZoneName } from "./node.ts";
import type { ZonePeers } from "./peers.ts";
import { COUNT_SIZE, PTR_SIZE, writeCount, writeInstancePtr } from "./records.ts";

/** All lists of a view, one after the other. */
export class ZoneLists {
  readonly #keys: KeyList;
  readonly #ttl: number;
  readonly #identity = new WireBuffer(LIST_IDENTITY_SIZE);
  // Of the list that was looked for last:
  #prefix = 0;
  #prefixLength = 0;
  /** The device's own key, if it is in that list. */
  #own: WireBuffer | undefined;
  #count = 0;

  /**
   * Lists the peers of `sources`.
   *
   * @param ttl TTL of the records, in seconds.
   * @param views How many views the zone has: all of them may be asked for their lists.
   */
  constructor(sources: readonly ZonePeers[], ttl: number, views: number) {
    this.#keys = new KeyList(sources, views);
    this.#ttl = ttl;
  }

  /**
   * Looks for the list of a name.
   *
   * @param own The device's own key, where it is published.
   * @param mono A clock that never jumps, in seconds.
   * @returns How many instances it has.
   */
  find({ prefix, prefixLength }: ZoneName, own: WireBuffer | undefined, mono: number): number {
    const keys = this.#keys;
    keys.refresh(mono);
    this.#prefix = prefix;
    this.#prefixLength = prefixLength;
    const isListed = own !== undefined && prefixOf(own, 0, prefixLength) === prefix;
    this.#own = isListed ? own : undefined;
    const count = keys.countOf(prefix, prefixLength);
    this.#count = isListed && !keys.has(own, 0) ? count + 1 : count;
    return this.#count;
  }

  /** How many instances the list has that was looked for last. */
  get count(): number {
    return this.#count;
  }

  /** Writes how many it has, as an answer. Returns whether that fits. */
  writeCount(writer: AnswerWriter): boolean {
    return writeCount(writer, ANSWER, this.#ttl, this.#count);
  }

  /**
   * Writes the instances as an answer: as many as there is room for over TCP, and over UDP all or none.
   *
   * @param service The offset in the message of the service's name.
   * @returns Whether they fit. If not, nothing of them stays.
   */
  write(transport: "udp" | "tcp", service: number, writer: AnswerWriter): boolean {
    const total = this.#count;
    const isWhole = total * PTR_SIZE <= writer.roomOf(1);
    if (isWhole || transport === "tcp") {
      const most = isWhole ? total : Math.floor((writer.roomOf(2) - COUNT_SIZE) / PTR_SIZE);
      this.#writeKeys(most, service, writer);
      if (!this.#close(most, writer)) return false;
    } else writer.truncate();
    if (!isWhole) writeCount(writer, ADDITIONAL, this.#ttl, total);
    return true;
  }

  /** Ends the set of the `most` instances that were written. Returns whether it fits. */
  #close(most: number, writer: AnswerWriter): boolean {
    if (!writer.isCovered) return writer.closeSet(true);
    this.#keys.identify(this.#prefix, this.#prefixLength, most, this.#own, this.#identity);
    return writer.closeSet(true, this.#identity);
  }

  /** Writes `most` instances, the device itself first. */
  #writeKeys(most: number, service: number, writer: AnswerWriter): void {
    const keys = this.#keys;
    const own = this.#own;
    let left = most;
    if (own !== undefined && left-- > 0) writeInstancePtr(writer, this.#ttl, own, 0, service);
    if (this.#prefixLength === 0 && (own === undefined || !keys.has(own, 0))) {
      writer.records(keys.records(this.#ttl), PTR_SIZE, left);
      return;
    }
    for (let i = 0; left > 0; i++) {
      const at = keys.keyAt(this.#prefix, this.#prefixLength, i);
      if (own !== undefined && isSameKey(own, 0, keys.keys, at)) continue;
      writeInstancePtr(writer, this.#ttl, keys.keys, at, service);
      left--;
    }
  }
}
