/**
 * A client of wgsig 2 for tests: it makes questions, follows what retries say, and puts together what
 * answers and pushes tell. It decides nothing that a test does not ask for.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { formatHostPort, parseHostPort } from "../../lib/core/net/host_port.ts";
import { formatAddress, parseAddress } from "../../lib/core/net/ip_address.ts";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import type { RandomSource } from "../../lib/core/net/random.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import type { AeadKey } from "../../lib/wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import type { Primitives } from "../../lib/wire/crypto/primitives.ts";
import { compareLabels, type Label, labelOf } from "../../lib/wire/wgsig/tai64n.ts";
import { ANSWER_FLAG, decodeAnswer, newAnswer } from "../../lib/wire/wgsig2/answer.ts";
import type { Candidate } from "../../lib/wire/wgsig2/candidate.ts";
import {
  DATAGRAM,
  openDatagram,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../lib/wire/wgsig2/datagram.ts";
import { GroupKeys, PEER_KEYS_SIZE, PeerAgreement, PeerKeys } from "../../lib/wire/wgsig2/keys.ts";
import type { PrefixList } from "../../lib/wire/wgsig2/option.ts";
import { decodePush, newPush } from "../../lib/wire/wgsig2/push.ts";
import {
  encodeQuestion,
  newQuestion,
  proveQuestion,
  QUESTION_FLAG,
} from "../../lib/wire/wgsig2/question.ts";
import {
  newPeerNews,
  type PeerNews,
  readPeerNews,
  RECORD_FLAG,
} from "../../lib/wire/wgsig2/record.ts";
import { decodeRetry, newRetry, RETRY } from "../../lib/wire/wgsig2/retry.ts";
import { seededRandom } from "./seeded_random.ts";

const KINDS = ["?", "seen", "lan", "mapped", "declared", "relay"];
const REASONS = Object.fromEntries(Object.entries(RETRY).map(([name, value]) => [value, name]));

/** A private key of its own for each number. */
export function privateKeyOf(number: number): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(32);
  seededRandom(0x5eed + number)(key);
  return key;
}

/** What a client is made with. */
export interface QuestionClientOptions {
  readonly secret: Uint8Array;
  readonly privateKey: Uint8Array;
  readonly group?: number;
  readonly random?: RandomSource;
  readonly primitives?: Primitives;
  /** The registry's public key, where it is known from the beginning. */
  readonly serverKey?: Uint8Array;
  /** Whether it never proves anything. */
  readonly unproved?: boolean;
  /** Another peer's ID in the place of its own: it can't prove that. */
  readonly id?: Uint8Array;
}

/** What a question has beyond what its client knows. */
export interface Asking {
  readonly flags?: number;
  /** Public keys. */
  readonly wants?: readonly Uint8Array[];
  /** Public keys of peers that are wanted through the relay, */
  readonly relayed?: readonly Uint8Array[];
  /** and of those to whom there is a direct path. */
  readonly directs?: readonly Uint8Array[];
  /** `lan 192.168.1.2:51820`, `mapped [2001:db8::1]:5`, … */
  readonly candidates?: readonly string[];
  /** The label, where it is not the client's next. */
  readonly label?: Label;
  /** Where it is not what the client has: undefined for none. */
  readonly cookie?: Uint8Array | undefined;
  /** The version of the roster that it says it knows: it follows that. */
  readonly roster?: number;
  /** The size that it is padded to. */
  readonly size?: number;
}

/** What is known of a peer. */
export interface KnownPeer {
  readonly flags: number;
  readonly age: number;
  /** As {@linkcode Asking} has them, with `seen` and `relay`. */
  readonly candidates: readonly string[];
}

/** What a datagram said. */
export type Heard = {
  readonly kind: "answer";
  readonly flags: number;
  readonly offers: number;
  readonly version: number;
  readonly part: number;
  readonly parts: number;
  /** The keys of its records, in their order. */
  readonly told: readonly string[];
} | {
  readonly kind: "retry";
  readonly reason: string;
  readonly time: Label;
} | {
  readonly kind: "push";
  readonly counter: number;
  readonly previous: number;
  readonly version: number;
  readonly told: readonly string[];
};

function candidateText({ kind, address, port }: Candidate): string {
  return `${KINDS[kind]} ${formatHostPort({ host: formatAddress(address, 0), port })}`;
}

function readCandidateText(text: string, into: Candidate): void {
  const [kind = "", rest = ""] = text.split(" ");
  const place = parseHostPort(rest);
  assert(place !== undefined && KINDS.includes(kind), `"${text}" is no candidate`);
  into.kind = KINDS.indexOf(kind);
  into.port = place.port;
  assert(parseAddress(place.host, into.address, 0));
}

function writeKeys(list: PrefixList, keys: readonly Uint8Array[] | undefined): void {
  if (keys === undefined) return;
  list.isGiven = true;
  list.count = keys.length;
  keys.forEach((id, i) => list.bytes.bytes.set(id.subarray(0, 8), 8 * i));
}

/** What a client asks through. */
export interface QuestionSocket {
  send(datagram: Uint8Array): Promise<void>;
  next(): Promise<Uint8Array>;
}

/** One peer, and what it knows of a registry. */
export class QuestionClient {
  readonly id: Uint8Array;
  /** The peers that it knows, by key. */
  readonly peers = new Map<string, KnownPeer>();
  /** Seconds by which its labels are ahead of the clock that it is told. */
  ahead = 0;
  cookie: Uint8Array | undefined;
  serverKey: Uint8Array | undefined;
  epoch = new Uint8Array(8);
  version = 0;
  /** COUNTER of the last push. */
  ack = 0;
  /** Where the registry has seen it. */
  seen = "";
  /** Its other ports, as far as the last answer had them. */
  also: readonly number[] = [];
  /** The version of the roster that the last answer told; -1 for none. */
  roster = -1;
  /** What it has heard, in order. */
  readonly heard: Heard[] = [];
  readonly #options: QuestionClientOptions;
  readonly #keys: GroupKeys;
  readonly #primitives: Primitives;
  readonly #random: RandomSource;
  #last: Label = { seconds: 0, nanoseconds: 0 };
  #nonce = new Uint8Array(24);
  /** NONCE of the question that pushes belong to: the last one that has subscribed. */
  subscribed: Uint8Array = new Uint8Array(24);
  #isProved = false;
  #parts = 0;
  /** Keys take long on QuickJS. */
  #agreed: { readonly serverKey: Uint8Array; readonly keys: PeerKeys | undefined } | undefined;

  constructor(options: QuestionClientOptions) {
    this.#options = options;
    this.#primitives = options.primitives ?? PORTABLE;
    this.#random = options.random ??
      seededRandom(options.privateKey[0]! * 256 + options.privateKey[1]!);
    this.#keys = new GroupKeys(options.secret, options.group ?? 0, this.#primitives);
    this.id = options.id ?? new ExchangeKey(options.privateKey, this.#primitives).publicKey.bytes;
    this.serverKey = options.serverKey;
  }

  /** Its public key as text. */
  get key(): string {
    return formatKey(this.id);
  }

  /** What it shares with the registry, by its keys. */
  get peerKeys(): PeerKeys | undefined {
    if (this.serverKey === undefined || this.#options.unproved === true) return undefined;
    if (this.#agreed?.serverKey === this.serverKey) return this.#agreed.keys;
    const keys = this.#agree(this.serverKey);
    this.#agreed = { serverKey: this.serverKey, keys };
    return keys;
  }

  #agree(serverKey: Uint8Array): PeerKeys | undefined {
    const own = new ExchangeKey(this.#options.privateKey, this.#primitives);
    const agreement = new PeerAgreement(own, "peer", this.#options.secret, this.#primitives);
    const keys = new WireBuffer(PEER_KEYS_SIZE);
    const isThere = agreement.agree(new WireBuffer(serverKey), 0, keys, 0);
    return isThere ? new PeerKeys(keys, 0, this.#primitives) : undefined;
  }

  /** A question as it is sent; proved where the registry's key is known. @param unix The time. */
  ask(unix: number, asking: Asking = {}): Uint8Array {
    const question = newQuestion();
    const buffer = new WireBuffer(1232);
    const keys = this.peerKeys;
    const cookie = "cookie" in asking ? asking.cookie : this.cookie;
    question.id.bytes.set(this.id);
    Object.assign(question, asking.label ?? this.#nextLabel(unix));
    question.flags = (asking.flags ?? 0) | (keys === undefined ? 0 : QUESTION_FLAG.proved);
    question.epoch.bytes.set(this.epoch);
    question.version = this.version;
    question.ack = this.ack;
    question.roster = asking.roster ?? -1;
    if (cookie !== undefined) {
      question.cookie.isGiven = true;
      question.cookie.value.bytes.set(cookie);
    }
    if (this.serverKey !== undefined) {
      question.key.isGiven = true;
      question.key.value.bytes.set(this.serverKey.subarray(0, 8));
    }
    writeKeys(question.wants, asking.wants);
    writeKeys(question.relayed, asking.relayed);
    writeKeys(question.directs, asking.directs);
    for (const text of asking.candidates ?? []) {
      readCandidateText(text, question.candidates.slots[question.candidates.count++]!);
    }
    const nonce = new WireBuffer(24);
    this.#random(nonce.bytes);
    this.#nonce = nonce.bytes.slice();
    if ((question.flags & QUESTION_FLAG.subscribe) !== 0) this.subscribed = this.#nonce;
    writeDatagramHeader(DATAGRAM.question, this.#options.group ?? 0, nonce, 0, buffer, 0);
    let length = encodeQuestion(question, buffer, 0);
    if (asking.size !== undefined && asking.size > length) {
      const tail = keys === undefined ? 16 : 32;
      buffer.bytes.fill(0, length - tail, asking.size);
      length = asking.size;
    }
    if (keys !== undefined) proveQuestion(keys.prove, buffer, 0, length);
    this.#isProved = keys !== undefined;
    sealDatagram(this.#keys.question, buffer, 0, length);
    this.#parts = 0;
    return buffer.bytes.slice(0, length);
  }

  /** Takes a datagram of the registry in. Undefined where it isn't one for this client. */
  hear(datagram: Uint8Array): Heard | undefined {
    const heard = this.#read(datagram);
    if (heard !== undefined) this.heard.push(heard);
    return heard;
  }

  /** Asks, and asks again as retries say; at most so many times. `send` returns what came back. */
  converse(
    unix: number,
    asking: Asking,
    send: (datagram: Uint8Array) => readonly Uint8Array[],
    most = 5,
  ): Heard | undefined {
    let last: Heard | undefined;
    for (let i = 0; i < most; i++) {
      last = undefined;
      for (const datagram of send(this.ask(unix, asking))) last = this.hear(datagram) ?? last;
      if (last?.kind !== "retry" || last.reason === "busy") break;
    }
    return last;
  }

  /**
   * The same through a socket. What comes is heard until the answer is whole, or something else is
   * said; `next` fails where nothing comes.
   */
  async converseOver(socket: QuestionSocket, asking: Asking = {}, most = 5): Promise<Heard> {
    for (let i = 1;; i++) {
      await socket.send(this.ask(Date.now() / 1000, asking));
      let heard: Heard | undefined;
      while (
        heard === undefined || heard.kind === "push" ||
        heard.kind === "answer" && this.#parts < heard.parts
      ) heard = this.hear(await socket.next());
      if (heard.kind !== "retry" || heard.reason === "busy" || i === most) return heard;
    }
  }

  #nextLabel(unix: number): Label {
    const label = labelOf(unix + this.ahead);
    if (compareLabels(label, this.#last) <= 0) {
      Object.assign(label, this.#last);
      label.nanoseconds++;
    }
    this.#last = { ...label };
    return label;
  }

  #read(datagram: Uint8Array): Heard | undefined {
    const buffer = new WireBuffer(datagram.slice());
    const type = readDatagramType(buffer, 0, datagram.length);
    const nonce = new WireBuffer(type === DATAGRAM.push ? this.subscribed : this.#nonce);
    const own = this.#isProved ? this.peerKeys?.answer : this.#keys.answer;
    const key: AeadKey | undefined = type === DATAGRAM.retry ? this.#keys.answer : own;
    if (key === undefined || !openDatagram(key, buffer, 0, datagram.length, nonce)) {
      return undefined;
    }
    if (type === DATAGRAM.retry) return this.#readRetry(buffer);
    return type === DATAGRAM.answer ? this.#readAnswer(buffer) : this.#readPush(buffer);
  }

  #readRetry(buffer: WireBuffer): Heard {
    const retry = newRetry();
    assert(decodeRetry(buffer, 0, buffer.size, retry), "a retry that can't be read");
    const { seconds, nanoseconds, cookie, serverKey } = retry;
    if (cookie.isGiven) this.cookie = cookie.value.bytes.slice();
    if (serverKey.isGiven) this.serverKey ??= serverKey.value.bytes.slice();
    const reason = REASONS[retry.reason] ?? `${retry.reason}`;
    if (reason === "clock") {
      this.ahead += seconds - this.#last.seconds;
      this.#last = { seconds: 0, nanoseconds: 0 };
    } else if (reason === "label") this.#last = { seconds, nanoseconds };
    return { kind: "retry", reason, time: { seconds, nanoseconds } };
  }

  #readAnswer(buffer: WireBuffer): Heard {
    const answer = newAnswer();
    const span = { at: 0, end: 0 };
    assert(decodeAnswer(buffer, 0, buffer.size, answer, span), "an answer that can't be read");
    const { flags, offers, version, part, parts, cookie, serverKey } = answer;
    if (cookie.isGiven) this.cookie = cookie.value.bytes.slice();
    if (serverKey.isGiven) this.serverKey ??= serverKey.value.bytes.slice();
    this.seen = candidateText(answer.seen);
    this.roster = answer.roster;
    this.also = [...answer.also.ports.subarray(0, answer.also.count)];
    if ((flags & ANSWER_FLAG.whole) !== 0 && this.#parts === 0) this.peers.clear();
    const told = this.#take(buffer, span);
    if (++this.#parts === parts) {
      this.version = version;
      this.epoch = answer.epoch.bytes.slice();
    }
    return { kind: "answer", flags, offers, version, part, parts, told };
  }

  #readPush(buffer: WireBuffer): Heard | undefined {
    const push = newPush();
    const span = { at: 0, end: 0 };
    assert(decodePush(buffer, 0, buffer.size, push, span), "a push that can't be read");
    const { counter, previous, version } = push;
    if (counter <= this.ack) return undefined;
    this.ack = counter;
    const told = previous === this.version ? this.#take(buffer, span) : [];
    if (previous === this.version) this.version = version;
    return { kind: "push", counter, previous, version, told };
  }

  #take(buffer: WireBuffer, { at, end }: { at: number; end: number }): string[] {
    const told: string[] = [];
    const news = newPeerNews();
    while (at < end) {
      at = readPeerNews(buffer, at, end, news);
      told.push(formatKey(news.id.bytes));
      this.#takeNews(news);
    }
    return told;
  }

  #takeNews({ id, flags, age, candidates }: PeerNews): void {
    const key = formatKey(id.bytes);
    if ((flags & RECORD_FLAG.gone) !== 0) {
      assertEquals(candidates.count, 0);
      this.peers.delete(key);
      return;
    }
    const texts = candidates.slots.slice(0, candidates.count).map(candidateText);
    this.peers.set(key, { flags, age, candidates: texts });
  }
}
