/**
 * Joins as they are sent, and what is said to them.
 *
 * @module
 */

import { assert } from "@std/assert";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import {
  DATAGRAM,
  openDatagram,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../lib/wire/wgsig2/datagram.ts";
import {
  decodeJoined,
  encodeJoin,
  JOIN_RESULT,
  JOIN_SIZE,
  type Joined,
  newJoined,
} from "../../lib/wire/wgsig2/join.ts";
import { JoinKeys, TokenKeys } from "../../lib/wire/wgsig2/join_keys.ts";
import { proveQuestion } from "../../lib/wire/wgsig2/question.ts";

/** What a join is made with; the rest is right. */
export interface Joining {
  /** Public S. */
  readonly serverKey: Uint8Array;
  readonly token: Uint8Array;
  /** Of the peer that joins. */
  readonly privateKey: Uint8Array;
  /** 24 random bytes. */
  readonly nonce: Uint8Array;
  /** Another private key that the proof is made with, */
  readonly provedBy?: Uint8Array | undefined;
  /** another TAG, */
  readonly tag?: number | undefined;
  /** another public key in the datagram. */
  readonly key?: Uint8Array | undefined;
}

/** A join that was made. */
export class MadeJoin {
  readonly payload: Uint8Array;
  /** The public key of the peer that joins. */
  readonly id: Uint8Array;
  readonly #keys: JoinKeys;
  readonly #nonce: WireBuffer;

  constructor({ serverKey, token, privateKey, nonce, provedBy, tag, key }: Joining) {
    const made = new TokenKeys(token, serverKey, PORTABLE);
    const own = new ExchangeKey(privateKey, PORTABLE);
    const prover = provedBy === undefined ? own : new ExchangeKey(provedBy, PORTABLE);
    const keys = JoinKeys.agree(prover, "peer", serverKey, token, PORTABLE);
    assert(keys !== undefined);
    this.#keys = keys;
    this.#nonce = new WireBuffer(nonce);
    this.id = own.publicKey.bytes;
    const buffer = new WireBuffer(JOIN_SIZE);
    writeDatagramHeader(DATAGRAM.join, tag ?? made.tag, this.#nonce, 0, buffer, 0);
    encodeJoin(key === undefined ? own.publicKey : new WireBuffer(key), buffer, 0);
    proveQuestion(keys.prove, buffer, 0, JOIN_SIZE);
    sealDatagram(made.join, buffer, 0, JOIN_SIZE);
    this.payload = buffer.bytes;
  }

  /** What an answer says: its result in words, and the rest. */
  read(answer: Uint8Array): { readonly result: string; readonly told: Joined } {
    assert(answer.length <= this.payload.length);
    const buffer = new WireBuffer(answer.slice());
    assert(readDatagramType(buffer, 0, buffer.size) === DATAGRAM.joined);
    assert(openDatagram(this.#keys.answer, buffer, 0, buffer.size, this.#nonce));
    const told = newJoined();
    assert(decodeJoined(buffer, 0, buffer.size, told));
    const [result] = Object.entries(JOIN_RESULT).find(([, value]) => value === told.result)!;
    return { result, told };
  }
}
