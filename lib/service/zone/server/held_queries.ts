/**
 * Queries that wait until a device has been read.
 *
 * @module
 */

import { type DatagramBatch, SLOT_SIZE } from "../../../core/net/datagram_batch.ts";
import { ADDRESS_SIZE } from "../../../core/net/ip_address.ts";
import { copyBytes, WireBuffer } from "../../../wire/bytes/wire_buffer.ts";

/** The most that wait; of a flood, the rest is answered from what is known. */
const MAX_HELD = 256;
/** A query that is longer doesn't wait. */
const MAX_SIZE = 512;

/** A fixed number of queries, each with where it came from. */
export class HeldQueries {
  /** The message of query `i` starts at `i * MAX_SIZE`; see {@linkcode messageAt}. */
  readonly messages: WireBuffer = new WireBuffer(MAX_HELD * MAX_SIZE);
  /** Where they come from; see {@linkcode sourceAt}. */
  readonly sources: WireBuffer = new WireBuffer(MAX_HELD * ADDRESS_SIZE);
  readonly lengths: Int32Array = new Int32Array(MAX_HELD);
  readonly ports: Int32Array = new Int32Array(MAX_HELD);
  /** How many there are. */
  count = 0;

  /** Where the message of query `i` lies. */
  messageAt(i: number): number {
    return i * MAX_SIZE;
  }

  /** Where the 16-byte source address of query `i` lies. */
  sourceAt(i: number): number {
    return i * ADDRESS_SIZE;
  }

  /** Takes datagram `i` of a batch, if there is room. */
  take(batch: DatagramBatch, i: number): boolean {
    const length = batch.lengths[i]!;
    if (this.count === MAX_HELD || length > MAX_SIZE) return false;
    const n = this.count++;
    copyBytes(batch.payloads, i * SLOT_SIZE, this.messages, this.messageAt(n), length);
    copyBytes(batch.sources, batch.sourceAt(i), this.sources, this.sourceAt(n), ADDRESS_SIZE);
    this.lengths[n] = length;
    this.ports[n] = batch.sourcePort(i);
    return true;
  }
}
