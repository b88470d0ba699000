/**
 * A registry of wgsig 2 that does what a test wants: it answers by the book, from a small table, and
 * can be told to do otherwise.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { HostPort } from "../../lib/core/net/host_port.ts";
import { parseAddress } from "../../lib/core/net/ip_address.ts";
import { formatKey, parseKey } from "../../lib/core/net/peer_key.ts";
import type { RandomSource } from "../../lib/core/net/random.ts";
import { equalBytes, WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { labelOf } from "../../lib/wire/wgsig/tai64n.ts";
import {
  ANSWER_FLAG,
  encodeAnswer,
  newAnswer,
  writeAnswerPart,
} from "../../lib/wire/wgsig2/answer.ts";
import { CANDIDATE } from "../../lib/wire/wgsig2/candidate.ts";
import {
  DATAGRAM,
  DATAGRAM_NONCE,
  MAX_DATAGRAM_SIZE,
  openDatagram,
  sealDatagram,
  writeDatagramHeader,
} from "../../lib/wire/wgsig2/datagram.ts";
import { GroupKeys, PEER_KEYS_SIZE, PeerAgreement, PeerKeys } from "../../lib/wire/wgsig2/keys.ts";
import { encodePush, newPush } from "../../lib/wire/wgsig2/push.ts";
import {
  decodeQuestion,
  newQuestion,
  type Question,
  QUESTION_FLAG,
  verifyProof,
} from "../../lib/wire/wgsig2/question.ts";
import {
  newPeerNews,
  type PeerNews,
  RECORD_FLAG,
  writePeerNews,
} from "../../lib/wire/wgsig2/record.ts";
import { encodeRetry, newRetry, RETRY } from "../../lib/wire/wgsig2/retry.ts";
import { SECRET } from "./registry_driver.ts";

const TAG = 16;
const NONCE_SIZE = 24;
const COOKIE: number[] = Array.from({ length: 16 }, (_, i) => 0xc0 + i);

/** Where a peer is, as a test writes it: `KIND ADDRESS PORT`. */
export type Place = readonly [kind: keyof typeof CANDIDATE, address: string, port: number];

/** A question as it was read last. */
export interface ReadQuestion {
  readonly nonce: WireBuffer;
  readonly question: Question;
  readonly keys: PeerKeys | undefined;
}

interface Known {
  readonly places: readonly Place[];
  readonly isGone: boolean;
  readonly version: number;
}

/** How it behaves. */
export interface Script {
  group?: number;
  secret?: Uint8Array;
  /** Its private key. */
  privateKey?: Uint8Array;
  /** Its clock is ahead of the true time by so many seconds. */
  ahead?: number;
  /** Records per part, and parts per answer. */
  records?: number;
  parts?: number;
  /** Whether it wants its cookie shown. */
  wantsCookie?: boolean;
  /** The first retries that it gives, whatever is asked. */
  retries?: number[];
  /** The least label that it takes, as Unix seconds. */
  leastLabel?: number;
  /** Whether each answer says that there is more. */
  cutsAlways?: boolean;
  /** How many parts it says that there are, whatever is true. */
  claimedParts?: number | undefined;
  /** What it offers, and at which other ports it listens. */
  offers?: number;
  also?: readonly number[];
  /** Whether it knows the secret alone, and seals for all by that. */
  isImpostor?: boolean;
}

/** The private key of the registry, where a test names no other. */
export const SERVER_PRIVATE: Uint8Array = new Uint8Array(32).fill(0x51);

/** A registry. */
export class ScriptedRegistry {
  readonly script: Script;
  readonly publicKey: WireBuffer;
  /** The questions that were opened. */
  readonly asked: ReadQuestion[] = [];
  readonly #keys: GroupKeys;
  readonly #agreement: PeerAgreement;
  readonly #random: RandomSource;
  readonly #agreed = new Map<string, PeerKeys>();
  readonly #table = new Map<string, Known>();
  #epoch: Uint8Array = new Uint8Array(8).fill(0xe1);
  #version = 1;
  #counter = 0;
  #pushed = 0;

  constructor(random: RandomSource, script: Script = {}) {
    const { secret = SECRET, group = 0, privateKey = SERVER_PRIVATE } = script;
    const own = new ExchangeKey(privateKey, PORTABLE);
    this.script = script;
    this.publicKey = own.publicKey;
    this.#keys = new GroupKeys(secret, group, PORTABLE);
    this.#agreement = new PeerAgreement(own, "registry", secret, PORTABLE);
    this.#random = random;
  }

  /** Peers that are there, as texts, sorted. */
  get peers(): string[] {
    return [...this.#table].filter(([, { isGone }]) => !isGone)
      .map(([key, { places }]) => peerText(key, places)).sort();
  }

  get version(): number {
    return this.#version;
  }

  /** A peer is there, or somewhere else. */
  set(id: Uint8Array, ...places: Place[]): void {
    this.#table.set(formatKey(id), { places, isGone: false, version: ++this.#version });
  }

  /** A peer is gone. */
  remove(id: Uint8Array): void {
    if (!this.#table.has(formatKey(id))) return;
    this.#table.set(formatKey(id), { places: [], isGone: true, version: ++this.#version });
  }

  /** Starts anew without what it knew of changes, or of anything. */
  restart(epoch: number, forgets = false): void {
    this.#epoch = new Uint8Array(8).fill(epoch);
    if (forgets) this.#table.clear();
    this.#version = 1;
    for (const [key, known] of [...this.#table]) {
      if (known.isGone) this.#table.delete(key);
      else this.#table.set(key, { ...known, version: ++this.#version });
    }
    this.#pushed = 0;
  }

  /** What it sends back. @param unix The true time. */
  answer(
    datagram: Uint8Array,
    unix: number,
    from: HostPort = { host: "203.0.113.7", port: 4000 },
  ): Uint8Array[] {
    const read = this.#read(datagram);
    if (read === undefined) return [];
    this.asked.push(read);
    const reason = this.#reasonFor(read, datagram, unix);
    if (reason !== 0) return [this.retry(read, reason, unix)];
    return this.#answers(read, unix, from);
  }

  /** What it pushes to who has asked last, of all that has changed since the last push. */
  push(to: ReadQuestion = this.asked.at(-1)!): Uint8Array {
    const push = { ...newPush(), counter: ++this.#counter, previous: this.#pushed };
    push.epoch.bytes.set(this.#epoch);
    push.version = this.#pushed = this.#version;
    const news = [...this.#table].filter(([, { version }]) => version > push.previous)
      .map(([key, known]) => newsOf(key, known));
    return this.#sealed(DATAGRAM.push, to, (buffer) => {
      const at = encodePush(push, buffer, 0);
      return news.reduce((next, each) => writePeerNews(each, buffer, next), at) + TAG;
    });
  }

  /** The next push tells the last change once more. */
  repeat(): void {
    this.#pushed = this.#version - 1;
  }

  /** A retry. */
  retry(to: ReadQuestion, reason: number, unix: number, serverKey = this.publicKey): Uint8Array {
    const retry = newRetry();
    const { ahead = 0, leastLabel = 0 } = this.script;
    Object.assign(retry, labelOf(reason === RETRY.label ? leastLabel : unix + ahead), { reason });
    if (reason === RETRY.proof) {
      retry.serverKey.isGiven = true;
      retry.serverKey.value.bytes.set(serverKey.bytes);
    }
    if (reason === RETRY.address) {
      retry.cookie.isGiven = true;
      retry.cookie.value.bytes.set(COOKIE);
    }
    return this.#sealed(DATAGRAM.retry, to, (buffer) => encodeRetry(retry, buffer, 0));
  }

  #read(datagram: Uint8Array): ReadQuestion | undefined {
    const buffer = new WireBuffer(datagram.slice());
    if (!openDatagram(this.#keys.question, buffer, 0, datagram.length)) return undefined;
    const question = newQuestion();
    if (!decodeQuestion(buffer, 0, datagram.length, question)) return undefined;
    const nonce = new WireBuffer(datagram.slice(DATAGRAM_NONCE, DATAGRAM_NONCE + NONCE_SIZE));
    const isProved = (question.flags & QUESTION_FLAG.proved) !== 0;
    return { nonce, question, keys: isProved ? this.#keysOf(question.id) : undefined };
  }

  #keysOf(id: WireBuffer): PeerKeys {
    const name = formatKey(id.bytes);
    let keys = this.#agreed.get(name);
    if (keys === undefined) {
      const shared = new WireBuffer(PEER_KEYS_SIZE);
      assert(this.#agreement.agree(id, 0, shared, 0));
      keys = new PeerKeys(shared, 0, PORTABLE);
      this.#agreed.set(name, keys);
    }
    return keys;
  }

  /** Why it isn't answered; 0 where it is. */
  #reasonFor({ question, keys }: ReadQuestion, datagram: Uint8Array, unix: number): number {
    const { retries = [], ahead = 0, wantsCookie, leastLabel = 0, isImpostor } = this.script;
    const given = retries.shift();
    if (given !== undefined) return given;
    const seconds = question.seconds + question.nanoseconds / 1e9;
    if (Math.abs(seconds - unix - ahead) > 30) return RETRY.clock;
    if (keys !== undefined && isImpostor !== true) {
      const { isGiven, value } = question.key;
      if (!isGiven || !equalBytes(value, 0, this.publicKey, 0, 8)) return RETRY.proof;
      const opened = new WireBuffer(datagram.slice());
      openDatagram(this.#keys.question, opened, 0, datagram.length);
      if (!verifyProof(keys.prove, opened, 0, datagram.length)) return RETRY.proof;
    }
    if (
      wantsCookie === true && !(question.cookie.isGiven &&
        formatKey(question.cookie.value.bytes) === formatKey(Uint8Array.from(COOKIE)))
    ) {
      return RETRY.address;
    }
    return seconds < leastLabel ? RETRY.label : 0;
  }

  #answers(read: ReadQuestion, unix: number, from: HostPort): Uint8Array[] {
    const { question } = read;
    const { records = 100, parts: most = 100, cutsAlways, ahead = 0, claimedParts } = this.script;
    const knows = equalBytes(question.epoch, 0, new WireBuffer(this.#epoch), 0, 8) &&
      question.version > 0 && question.version <= this.#version;
    const since = knows ? question.version : 0;
    const told = [...this.#table]
      .filter(([key, { version, isGone }]) =>
        version > since && (knows || !isGone) && isWanted(question, key)
      )
      .toSorted(([, a], [, b]) => a.version - b.version);
    const room = records * most;
    const isCut = told.length > room || cutsAlways === true;
    const shown = told.slice(0, room);
    const isRegistered = (question.flags & QUESTION_FLAG.keep) === 0;
    const subscribes = (question.flags & QUESTION_FLAG.subscribe) !== 0;
    if (subscribes) this.#pushed = this.#version;
    const parts = Math.max(1, Math.ceil(shown.length / records));
    return Array.from({ length: parts }, (_, part) => {
      const answer = newAnswer();
      Object.assign(answer, labelOf(unix + ahead), { part, parts: claimedParts ?? parts });
      answer.flags = (knows ? 0 : ANSWER_FLAG.whole) | (isCut ? ANSWER_FLAG.cut : 0) |
        (isRegistered ? ANSWER_FLAG.registered : 0) | (subscribes ? ANSWER_FLAG.subscribed : 0);
      answer.version = told.length > room ? shown.at(-1)![1].version : this.#version;
      answer.epoch.bytes.set(this.#epoch);
      answer.seen.kind = CANDIDATE.seen;
      answer.seen.port = from.port;
      parseAddress(from.host, answer.seen.address, 0);
      const { offers = 0, also = [] } = this.script;
      answer.offers = offers;
      answer.also.ports.set(also);
      answer.also.count = also.length;
      answer.serverKey.isGiven = !(question.key.isGiven &&
        equalBytes(question.key.value, 0, this.publicKey, 0, 8));
      answer.serverKey.value.bytes.set(this.publicKey.bytes);
      const news = shown.slice(part * records, (part + 1) * records)
        .map(([key, known]) => newsOf(key, known));
      return this.#sealed(DATAGRAM.answer, read, (buffer) => {
        const at = encodeAnswer(answer, buffer, 0);
        writeAnswerPart(answer, buffer, 0);
        return news.reduce((next, each) => writePeerNews(each, buffer, next), at) + TAG;
      });
    });
  }

  #sealed(
    type: typeof DATAGRAM[keyof typeof DATAGRAM],
    { nonce, keys }: ReadQuestion,
    write: (buffer: WireBuffer) => number,
  ): Uint8Array {
    const buffer = new WireBuffer(MAX_DATAGRAM_SIZE);
    const drawn = new WireBuffer(NONCE_SIZE);
    this.#random(drawn.bytes);
    writeDatagramHeader(type, this.script.group ?? 0, drawn, 0, buffer, 0);
    const length = write(buffer);
    const isForAll = type === DATAGRAM.retry || this.script.isImpostor === true;
    const key = isForAll ? this.#keys.answer : keys?.answer ?? this.#keys.answer;
    sealDatagram(key, buffer, 0, length, nonce);
    return buffer.bytes.slice(0, length);
  }
}

/** A peer and its places as text. */
export function peerText(publicKey: string, places: readonly Place[]): string {
  return `${publicKey} ${places.map((place) => place.join(" ")).join(", ")}`;
}

function isWanted({ wants }: Question, key: string): boolean {
  if (!wants.isGiven) return true;
  const id = parseKey(key)!;
  for (let i = 0; i < wants.count; i++) {
    if (equalBytes(wants.bytes, 8 * i, new WireBuffer(id), 0, 8)) return true;
  }
  return false;
}

function newsOf(key: string, { places, isGone }: Known): PeerNews {
  const news = newPeerNews();
  news.id.bytes.set(parseKey(key)!);
  news.flags = isGone ? RECORD_FLAG.gone : RECORD_FLAG.proved;
  news.age = 3;
  news.candidates.count = places.length;
  places.forEach(([kind, address, port], i) => {
    const slot = news.candidates.slots[i]!;
    slot.kind = CANDIDATE[kind];
    slot.port = port;
    slot.age = 7;
    assert(parseAddress(address, slot.address, 0));
  });
  return news;
}
