/**
 * A registry's small front door, for programs that take datagrams one by one: with one group, and
 * with arrays of bytes rather than batches.
 *
 * @module
 */

import { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../wire/crypto/portable.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { checkField } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { DatagramBatch, ReplyBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { parseAddress } from "../net/ip_address.ts";
import { AnswerBudget, REGISTRY_BUDGET, registryBudget } from "../net/answer_budget.ts";
import { KeySet } from "../net/key_set.ts";
import { NonceSource, type RandomSource } from "../net/random.ts";
import type { Now } from "../net/clock.ts";
import { type ProofPolicy, RegistryGroup } from "./group.ts";
import { type EncryptionPolicy, Registry, type RegistryObserver } from "./registry.ts";

const UNOBSERVED: RegistryObserver = { endpointChanged() {}, dropped() {} };

/** Where a datagram came from, as sockets say it. */
export interface DatagramSource {
  /** An IPv4 or IPv6 address; IPv4 may be written as `::ffff:a.b.c.d`. */
  readonly address: string;
  /** UDP port, 0 to 65535. */
  readonly port: number;
}

/** Settings of a registry with one group. What is left out is as `wgsig serve` has it. */
export interface OneGroupOptions {
  /** The group secret, 32 bytes. Not kept. */
  readonly secret: Uint8Array;
  /** The secret that the group had before, for as long as somebody may have that; none if left out. */
  readonly formerSecret?: Uint8Array;
  /** Fills an array with bytes that nobody can guess, such as `crypto.getRandomValues`. */
  readonly random: RandomSource;
  /** What the keys of the secret are made with; what runs everywhere, if left out. */
  readonly primitives?: Primitives;
  /** GROUP, 0 to 0xffffffff; 0 if left out. */
  readonly group?: number;
  /** The public keys that may take part, 32 bytes each; everybody with the secret if left out. */
  readonly allowed?: readonly Uint8Array[];
  /**
   * The registry's own private key, 32 bytes, that peers prove theirs for. Not kept. Where it is left
   * out, the first protocol is spoken alone.
   */
  readonly serverKey?: Uint8Array;
  /** Who is registered; `auto` if left out. */
  readonly proof?: ProofPolicy;
  /** Which requests are let in; `auto` if left out. */
  readonly encryption?: EncryptionPolicy;
  /** How far a request's label may be from the clock, in seconds; 30 if left out. */
  readonly window?: number;
  /** A peer that was not heard of for longer, in seconds, is forgotten; a day if left out. */
  readonly maxAge?: number;
  /** The most peers, 1 or more; 100 000 if left out. */
  readonly maxPeers?: number;
  /** The most peers in an answer, 10 or more; 1000 if left out. */
  readonly maxAnswer?: number;
  /**
   * What each source prefix (/24, or /56 of IPv6) gets of answers' second and later datagrams, in bytes
   * a second; 0 is no limit; 262 144 if left out.
   */
  readonly answerBudget?: number;
  /** Told of what happens; nobody if left out. */
  readonly observer?: RegistryObserver;
}

/**
 * Makes a registry with one group.
 *
 * @throws {RangeError} If a key or a secret is not 32 bytes long, or the group's number is none.
 */
export function oneGroupRegistry(options: OneGroupOptions): Registry {
  const {
    secret,
    formerSecret,
    random,
    primitives = PORTABLE,
    group: id = 0,
    proof = "auto",
    encryption = "auto",
    window = 30,
    maxAge = 86_400,
    maxPeers = 100_000,
    maxAnswer = 1000,
    answerBudget = REGISTRY_BUDGET,
  } = options;
  checkField(id, 32, "a group's number");
  for (const { length } of options.allowed ?? []) {
    if (length !== ID_SIZE) throw new RangeError(`Cannot allow a key of ${length} bytes, not 32`);
  }
  const words = new Uint32Array(1);
  random(new Uint8Array(words.buffer));
  const seed = words[0]!;
  const allowed = options.allowed && new KeySet(options.allowed, seed);
  const secrets = formerSecret === undefined ? [secret] : [secret, formerSecret];
  const limits = { maxPeers, maxAnswer, seed };
  const registry = new Registry({ encryption, window }, options.observer ?? UNOBSERVED);
  registry.limitAnswers(new AnswerBudget(registryBudget(answerBudget), seed));
  const serverKey = options.serverKey && new ExchangeKey(options.serverKey, primitives);
  if (serverKey !== undefined) registry.answerQuestions(random);
  registry.setGroup(
    new RegistryGroup(
      { id, secrets, primitives, allowed, maxAge, window, serverKey, proof },
      limits,
      new NonceSource(random),
    ),
  );
  return registry;
}

/** Answers datagrams one by one. */
export class Responder {
  readonly #registry: Registry;
  readonly #batch = new DatagramBatch();
  readonly #replies = new ReplyBatch();

  /** Answers for `registry`, which others may use as well. */
  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /**
   * Takes a datagram in, and says what to send back. What has become too old is forgotten first.
   *
   * @param bytes The datagram, anything that the network brought. Not kept.
   * @param source Where it came from, and where the answer goes.
   * @returns The datagrams of the answer, 540 bytes each, or 556 where the request was encrypted;
   * in wgsig 2, 1232 at most. They are the caller's. None where nothing is to be sent: the registry's counters, and its
   * observer, say why.
   * @throws {TypeError} If the source's address is none.
   * @throws {RangeError} If its port is none.
   */
  answerOne(bytes: Uint8Array, source: DatagramSource, now: Now): Uint8Array<ArrayBuffer>[] {
    const batch = this.#batch;
    const { address, port } = source;
    if (!parseAddress(address, batch.sources, batch.sourceAt(0))) {
      throw new TypeError(`Cannot answer "${address}": it is no IP address`);
    }
    checkField(port, 16, "a source's port");
    batch.setSourcePort(0, port);
    batch.payloads.bytes.set(
      bytes.length > SLOT_SIZE ? bytes.subarray(0, SLOT_SIZE) : bytes,
    );
    batch.lengths[0] = bytes.length;
    batch.count = 1;
    this.#registry.expire(now);
    const replies = this.#replies;
    this.#registry.answer(batch, now, replies);
    const datagrams: Uint8Array<ArrayBuffer>[] = [];
    for (let i = 0; i < replies.count; i++) {
      const size = replies.sizes[i]!;
      for (let k = 0; k < replies.runs[i]!; k++) {
        const at = replies.offsets[i]! + k * size;
        datagrams.push(replies.buffers[i]!.slice(at, at + size));
      }
    }
    return datagrams;
  }
}
