/**
 * A question and answers of wgsig 2, in kept buffers: what a registry and a client do per poll.
 *
 * @module
 */

import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { TAG_SIZE } from "../../lib/wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import type { Primitives } from "../../lib/wire/crypto/primitives.ts";
import {
  decodeAnswer,
  encodeAnswer,
  newAnswer,
  type RecordSpan,
} from "../../lib/wire/wgsig2/answer.ts";
import { CANDIDATE, type Candidate } from "../../lib/wire/wgsig2/candidate.ts";
import {
  DATAGRAM,
  DATAGRAM_NONCE,
  MAX_DATAGRAM_SIZE,
  openDatagram,
  sealDatagram,
  writeDatagramHeader,
} from "../../lib/wire/wgsig2/datagram.ts";
import { GroupKeys, PEER_KEYS_SIZE, PeerAgreement, PeerKeys } from "../../lib/wire/wgsig2/keys.ts";
import {
  decodeQuestion,
  encodeQuestion,
  newQuestion,
  proveQuestion,
  QUESTION_FLAG,
  verifyProof,
} from "../../lib/wire/wgsig2/question.ts";
import { newPeerNews, readPeerNews, writePeerNews } from "../../lib/wire/wgsig2/record.ts";

function fill(candidate: Candidate, kind: number): void {
  candidate.address.bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]);
  candidate.kind = kind;
  candidate.port = 51820;
}

/** Two sides of one poll. */
export class Wgsig2Poll {
  readonly #agreement: PeerAgreement;
  readonly #group: GroupKeys;
  readonly #peer: PeerKeys;
  readonly #peerId: WireBuffer;
  readonly #keys = new WireBuffer(PEER_KEYS_SIZE);
  readonly #asked = new WireBuffer(MAX_DATAGRAM_SIZE);
  readonly #heard = new WireBuffer(MAX_DATAGRAM_SIZE);
  readonly #answered = new WireBuffer(MAX_DATAGRAM_SIZE);
  readonly #question = newQuestion();
  readonly #readQuestion = newQuestion();
  readonly #answer = newAnswer();
  readonly #readAnswer = newAnswer();
  readonly #news = newPeerNews();
  readonly #readNews = newPeerNews();
  readonly #records: RecordSpan = { at: 0, end: 0 };
  readonly #nonce = new WireBuffer(24);
  #questionSize = 0;
  #answerSize = 0;

  constructor(secret: Uint8Array, primitives: Primitives) {
    const [own, server] = [1, 2].map((byte) =>
      new ExchangeKey(new Uint8Array(32).fill(byte), primitives)
    );
    this.#group = new GroupKeys(secret, 0, primitives);
    this.#peerId = own!.publicKey;
    this.#agreement = new PeerAgreement(server!, "registry", secret, primitives);
    this.agree();
    this.#peer = new PeerKeys(this.#keys, 0, primitives);
    const question = this.#question;
    Object.assign(question, {
      seconds: 1_700_000_000,
      flags: QUESTION_FLAG.proved | QUESTION_FLAG.subscribe,
    });
    question.id.bytes.set(own!.publicKey.bytes);
    question.cookie.isGiven = question.key.isGiven = question.wants.isGiven = true;
    question.wants.count = 1;
    this.#answer.seconds = 1_700_000_000;
    fill(this.#answer.seen, CANDIDATE.seen);
    const { candidates } = this.#news;
    [CANDIDATE.seen, CANDIDATE.lan, CANDIDATE.mapped].forEach((kind, i) => {
      fill(candidates.slots[i]!, kind);
    });
    candidates.count = 3;
    this.ask();
    this.reply(0);
  }

  /** A registry derives the keys that it shares with a peer. */
  agree(): void {
    this.#agreement.agree(this.#peerId, 0, this.#keys, 0);
  }

  /** A client writes, proves and seals its question. Returns its size. */
  ask(): number {
    const out = this.#asked;
    writeDatagramHeader(DATAGRAM.question, 0, this.#nonce, 0, out, 0);
    const size = encodeQuestion(this.#question, out, 0);
    proveQuestion(this.#peer.prove, out, 0, size);
    sealDatagram(this.#group.question, out, 0, size);
    this.#questionSize = size;
    return size;
  }

  /** A registry opens and reads it, with the keys of one of its peers, and looks at its proof. */
  hear(): boolean {
    // Opening changes the bytes.
    const copy = this.#heard;
    copy.bytes.set(this.#asked.bytes);
    const size = this.#questionSize;
    const isOpen = openDatagram(this.#group.question, copy, 0, size);
    if (!isOpen || !decodeQuestion(copy, 0, size, this.#readQuestion)) return false;
    this.#peer.rekey(this.#keys, 0);
    return verifyProof(this.#peer.prove, copy, 0, size);
  }

  /** A registry writes and seals its answer with so many records. Returns its size. */
  reply(records: number): number {
    const out = this.#answered;
    writeDatagramHeader(DATAGRAM.answer, 0, this.#nonce, 0, out, 0);
    let end = encodeAnswer(this.#answer, out, 0);
    for (let i = 0; i < records; i++) end = writePeerNews(this.#news, out, end);
    this.#answerSize = end + TAG_SIZE;
    sealDatagram(this.#peer.answer, out, 0, end + TAG_SIZE, this.#asked, DATAGRAM_NONCE);
    return this.#answerSize;
  }

  /** A client opens and reads it. Returns how many records there are, or -1. */
  learn(): number {
    const copy = this.#heard;
    copy.bytes.set(this.#answered.bytes);
    const size = this.#answerSize;
    const span = this.#records;
    const isOpen = openDatagram(this.#peer.answer, copy, 0, size, this.#asked, DATAGRAM_NONCE);
    if (!isOpen || !decodeAnswer(copy, 0, size, this.#readAnswer, span)) return -1;
    let count = 0;
    for (let at = span.at; at < span.end; count++) {
      at = readPeerNews(copy, at, span.end, this.#readNews);
    }
    return count;
  }

  /** A registry is sent something that looks like a question. */
  refuse(): boolean {
    return openDatagram(this.#group.answer, this.#asked, 0, this.#questionSize);
  }
}
