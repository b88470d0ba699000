/**
 * A peer that asks in wgsig 2, for benches: it proves its key, has three candidates and wants one peer.
 *
 * @module
 */

import { NonceSource, type RandomSource } from "../../lib/core/net/random.ts";
import { copyBytes, WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { LONG_NONCE_SIZE } from "../../lib/wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import type { Primitives } from "../../lib/wire/crypto/primitives.ts";
import { compareLabels, type Label } from "../../lib/wire/wgsig/tai64n.ts";
import {
  type Answer,
  decodeAnswer,
  newAnswer,
  type RecordSpan,
} from "../../lib/wire/wgsig2/answer.ts";
import { CANDIDATE } from "../../lib/wire/wgsig2/candidate.ts";
import {
  DATAGRAM,
  MAX_DATAGRAM_SIZE,
  openDatagram,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../lib/wire/wgsig2/datagram.ts";
import { GroupKeys, PEER_KEYS_SIZE, PeerAgreement, PeerKeys } from "../../lib/wire/wgsig2/keys.ts";
import { PREFIX_SIZE } from "../../lib/wire/wgsig2/option.ts";
import {
  encodeQuestion,
  newQuestion,
  proveQuestion,
  type Question,
  QUESTION_FLAG,
} from "../../lib/wire/wgsig2/question.ts";
import { decodeRetry, newRetry, type Retry } from "../../lib/wire/wgsig2/retry.ts";

/** What all peers of a bench have in common. */
export interface PeerKit {
  readonly primitives: Primitives;
  readonly secret: Uint8Array;
  readonly keys: GroupKeys;
  readonly nonces: NonceSource;
  readonly random: RandomSource;
}

/** Makes what peers have in common. */
export function peerKit(secret: Uint8Array, primitives: Primitives, random: RandomSource): PeerKit {
  const keys = new GroupKeys(secret, 0, primitives);
  return { primitives, secret, keys, nonces: new NonceSource(random, LONG_NONCE_SIZE), random };
}

/** One peer. */
export class QuestionPeer {
  /** What it asks. */
  readonly question: Question = newQuestion();
  /** What it was answered last, */
  readonly answer: Answer = newAnswer();
  /** or told to do. */
  readonly retry: Retry = newRetry();
  readonly #kit: PeerKit;
  #own: ExchangeKey;
  #keys: PeerKeys | undefined;
  readonly #nonce = new WireBuffer(LONG_NONCE_SIZE);
  readonly #opened = new WireBuffer(MAX_DATAGRAM_SIZE);
  readonly #span: RecordSpan = { at: 0, end: 0 };

  /** @param wanted The public key of who it wants; its own where left out. */
  constructor(kit: PeerKit, serverKey: WireBuffer | undefined, wanted?: WireBuffer) {
    this.#kit = kit;
    const { question } = this;
    this.#own = this.#draw();
    question.flags = QUESTION_FLAG.proved;
    question.wants.isGiven = true;
    question.wants.count = 1;
    copyBytes(wanted ?? question.id, 0, question.wants.bytes, 0, PREFIX_SIZE);
    [CANDIDATE.lan, CANDIDATE.mapped, CANDIDATE.declared].forEach((kind, i) => {
      const slot = question.candidates.slots[i]!;
      slot.kind = kind;
      slot.port = 51820 + i;
      kit.random(slot.address.bytes);
      if (kind !== CANDIDATE.mapped) {
        slot.address.bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]);
      }
    });
    question.candidates.count = 3;
    if (serverKey !== undefined) this.#learn(serverKey);
  }

  /** Becomes another peer, that knows nothing but the registry's key. */
  renew(serverKey: WireBuffer): void {
    const { question } = this;
    this.#own = this.#draw();
    question.cookie.isGiven = false;
    question.version = question.seconds = 0;
    this.#learn(serverKey);
  }

  #draw(): ExchangeKey {
    const privateKey = new Uint8Array(32);
    this.#kit.random(privateKey);
    const own = new ExchangeKey(privateKey, this.#kit.primitives);
    copyBytes(own.publicKey, 0, this.question.id, 0, 32);
    return own;
  }

  #learn(serverKey: WireBuffer): void {
    const { primitives, secret } = this.#kit;
    const keys = new WireBuffer(PEER_KEYS_SIZE);
    new PeerAgreement(this.#own, "peer", secret, primitives).agree(serverKey, 0, keys, 0);
    this.#keys = new PeerKeys(keys, 0, primitives);
    this.question.key.isGiven = true;
    copyBytes(serverKey, 0, this.question.key.value, 0, PREFIX_SIZE);
  }

  /** Writes the next question at `at`, and returns its size. */
  ask(label: Label, buffer: WireBuffer, at: number): number {
    const { question } = this;
    const { nonces, keys } = this.#kit;
    if (compareLabels(label, question) <= 0) question.nanoseconds++;
    else Object.assign(question, label);
    copyBytes(nonces.buffer, nonces.next(), this.#nonce, 0, LONG_NONCE_SIZE);
    writeDatagramHeader(DATAGRAM.question, 0, this.#nonce, 0, buffer, at);
    const size = encodeQuestion(question, buffer, at);
    if (this.#keys !== undefined) proveQuestion(this.#keys.prove, buffer, at, size);
    sealDatagram(keys.question, buffer, at, size);
    return size;
  }

  /** Takes a datagram in. Returns what it is, or undefined where it isn't for this peer's question. */
  hear(buffer: WireBuffer, at: number, length: number): "answer" | "retry" | undefined {
    const opened = this.#opened;
    const { question, answer, retry } = this;
    if (length > opened.size) return undefined;
    opened.bytes.set(buffer.bytes.subarray(at, at + length));
    const type = readDatagramType(opened, 0, length);
    const isRetry = type === DATAGRAM.retry;
    const key = isRetry ? this.#kit.keys.answer : this.#keys?.answer;
    if (key === undefined || !openDatagram(key, opened, 0, length, this.#nonce)) return undefined;
    const { cookie, serverKey } = isRetry ? retry : answer;
    const isRead = isRetry
      ? decodeRetry(opened, 0, length, retry)
      : decodeAnswer(opened, 0, length, answer, this.#span);
    if (!isRead) return undefined;
    if (cookie.isGiven) {
      question.cookie.isGiven = true;
      copyBytes(cookie.value, 0, question.cookie.value, 0, cookie.value.size);
    }
    if (isRetry) {
      if (this.#keys === undefined && serverKey.isGiven) this.#learn(serverKey.value);
      return "retry";
    }
    question.version = answer.version;
    copyBytes(answer.epoch, 0, question.epoch, 0, answer.epoch.size);
    return "answer";
  }
}
