/**
 * A slow, readable twin of wgsig 2: plain arrays and the noble libraries, written from
 * docs/protocol-2.md and not from lib/. The fast one is compared with this.
 *
 * @module
 */

import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bigEndian, fromBigEndian, twinLabel } from "./twins.ts";

/** Where a peer can be reached. */
export interface TwinCandidate {
  readonly kind: number;
  /** 4 or 16 numbers. */
  readonly address: readonly number[];
  readonly port: number;
  /** Undefined where it is told without one. */
  readonly age?: number | undefined;
}

/** A question's fields. */
export interface TwinQuestion {
  readonly id: readonly number[];
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly flags: number;
  readonly epoch: readonly number[];
  readonly version: number;
  readonly wants: readonly (readonly number[])[] | undefined;
  readonly relayed: readonly (readonly number[])[] | undefined;
  readonly directs: readonly (readonly number[])[] | undefined;
  readonly roster: number;
  readonly candidates: readonly TwinCandidate[];
  readonly cookie: readonly number[] | undefined;
  readonly key: readonly number[] | undefined;
  readonly ack: number;
}

/** What is told of a peer. */
export interface TwinNews {
  readonly id: readonly number[];
  readonly flags: number;
  readonly age: number;
  readonly candidates: readonly TwinCandidate[];
}

/** An answer's fields. */
export interface TwinAnswer {
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly epoch: readonly number[];
  readonly version: number;
  readonly part: number;
  readonly parts: number;
  readonly flags: number;
  readonly seen: TwinCandidate;
  readonly cookie: readonly number[] | undefined;
  readonly serverKey: readonly number[] | undefined;
  readonly offers: number;
  readonly also: readonly number[];
  readonly roster: number;
  readonly records: readonly TwinNews[];
}

/** A push's fields. */
export interface TwinPush {
  readonly counter: number;
  readonly epoch: readonly number[];
  readonly previous: number;
  readonly version: number;
  readonly records: readonly TwinNews[];
}

/** A retry's fields. */
export interface TwinRetry {
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly reason: number;
  readonly cookie: readonly number[] | undefined;
  readonly serverKey: readonly number[] | undefined;
}

/** Two keys of 32 bytes. */
export type TwinKeys = readonly [Uint8Array, Uint8Array];

/** An option: its type and its value. Type 0 is padding, and has none. */
export type TwinOption = readonly [type: number, value: readonly number[]];

const MAGIC = [0x77, 0x67, 0x02];

function letters(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

function halves(bytes: Uint8Array): TwinKeys {
  return [bytes.slice(0, 32), bytes.slice(32)];
}

/** K_q and K_a. */
export function twinGroupKeys(secret: Uint8Array, group: number): TwinKeys {
  const info = Uint8Array.from([...letters("wgsig 2 group"), ...bigEndian(group, 4)]);
  return halves(hkdf(sha256, secret, undefined, info, 64));
}

/** K_p and K_r, or undefined where the other's public key is of low order. */
export function twinPeerKeys(
  side: "peer" | "registry",
  privateKey: Uint8Array,
  other: Uint8Array,
  secret: Uint8Array,
): TwinKeys | undefined {
  let shared;
  try {
    shared = x25519.getSharedSecret(privateKey, other);
  } catch {
    return undefined;
  }
  const own = x25519.getPublicKey(privateKey);
  const [peer, registry] = side === "peer" ? [own, other] : [other, own];
  const info = Uint8Array.from([...letters("wgsig 2 peer"), ...peer, ...registry]);
  return halves(hkdf(sha256, shared, secret, info, 64));
}

/** The header of a datagram. */
export function twinHeader(type: number, group: number, nonce: Uint8Array): number[] {
  const plain = [...bigEndian(group, 4), ...MAGIC, type];
  return [...plain.map((byte, i) => byte ^ nonce[i]!), ...nonce];
}

/** A whole datagram. `asked` is the nonce of the question that it belongs to. */
export function twinSeal(
  key: Uint8Array,
  header: readonly number[],
  payload: readonly number[],
  asked: Uint8Array = new Uint8Array(),
): Uint8Array {
  const associated = Uint8Array.from([...header, ...asked]);
  const nonce = Uint8Array.from(header.slice(8, 32));
  const sealed = xchacha20poly1305(key, nonce, associated).encrypt(Uint8Array.from(payload));
  return Uint8Array.from([...header, ...sealed]);
}

/** The payload of a datagram, or undefined where the tag is wrong. */
export function twinUnseal(
  key: Uint8Array,
  datagram: Uint8Array,
  asked: Uint8Array = new Uint8Array(),
): Uint8Array | undefined {
  const associated = Uint8Array.from([...datagram.slice(0, 32), ...asked]);
  try {
    return xchacha20poly1305(key, datagram.slice(8, 32), associated).decrypt(datagram.slice(32));
  } catch {
    return undefined;
  }
}

/** The type, the group and the nonce of a datagram; undefined where it isn't one of wgsig 2. */
export function twinReadHeader(
  datagram: Uint8Array,
): { type: number; group: number; nonce: Uint8Array } | undefined {
  if (datagram.length < 48 || datagram.length > 1232) return undefined;
  const nonce = datagram.slice(8, 32);
  const plain = Array.from(datagram.slice(0, 8), (byte, i) => byte ^ nonce[i]!);
  if (MAGIC.some((byte, i) => plain[4 + i] !== byte)) return undefined;
  return { type: plain[7]!, group: Number(fromBigEndian(plain.slice(0, 4))), nonce };
}

/** The proof of a question. */
export function twinProof(key: Uint8Array, header: readonly number[], before: readonly number[]) {
  return [...hmac(sha256, key, Uint8Array.from([...header, ...before])).slice(0, 16)];
}

/** Options as bytes. */
export function twinOptions(options: readonly TwinOption[]): number[] {
  return options.flatMap(([type, value]) => type === 0 ? [0] : [type, value.length, ...value]);
}

/** A candidate as bytes. */
export function twinCandidate({ kind, address, port, age }: TwinCandidate): number[] {
  const family = address.length === 4 ? 4 : 6;
  const told = [kind * 16 + family, ...bigEndian(port, 2), ...address];
  return age === undefined ? told : [...told, ...bigEndian(age, 4)];
}

/** A record as bytes. */
export function twinNews({ id, flags, age, candidates }: TwinNews): number[] {
  const all = candidates.flatMap((each) => twinCandidate(each));
  return [...id, flags, ...bigEndian(age, 4), all.length, ...all];
}

function list(type: number, prefixes: readonly (readonly number[])[] | undefined): TwinOption[] {
  if (prefixes === undefined) return [];
  const pieces: TwinOption[] = [[type, prefixes.slice(0, 31).flat()]];
  for (let i = 31; i < prefixes.length; i += 31) {
    pieces.push([type, prefixes.slice(i, i + 31).flat()]);
  }
  return pieces;
}

function single(type: number, value: readonly number[] | undefined): TwinOption[] {
  return value === undefined ? [] : [[type, value]];
}

function ports(of: readonly number[]): number[] {
  return of.flatMap((port) => bigEndian(port, 2));
}

/** The options of a question, in the order that lib/ writes them. */
export function twinQuestionOptions(question: TwinQuestion): TwinOption[] {
  return [
    ...single(2, question.cookie),
    ...single(4, question.key),
    ...single(7, question.ack === 0 ? undefined : bigEndian(question.ack, 4)),
    ...question.candidates.map((each): TwinOption => [3, twinCandidate(each)]),
    ...list(1, question.wants),
    ...list(8, question.relayed),
    ...list(9, question.directs),
    ...single(11, question.roster < 0 ? undefined : bigEndian(question.roster, 8)),
  ];
}

/** The payload of a question up to its proof, padded. */
export function twinQuestion(
  question: TwinQuestion,
  options: readonly TwinOption[] = twinQuestionOptions(question),
): number[] {
  const payload = [
    ...question.id,
    ...twinLabel(question.seconds, question.nanoseconds),
    ...bigEndian(question.flags, 2),
    ...question.epoch,
    ...bigEndian(question.version, 8),
    ...twinOptions(options),
  ];
  const least = 160 - 32 - 16 - ((question.flags & 2) === 0 ? 0 : 16);
  while (payload.length < least) payload.push(0);
  return payload;
}

/** The payload of an answer. */
export function twinAnswer(answer: TwinAnswer): number[] {
  const options = twinOptions([
    ...single(2, answer.cookie),
    ...single(5, answer.serverKey),
    ...single(6, answer.offers === 0 ? undefined : [answer.offers]),
    ...single(10, answer.also.length === 0 ? undefined : ports(answer.also)),
    ...single(11, answer.roster < 0 ? undefined : bigEndian(answer.roster, 8)),
  ]);
  return [
    ...twinLabel(answer.seconds, answer.nanoseconds),
    ...answer.epoch,
    ...bigEndian(answer.version, 8),
    ...bigEndian(answer.part, 2),
    ...bigEndian(answer.parts, 2),
    answer.flags,
    ...bigEndian(options.length, 2),
    ...twinCandidate(answer.seen),
    ...options,
    ...answer.records.flatMap(twinNews),
  ];
}

/** The payload of a push. */
export function twinPush(push: TwinPush): number[] {
  return [
    ...bigEndian(push.counter, 4),
    ...push.epoch,
    ...bigEndian(push.previous, 8),
    ...bigEndian(push.version, 8),
    ...push.records.flatMap(twinNews),
  ];
}

/** The payload of a retry. */
export function twinRetry(retry: TwinRetry): number[] {
  return [
    ...twinLabel(retry.seconds, retry.nanoseconds),
    retry.reason,
    ...twinOptions([...single(2, retry.cookie), ...single(5, retry.serverKey)]),
  ];
}
