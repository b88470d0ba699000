/**
 * Random fields of wgsig 2 for property tests.
 *
 * @module
 */

import fc from "fast-check";
import { bytesOf, nanoseconds, uint16, uint32, unixSeconds } from "./arbitraries.ts";
import type {
  TwinAnswer,
  TwinCandidate,
  TwinNews,
  TwinPush,
  TwinQuestion,
  TwinRetry,
} from "./wgsig2_twin.ts";

/** A nonce. */
export const nonce24: fc.Arbitrary<Uint8Array> = bytesOf(24);

const numbers = (size: number) => bytesOf(size).map((bytes) => [...bytes]);
const byte = fc.integer({ min: 0, max: 255 });
const version = fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.maxSafeNat());
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const isMapped = (address: readonly number[]) =>
  address.slice(0, 10).every((each) => each === 0) && address[10] === 255 && address[11] === 255;
const address = fc.oneof(numbers(4), numbers(16).filter((each) => !isMapped(each)));
const prefixes = maybe(fc.array(numbers(8), { maxLength: 35 }));

/** A candidate of a kind, told without an age. */
export const candidateOf = (min: number, max: number): fc.Arbitrary<TwinCandidate> =>
  fc.record({ kind: fc.integer({ min, max }), address, port: uint16 });
const aged: fc.Arbitrary<TwinCandidate> = fc.record({
  kind: fc.integer({ min: 1, max: 5 }),
  address,
  port: uint16,
  age: uint32,
});

/** A question's fields. */
export const twinQuestion: fc.Arbitrary<TwinQuestion> = fc.record({
  id: numbers(32),
  seconds: unixSeconds,
  nanoseconds,
  flags: uint16,
  epoch: numbers(8),
  version,
  wants: prefixes,
  relayed: prefixes,
  directs: prefixes,
  roster: fc.oneof(fc.constant(-1), version),
  candidates: fc.array(candidateOf(2, 4), { maxLength: 8 }),
  cookie: maybe(numbers(16)),
  key: maybe(numbers(8)),
  ack: fc.oneof(fc.constant(0), uint32),
});

/** A record's fields. */
export const twinNews: fc.Arbitrary<TwinNews> = fc.record({
  id: numbers(32),
  flags: byte,
  age: uint32,
  candidates: fc.array(aged, { maxLength: 8 }),
});

const records = fc.array(twinNews, { maxLength: 4 });

/** An answer's fields. */
export const twinAnswer: fc.Arbitrary<TwinAnswer> = fc.record({
  seconds: unixSeconds,
  nanoseconds,
  epoch: numbers(8),
  version,
  part: fc.integer({ min: 0, max: 0xfffe }),
  parts: uint16,
  flags: byte,
  seen: candidateOf(1, 1),
  cookie: maybe(numbers(16)),
  serverKey: maybe(numbers(32)),
  offers: byte,
  also: fc.array(fc.integer({ min: 1, max: 0xffff }), { maxLength: 4 }),
  roster: fc.oneof(fc.constant(-1), version),
  records,
}).map((answer) => ({ ...answer, parts: Math.max(answer.parts, answer.part + 1) }));

/** A push's fields. */
export const twinPush: fc.Arbitrary<TwinPush> = fc.record({
  counter: uint32,
  epoch: numbers(8),
  previous: version,
  version,
  records,
});

/** A retry's fields. */
export const twinRetry: fc.Arbitrary<TwinRetry> = fc.record({
  seconds: unixSeconds,
  nanoseconds,
  reason: byte,
  cookie: maybe(numbers(16)),
  serverKey: maybe(numbers(32)),
});
