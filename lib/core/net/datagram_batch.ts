/**
 * Datagrams as they travel between a host and the core: up to 64 at once, in kept buffers.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
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
 * side in a buffer (so that a host can send them with one call). And what goes elsewhere: a datagram of
 * the batch that is passed on lies where it came in.
 */
export class ReplyBatch {
  /** How many runs there are. */
  count = 0;
  /**
   * Which datagram of the batch each answers; from {@linkcode BATCH_SIZE} on, which of the
   * {@linkcode destinations} it goes to.
   */
  readonly to: Int32Array = new Int32Array(MAX_RUNS);
  /** Where runs go that answer none: laid out as the sources of a batch. */
  readonly destinations: WireBuffer = new WireBuffer(BATCH_SIZE * SOURCE_SIZE);
  #destinationCount = 0;
  /** Where each run starts in its buffer. */
  readonly offsets: Int32Array = new Int32Array(MAX_RUNS);
  /** The size of each datagram of a run. */
  readonly sizes: Int32Array = new Int32Array(MAX_RUNS);
  /** How many datagrams a run has. */
  readonly runs: Int32Array = new Int32Array(MAX_RUNS);
  /** The buffer of each run; the core's, unchanged until it is given the next batch. */
  readonly buffers: Uint8Array[] = [];

  /** Begins anew. */
  clear(): void {
    this.count = 0;
    this.#destinationCount = 0;
  }

  /**
   * Adds a destination: as many as a batch has datagrams find room.
   *
   * @param endpoint Holds a 16-byte address and a port at `at`, of the family of the socket.
   * @returns What {@linkcode add} takes for `to`.
   */
  addDestination(endpoint: WireBuffer, at: number): number {
    const i = this.#destinationCount++;
    copyBytes(endpoint, at, this.destinations, i * SOURCE_SIZE, SOURCE_SIZE);
    return BATCH_SIZE + i;
  }

  /** Where the 16-byte address of a destination lies in {@linkcode destinations}. */
  destinationAt(to: number): number {
    return (to - BATCH_SIZE) * SOURCE_SIZE;
  }

  /** The port of a destination. */
  destinationPort(to: number): number {
    return this.destinations.view.getUint16(this.destinationAt(to) + ADDRESS_SIZE);
  }

  /** Adds an answer to datagram `to` of the batch, or what goes to a destination. */
  add(to: number, buffer: Uint8Array, offset: number, size: number, run: number): void {
    const i = this.count++;
    this.to[i] = to;
    this.buffers[i] = buffer;
    this.offsets[i] = offset;
    this.sizes[i] = size;
    this.runs[i] = run;
  }
}
