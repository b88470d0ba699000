/**
 * Datagrams as they travel between a host and the core: up to 64 at once, in kept buffers.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE } from "./ip_address.ts";

/** The most datagrams in a batch. */
export const BATCH_SIZE = 64;
/** Bytes kept of a datagram. Nothing that means something is longer; a longer one is cut to this. */
export const SLOT_SIZE = 2048;
/** Size of a source: a 16-byte address and a port. */
const SOURCE_SIZE = ADDRESS_SIZE + 2;

/** Datagrams that came in. The host owns it and fills it anew for the next batch. */
export class DatagramBatch {
  /** How many there are. */
  count: number = 0;
  /** The payload of datagram `i` starts at `i * SLOT_SIZE`. */
  readonly payloads: WireBuffer = new WireBuffer(BATCH_SIZE * SLOT_SIZE);
  /** The length of each payload as it was sent; one over {@linkcode SLOT_SIZE} is cut. */
  readonly lengths: Int32Array = new Int32Array(BATCH_SIZE);
  /** Where they come from; see {@linkcode sourceAt}. */
  readonly sources: WireBuffer = new WireBuffer(BATCH_SIZE * SOURCE_SIZE);

  /** Where the 16-byte source address of datagram `i` lies in {@linkcode sources}. */
  sourceAt(i: number): number {
    return i * SOURCE_SIZE;
  }

  /** The source port of datagram `i`. */
  sourcePort(i: number): number {
    return this.sources.view.getUint16(i * SOURCE_SIZE + ADDRESS_SIZE);
  }

  /** Sets the source port of datagram `i`. */
  setSourcePort(i: number, port: number): void {
    this.sources.view.setUint16(i * SOURCE_SIZE + ADDRESS_SIZE, port);
  }
}

/** Beyond the first of each, the answers of wgsig 2 to a batch have so many datagrams together. */
export const MOST_PARTS = 192;
/** Runs in the answers to a batch: one answer can have several. */
const MAX_RUNS = 3 * BATCH_SIZE + MOST_PARTS;

/**
 * Answers to a batch: for one datagram of it a run of datagrams of the same size that lie side by
 * side in a buffer (so that a host can send them with one call).
 */
export class ReplyBatch {
  /** How many runs there are. */
  count = 0;
  /** Which datagram of the batch each answers. */
  readonly to: Int32Array = new Int32Array(MAX_RUNS);
  /** Where each run starts in its buffer. */
  readonly offsets: Int32Array = new Int32Array(MAX_RUNS);
  /** The size of each datagram of a run. */
  readonly sizes: Int32Array = new Int32Array(MAX_RUNS);
  /** How many datagrams a run has. */
  readonly runs: Int32Array = new Int32Array(MAX_RUNS);
  /** The buffer of each run; the core's, unchanged until it is given the next batch. */
  readonly buffers: Uint8Array[] = [];

  /** Adds an answer to datagram `to` of the batch. */
  add(to: number, buffer: Uint8Array, offset: number, size: number, run: number): void {
    const i = this.count++;
    this.to[i] = to;
    this.buffers[i] = buffer;
    this.offsets[i] = offset;
    this.sizes[i] = size;
    this.runs[i] = run;
  }
}
