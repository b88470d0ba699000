/**
 * Receives datagrams into a batch with one call (recvmmsg) for as many as there are, in kept memory,
 * on 64-bit little-endian Linux. How a message looks: see message_vector.ts; how a source's address
 * does: see socket_address.ts. Sources: recvmmsg(2), recvmsg(2).
 *
 * @module
 */

import { BATCH_SIZE, type DatagramBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { writeIpv4 } from "../../core/net/ip_address.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { BatchLibc } from "./libc.ts";
import { type Pointer, pointersTo } from "./message_vector.ts";

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
/** A datagram that is too long has its length as it was sent, and nothing is waited for. */
const FLAGS = MSG_TRUNC | MSG_DONTWAIT;
/** Room for one source. */
const NAME_SIZE = 32;
const HEADER_SIZE = 64;
const PIECE_SIZE = 16;
// Fields of a header in words of 32 bits, and those of a piece.
const HEADER_WORDS = HEADER_SIZE / 4;
const PIECE_WORDS = PIECE_SIZE / 4;
const NAME = 0;
const NAME_LENGTH = 2;
const IOV = 4;
const IOV_COUNT = 6;
const RECEIVED = 14;
const PIECE_LENGTH = 2;

/** Fills one batch. */
export class ReceiveVector {
  /** What it fills. */
  readonly batch: DatagramBatch;
  /** The scope (the number of an interface) of each source that is link-local; 0 of others. */
  readonly scopes: Uint32Array = new Uint32Array(BATCH_SIZE);
  readonly #libc: BatchLibc;
  readonly #ipv4: boolean;
  readonly #names = new WireBuffer(BATCH_SIZE * NAME_SIZE);
  readonly #scopes = new Uint32Array(this.#names.bytes.buffer);
  readonly #words = new Uint32Array(BATCH_SIZE * (HEADER_WORDS + PIECE_WORDS));
  readonly #headers = new Uint8Array(this.#words.buffer);

  /** @param ipv4 Whether the sockets that it receives from are of IPv4. */
  constructor(libc: BatchLibc, ipv4: boolean, batch: DatagramBatch) {
    this.#libc = libc;
    this.#ipv4 = ipv4;
    this.batch = batch;
    const payloads = pointersTo(libc.addressOf(batch.payloads.bytes), BATCH_SIZE, SLOT_SIZE);
    const names = pointersTo(libc.addressOf(this.#names.bytes), BATCH_SIZE, NAME_SIZE);
    const behind = libc.addressOf(this.#headers) + BigInt(BATCH_SIZE * HEADER_SIZE);
    const pieces = pointersTo(behind, BATCH_SIZE, PIECE_SIZE);
    for (let i = 0; i < BATCH_SIZE; i++) {
      const header = i * HEADER_WORDS;
      const piece = BATCH_SIZE * HEADER_WORDS + i * PIECE_WORDS;
      this.#point(header + NAME, names[i]!);
      this.#words[header + NAME_LENGTH] = NAME_SIZE;
      this.#point(header + IOV, pieces[i]!);
      this.#words[header + IOV_COUNT] = 1;
      this.#point(piece, payloads[i]!);
      this.#words[piece + PIECE_LENGTH] = SLOT_SIZE;
    }
  }

  /**
   * Adds what waits at a socket to the batch, until it has `limit` datagrams.
   *
   * @returns How many came; 0 also where it failed.
   */
  receive(fd: number, limit: number): number {
    const { batch } = this;
    const first = batch.count;
    if (first >= limit) return 0;
    const headers = first === 0 ? this.#headers : this.#headers.subarray(first * HEADER_SIZE);
    const came = this.#libc.recvmmsg(fd, headers, limit - first, FLAGS);
    if (came <= 0) return 0;
    for (let i = first; i < first + came; i++) {
      batch.lengths[i] = this.#words[i * HEADER_WORDS + RECEIVED]!;
      const name = i * NAME_SIZE;
      const source = batch.sourceAt(i);
      batch.setSourcePort(i, this.#names.view.getUint16(name + 2));
      if (this.#ipv4) {
        writeIpv4(batch.sources, source, this.#names.view.getUint32(name + 4));
      } else {
        copyBytes(this.#names, name + 8, batch.sources, source, 16);
        this.scopes[i] = this.#scopes[name / 4 + 6]!;
      }
    }
    batch.count += came;
    return came;
  }

  #point(at: number, { low, high }: Pointer): void {
    this.#words[at] = low;
    this.#words[at + 1] = high;
  }
}

/** Throws datagrams away that nobody has time for. */
export class DatagramSink {
  readonly #libc: BatchLibc;
  /** Without room for anything: neither where they come from nor what they say. */
  readonly #headers = new Uint8Array(BATCH_SIZE * HEADER_SIZE);

  /** Makes one for any number of sockets. */
  constructor(libc: BatchLibc) {
    this.#libc = libc;
    libc.addressOf(this.#headers);
  }

  /** Throws away what waits at a socket, at most `limit` datagrams; returns how many. */
  discard(fd: number, limit: number): number {
    let all = 0;
    while (all < limit) {
      const came = this.#libc.recvmmsg(fd, this.#headers, BATCH_SIZE, MSG_DONTWAIT);
      if (came <= 0) break;
      all += came;
      if (came < BATCH_SIZE) break;
    }
    return all;
  }
}
