/**
 * Who joins a group with the token of an invitation: what is let in, in this order, and each drop is
 * counted.
 *
 * 1. There is an invitation with this TAG, and the datagram opens with what its token makes.
 * 2. One more X25519 may be computed: these are bounded apart from those of questions.
 * 3. PROOF is right.
 *
 * What a join changes is to be on the disk before its peer is told: so answers wait here, and a driver
 * fetches them. docs/protocol-2.md, "Joining".
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { AEAD_KEY_SIZE, AeadKey, LONG_NONCE_SIZE } from "../../wire/crypto/aead_key.ts";
import { EXCHANGE_KEY_SIZE, type ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { setLabel } from "../../wire/wgsig/tai64n.ts";
import {
  DATAGRAM,
  DATAGRAM_NONCE,
  openDatagram,
  readDatagramGroup,
  sealDatagram,
  writeDatagramHeader,
} from "../../wire/wgsig2/datagram.ts";
import {
  encodeJoined,
  isJoin,
  JOIN_KEY,
  JOIN_RESULT,
  JOIN_SIZE,
  newJoined,
} from "../../wire/wgsig2/join.ts";
import { JoinKeys } from "../../wire/wgsig2/join_keys.ts";
import { verifyProof } from "../../wire/wgsig2/question.ts";
import type { Now } from "../net/clock.ts";
import type { CounterName, Counters } from "../net/counters.ts";
import { type DatagramBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import { drawSeed, NonceSource, type RandomSource } from "../net/random.ts";
import type { Invitation } from "../roster/server/invitations.ts";
import type { JoinOutcome, Rosters } from "../roster/server/rosters.ts";
import { WorkLimit } from "./work_limit.ts";
import type { RegistryGroup } from "./group.ts";

/** The most answers that wait for the disk. */
const MOST_WAITING = 256;

/** A join whose answer waits. */
export interface WaitingJoin {
  /** The number of the socket that it came through. */
  readonly socket: number;
  /** The address that it came from, 16 bytes. */
  readonly source: WireBuffer;
  /** The UDP port that it came from. */
  readonly port: number;
  /** GROUP. */
  readonly group: number;
  /** The public key of its peer, 32 bytes. */
  readonly key: Uint8Array;
  /** What comes of it. */
  readonly outcome: JoinOutcome;
}

/** What is said to a join. */
export interface JoinReply {
  /** What it comes to: an outcome may not hold any more, or not yet. */
  readonly result: keyof typeof JOIN_RESULT;
  /** The datagram; the bytes are the caller's. */
  readonly bytes: Uint8Array;
}

interface Asked extends WaitingJoin {
  readonly tag: number;
  readonly nonce: WireBuffer;
  readonly keys: JoinKeys;
}

/** Takes joins in. */
export class JoinDesk {
  readonly #rosters: Rosters;
  readonly #serverKey: ExchangeKey;
  readonly #primitives: Primitives;
  readonly #counters: Counters;
  readonly #limit: WorkLimit;
  readonly #nonces: NonceSource;
  readonly #key: AeadKey;
  readonly #joined = newJoined();
  #waiting: Asked[] = [];
  /** How many were fetched and not answered yet. */
  #fetched = 0;

  /** Nobody has joined. @param random Draws nonces. */
  constructor(
    rosters: Rosters,
    serverKey: ExchangeKey,
    primitives: Primitives,
    random: RandomSource,
    counters: Counters,
  ) {
    this.#rosters = rosters;
    this.#serverKey = serverKey;
    this.#primitives = primitives;
    this.#counters = counters;
    this.#limit = new WorkLimit(drawSeed(random));
    this.#nonces = new NonceSource(random, LONG_NONCE_SIZE);
    this.#key = new AeadKey(new Uint8Array(AEAD_KEY_SIZE), primitives);
  }

  /**
   * Takes datagram `i` of the batch, which looks like a join.
   *
   * @returns What became of it: "unknown-tag" and "not-opened" where it may be something else.
   */
  take(
    groups: ReadonlyMap<number, RegistryGroup>,
    batch: DatagramBatch,
    i: number,
    socket: number,
    now: Now,
  ): CounterName | "taken" | "not-opened" | "unknown-tag" {
    const { payloads } = batch;
    const length = batch.lengths[i]!;
    const at = i * SLOT_SIZE;
    const tag = readDatagramGroup(payloads, at);
    const { invitations } = this.#rosters;
    if (length !== JOIN_SIZE || !invitations.hasTag(tag)) return "unknown-tag";
    let invitation: Invitation | undefined;
    invitations.find(tag, (each, keys) => {
      this.#key.rekey(keys, 0);
      if (!openDatagram(this.#key, payloads, at, length)) return false;
      invitation = each;
      return true;
    });
    if (invitation === undefined) return "not-opened";
    this.#counters.add("joins");
    const port = batch.sourcePort(i);
    if (port === 0) return "drop-source-port-0";
    if (!isJoin(payloads, at, length)) return "drop-damaged";
    const sourceAt = batch.sourceAt(i);
    if (
      this.#waiting.length + this.#fetched >= MOST_WAITING ||
      !this.#limit.take(batch.sources, sourceAt, now.mono)
    ) return "drop-join-busy";
    this.#counters.add("exchanges");
    const key = payloads.bytes.slice(at + JOIN_KEY, at + JOIN_KEY + EXCHANGE_KEY_SIZE);
    const { token, group } = invitation;
    const keys = JoinKeys.agree(this.#serverKey, "registry", key, token, this.#primitives);
    if (keys === undefined) return "drop-weak-key";
    if (!verifyProof(keys.prove, payloads, at, length)) return "drop-join-proof";
    const source = new WireBuffer(ADDRESS_SIZE);
    copyBytes(batch.sources, sourceAt, source, 0, ADDRESS_SIZE);
    const nonce = new WireBuffer(LONG_NONCE_SIZE);
    copyBytes(payloads, at + DATAGRAM_NONCE, nonce, 0, LONG_NONCE_SIZE);
    // A group that isn't served has nothing to give.
    const isServed = (groups.get(group)?.questionKeys.length ?? 0) > 0;
    const outcome = isServed
      ? this.#rosters.join(invitation, key, now.unix)
      : { result: "busy" } as const;
    this.#waiting.push({ socket, source, port, group, key, outcome, tag, nonce, keys });
    return "taken";
  }

  /** Fetches the joins that wait. Each is to be given back to {@linkcode answer}. */
  fetch(): readonly WaitingJoin[] {
    const waiting = this.#waiting;
    if (waiting.length === 0) return waiting;
    this.#waiting = [];
    this.#fetched += waiting.length;
    return waiting;
  }

  /**
   * Writes what is said to a join that was fetched.
   *
   * @param isSaved Whether what it has changed is on the disk: nobody is told a secret before that.
   */
  answer(
    join: WaitingJoin,
    isSaved: boolean,
    groups: ReadonlyMap<number, RegistryGroup>,
    { unix }: Now,
  ): JoinReply {
    this.#fetched--;
    const joined = this.#joined;
    const { tag, nonce, keys, group, key, outcome } = asked(join);
    const secret = groups.get(group)?.questionKeys[0];
    // Meanwhile, its group or the peer may have been taken away.
    const isGone = secret === undefined || this.#rosters.of(group).byKey(key) === undefined;
    const result = outcome.result !== "joined"
      ? outcome.result
      : !isSaved
      ? "busy"
      : isGone
      ? "revoked"
      : "joined";
    setLabel(joined, unix);
    joined.result = JOIN_RESULT[result];
    joined.group = group;
    joined.secret.bytes.fill(0);
    joined.name = undefined;
    joined.addresses = [];
    if (result === "joined" && outcome.result === "joined") {
      secret?.copySecret(joined.secret);
      joined.name = outcome.entry.name;
      joined.addresses = outcome.addresses;
      if (outcome.isNew) this.#counters.add("joined");
    } else this.#counters.add("join-refused");
    const buffer = new WireBuffer(JOIN_SIZE);
    const nonces = this.#nonces;
    writeDatagramHeader(DATAGRAM.joined, tag, nonces.buffer, nonces.next(), buffer, 0);
    const size = encodeJoined(joined, buffer, 0);
    joined.secret.bytes.fill(0);
    sealDatagram(keys.answer, buffer, 0, size, nonce, 0);
    return { result, bytes: buffer.bytes.slice(0, size) };
  }
}

/** What was fetched here has more than its type says. */
function asked(join: WaitingJoin): Asked {
  if ("keys" in join && "nonce" in join && "tag" in join) return join as Asked;
  throw new TypeError("Cannot answer a join that was not fetched");
}
