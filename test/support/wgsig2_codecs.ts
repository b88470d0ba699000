/**
 * Fields of wgsig 2 in the form that the codecs of lib/ take them, and back.
 *
 * @module
 */

import type { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { type Answer, newAnswer, type RecordSpan } from "../../lib/wire/wgsig2/answer.ts";
import { type Candidate, type CandidateList, isIpv4 } from "../../lib/wire/wgsig2/candidate.ts";
import type { OptionalBytes, PrefixList } from "../../lib/wire/wgsig2/option.ts";
import { newPush, type Push } from "../../lib/wire/wgsig2/push.ts";
import { newQuestion, type Question } from "../../lib/wire/wgsig2/question.ts";
import { newPeerNews, type PeerNews, readPeerNews } from "../../lib/wire/wgsig2/record.ts";
import { newRetry, type Retry } from "../../lib/wire/wgsig2/retry.ts";
import type {
  TwinAnswer,
  TwinCandidate,
  TwinNews,
  TwinPush,
  TwinQuestion,
  TwinRetry,
} from "./wgsig2_twin.ts";

function fill(into: WireBuffer, bytes: readonly number[]): void {
  into.bytes.set(bytes);
}

function give(into: OptionalBytes, bytes: readonly number[] | undefined): void {
  into.isGiven = bytes !== undefined;
  fill(into.value, bytes ?? []);
}

function list(into: PrefixList, prefixes: readonly (readonly number[])[] | undefined): void {
  into.isGiven = prefixes !== undefined;
  into.count = prefixes?.length ?? 0;
  into.bytes.bytes.set(prefixes?.flat() ?? []);
}

/** Writes a candidate's fields for lib/. */
export function libCandidate(
  into: Candidate,
  { kind, address, port, age = 0 }: TwinCandidate,
): void {
  const isShort = address.length === 4;
  into.address.bytes.set(isShort ? [...new Uint8Array(10), 0xff, 0xff, ...address] : address);
  Object.assign(into, { kind, port, age });
}

function libCandidates(into: CandidateList, candidates: readonly TwinCandidate[]): void {
  into.count = candidates.length;
  candidates.forEach((each, i) => libCandidate(into.slots[i]!, each));
}

/** A question's fields for lib/. */
export function libQuestion(from: TwinQuestion): Question {
  const question = newQuestion();
  const { seconds, nanoseconds, flags, version, ack, roster } = from;
  Object.assign(question, { seconds, nanoseconds, flags, version, ack, roster });
  fill(question.id, from.id);
  fill(question.epoch, from.epoch);
  list(question.wants, from.wants);
  list(question.relayed, from.relayed);
  list(question.directs, from.directs);
  libCandidates(question.candidates, from.candidates);
  give(question.cookie, from.cookie);
  give(question.key, from.key);
  return question;
}

/** A record's fields for lib/. */
export function libNews({ id, flags, age, candidates }: TwinNews): PeerNews {
  const news = { ...newPeerNews(), flags, age };
  fill(news.id, id);
  libCandidates(news.candidates, candidates);
  return news;
}

/** An answer's fields for lib/. */
export function libAnswer(from: TwinAnswer): Answer {
  const answer = newAnswer();
  const { seconds, nanoseconds, version, part, parts, flags, offers, roster } = from;
  Object.assign(answer, { seconds, nanoseconds, version, part, parts, flags, offers, roster });
  fill(answer.epoch, from.epoch);
  libCandidate(answer.seen, from.seen);
  give(answer.cookie, from.cookie);
  give(answer.serverKey, from.serverKey);
  answer.also.ports.set(from.also);
  answer.also.count = from.also.length;
  return answer;
}

/** A push's fields for lib/. */
export function libPush({ counter, epoch, previous, version }: TwinPush): Push {
  const push = { ...newPush(), counter, previous, version };
  fill(push.epoch, epoch);
  return push;
}

/** A retry's fields for lib/. */
export function libRetry({ seconds, nanoseconds, reason, cookie, serverKey }: TwinRetry): Retry {
  const retry = { ...newRetry(), seconds, nanoseconds, reason };
  give(retry.cookie, cookie);
  give(retry.serverKey, serverKey);
  return retry;
}

function plainCandidate({ kind, address, port, age }: Candidate): TwinCandidate {
  return { kind, address: [...address.bytes.subarray(isIpv4(address) ? 12 : 0)], port, age };
}

/** The fields of a candidate that is told without an age. */
export function plainPlace(candidate: Candidate): TwinCandidate {
  const { kind, address, port } = plainCandidate(candidate);
  return { kind, address, port };
}

function plainCandidates({ slots, count }: CandidateList): TwinCandidate[] {
  return slots.slice(0, count).map(plainCandidate);
}

function plainList({ isGiven, count, bytes }: PrefixList): number[][] | undefined {
  if (!isGiven) return undefined;
  return Array.from({ length: count }, (_, i) => [...bytes.bytes.subarray(8 * i, 8 * i + 8)]);
}

function plain({ isGiven, value }: OptionalBytes): number[] | undefined {
  return isGiven ? [...value.bytes] : undefined;
}

/** The fields of a question. */
export function plainQuestion(question: Question): TwinQuestion {
  const { seconds, nanoseconds, flags, version, ack, roster } = question;
  return {
    id: [...question.id.bytes],
    ...{ seconds, nanoseconds, flags, version, ack, roster },
    epoch: [...question.epoch.bytes],
    wants: plainList(question.wants),
    relayed: plainList(question.relayed),
    directs: plainList(question.directs),
    candidates: question.candidates.slots.slice(0, question.candidates.count).map(plainPlace),
    cookie: plain(question.cookie),
    key: plain(question.key),
  };
}

/** The records that lie somewhere. */
export function plainRecords(buffer: WireBuffer, { at, end }: RecordSpan): TwinNews[] {
  const records: TwinNews[] = [];
  const news = newPeerNews();
  while (at < end) {
    at = readPeerNews(buffer, at, end, news);
    const { id, flags, age, candidates } = news;
    records.push({ id: [...id.bytes], flags, age, candidates: plainCandidates(candidates) });
  }
  return records;
}

/** The fields of an answer. */
export function plainAnswer(answer: Answer, records: readonly TwinNews[]): TwinAnswer {
  const { seconds, nanoseconds, version, part, parts, flags, offers, roster } = answer;
  return {
    ...{ seconds, nanoseconds, version, part, parts, flags, offers, roster, records },
    epoch: [...answer.epoch.bytes],
    seen: plainPlace(answer.seen),
    also: [...answer.also.ports.subarray(0, answer.also.count)],
    cookie: plain(answer.cookie),
    serverKey: plain(answer.serverKey),
  };
}

/** The fields of a push. */
export function plainPush(push: Push, records: readonly TwinNews[]): TwinPush {
  const { counter, epoch, previous, version } = push;
  return { counter, epoch: [...epoch.bytes], previous, version, records };
}

/** The fields of a retry. */
export function plainRetry({ seconds, nanoseconds, reason, cookie, serverKey }: Retry): TwinRetry {
  return { seconds, nanoseconds, reason, cookie: plain(cookie), serverKey: plain(serverKey) };
}
