/**
 * What the peers of a crowd say and hear: one object for all of them, with what differs in typed arrays.
 *
 * @module
 */

import { NonceSource } from "../../lib/core/net/random.ts";
import type { Host } from "../../lib/host/host.ts";
import { copyBytes, WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { LONG_NONCE_SIZE } from "../../lib/wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { MacKey } from "../../lib/wire/crypto/mac.ts";
import { encodeRequest, newRequest, REQUEST_SIZE } from "../../lib/wire/wgsig/request.ts";
import type { Label } from "../../lib/wire/wgsig/tai64n.ts";
import { decodeAnswer, newAnswer } from "../../lib/wire/wgsig2/answer.ts";
import {
  DATAGRAM,
  openDatagram,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../lib/wire/wgsig2/datagram.ts";
import { GroupKeys, PEER_KEYS_SIZE, PeerAgreement, PeerKeys } from "../../lib/wire/wgsig2/keys.ts";
import { PREFIX_SIZE } from "../../lib/wire/wgsig2/option.ts";
import { decodePush, newPush } from "../../lib/wire/wgsig2/push.ts";
import {
  encodeQuestion,
  newQuestion,
  proveQuestion,
  QUESTION_FLAG,
} from "../../lib/wire/wgsig2/question.ts";
import { decodeRetry, newRetry, RETRY } from "../../lib/wire/wgsig2/retry.ts";
import { setCrowdPlaces, writeCrowdId, writeCrowdPrefix } from "./crowd.ts";

/** What a datagram was. */
export type Heard = "answer" | "retry" | "busy" | "push" | undefined;

/** Where the questions of a crowd go through: what its registry has said to its address. */
export interface CrowdPlace {
  /** The registry's number. */
  readonly registry: number;
  readonly cookie: WireBuffer;
  hasCookie: boolean;
}

/** What a peer asks. */
export interface CrowdQuestion {
  readonly peer: number;
  /** Who is asked for. */
  readonly wanted: number;
  /** Whether the changes of that one are to be pushed. */
  readonly follows: boolean;
  readonly label: Label;
}

/** Speaks for all of them. */
export class CrowdPeers {
  /** How many keys were computed. */
  exchanges = 0;
  /** The push that was heard last. */
  readonly push = newPush();
  readonly #own: ExchangeKey;
  readonly #group: GroupKeys;
  readonly #mac: MacKey;
  readonly #agreement: PeerAgreement;
  readonly #keys: PeerKeys;
  readonly #nonces: NonceSource;
  readonly #request = newRequest();
  readonly #question = newQuestion();
  readonly #answer = newAnswer();
  readonly #retry = newRetry();
  readonly #span = { at: 0, end: 0 };
  // By peer.
  readonly #stored: WireBuffer;
  readonly #hasKeys: Uint8Array;
  readonly #versions: Float64Array;
  readonly #acks: Uint32Array;
  // By registry.
  readonly #epochs: WireBuffer[];

  /** @param count How many peers of wgsig 2 there are, newcomers among them. */
  constructor(host: Host, secret: Uint8Array, key: Uint8Array, count: number, registries: number) {
    const { primitives } = host;
    this.#own = new ExchangeKey(key, primitives);
    this.#group = new GroupKeys(secret, 0, primitives);
    this.#mac = new MacKey(secret, primitives);
    this.#agreement = new PeerAgreement(this.#own, "registry", secret, primitives);
    this.#keys = new PeerKeys(new WireBuffer(PEER_KEYS_SIZE), 0, primitives);
    this.#nonces = new NonceSource((bytes) => host.random(bytes), LONG_NONCE_SIZE);
    this.#stored = new WireBuffer(count * PEER_KEYS_SIZE);
    this.#hasKeys = new Uint8Array(count);
    this.#versions = new Float64Array(count);
    this.#acks = new Uint32Array(count);
    this.#epochs = Array.from({ length: registries }, () => new WireBuffer(8));
    const question = this.#question;
    question.wants.isGiven = true;
    question.wants.count = 1;
    question.key.isGiven = true;
    copyBytes(this.#own.publicKey, 0, question.key.value, 0, PREFIX_SIZE);
  }

  /** Whether a peer was answered before. */
  isKnown(peer: number): boolean {
    return this.#versions[peer]! > 0;
  }

  /** Writes a request of the first protocol to the start of `out`, and returns its size. */
  askFirst(peer: number, label: Label, out: WireBuffer): number {
    const request = this.#request;
    writeCrowdId(peer, request.id, 0);
    request.seconds = label.seconds;
    request.nanoseconds = label.nanoseconds;
    encodeRequest(request, this.#mac, out, 0);
    return REQUEST_SIZE;
  }

  /**
   * Writes a question to the start of `out`, and its nonce to `nonces` at `nonceAt`.
   *
   * @returns Its size.
   */
  ask(
    { peer, wanted, follows, label }: CrowdQuestion,
    place: CrowdPlace,
    out: WireBuffer,
    nonces: WireBuffer,
    nonceAt: number,
  ): number {
    const question = this.#question;
    writeCrowdId(peer, question.id, 0);
    writeCrowdPrefix(wanted, question.wants.bytes, 0);
    question.candidates.count = setCrowdPlaces(peer, question.candidates);
    question.flags = QUESTION_FLAG.proved | (follows ? QUESTION_FLAG.subscribe : 0);
    question.seconds = label.seconds;
    question.nanoseconds = label.nanoseconds;
    question.version = this.#versions[peer]!;
    question.ack = this.#acks[peer]!;
    copyBytes(this.#epochs[place.registry]!, 0, question.epoch, 0, 8);
    question.cookie.isGiven = place.hasCookie;
    copyBytes(place.cookie, 0, question.cookie.value, 0, place.cookie.size);
    this.#select(peer);
    copyBytes(this.#nonces.buffer, this.#nonces.next(), nonces, nonceAt, LONG_NONCE_SIZE);
    writeDatagramHeader(DATAGRAM.question, 0, nonces, nonceAt, out, 0);
    const size = encodeQuestion(question, out, 0);
    proveQuestion(this.#keys.prove, out, 0, size);
    sealDatagram(this.#group.question, out, 0, size);
    return size;
  }

  /** Takes a datagram in, where it belongs to the question with that nonce. */
  hear(
    peer: number,
    place: CrowdPlace,
    datagram: WireBuffer,
    length: number,
    nonces: WireBuffer,
    nonceAt: number,
  ): Heard {
    const type = readDatagramType(datagram, 0, length);
    const isRetry = type === DATAGRAM.retry;
    this.#select(peer);
    const key = isRetry ? this.#group.answer : this.#keys.answer;
    if (!openDatagram(key, datagram, 0, length, nonces, nonceAt)) return undefined;
    if (type === DATAGRAM.push) {
      if (!decodePush(datagram, 0, length, this.push, this.#span)) return undefined;
      this.#acks[peer] = this.push.counter;
      this.#versions[peer] = Math.max(this.#versions[peer]!, this.push.version);
      return "push";
    }
    const isRead = isRetry
      ? decodeRetry(datagram, 0, length, this.#retry)
      : decodeAnswer(datagram, 0, length, this.#answer, this.#span);
    if (!isRead) return undefined;
    const { cookie } = isRetry ? this.#retry : this.#answer;
    if (cookie.isGiven) {
      place.hasCookie = true;
      copyBytes(cookie.value, 0, place.cookie, 0, place.cookie.size);
    }
    if (isRetry) return this.#retry.reason === RETRY.busy ? "busy" : "retry";
    this.#versions[peer] = this.#answer.version;
    copyBytes(this.#answer.epoch, 0, this.#epochs[place.registry]!, 0, 8);
    return "answer";
  }

  #select(peer: number): void {
    const at = peer * PEER_KEYS_SIZE;
    if (this.#hasKeys[peer] === 0) {
      const id = this.#request.id;
      writeCrowdId(peer, id, 0);
      this.#agreement.agree(id, 0, this.#stored, at);
      this.#hasKeys[peer] = 1;
      this.exchanges++;
    }
    this.#keys.rekey(this.#stored, at);
  }
}
