/**
 * Asks a registry to take this peer in, by the token of an invitation, until it has said what comes of
 * it. docs/protocol-2.md, "Joining".
 *
 * @module
 */

import { LONG_NONCE_SIZE } from "../../../wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../../wire/crypto/exchange_key.ts";
import type { Primitives } from "../../../wire/crypto/primitives.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import {
  DATAGRAM,
  openDatagram,
  readDatagramGroup,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../../../wire/wgsig2/datagram.ts";
import {
  decodeJoined,
  encodeJoin,
  JOIN_RESULT,
  JOIN_SIZE,
  type Joined,
  newJoined,
} from "../../../wire/wgsig2/join.ts";
import { JoinKeys, TokenKeys } from "../../../wire/wgsig2/join_keys.ts";
import { proveQuestion } from "../../../wire/wgsig2/question.ts";
import type { Now } from "../../net/clock.ts";
import type { RandomSource } from "../../net/random.ts";
import type { InvitationLink } from "../link.ts";
import { formatTunnelPrefix } from "../prefix.ts";

/** How long an answer is awaited at first, and at most, before it is asked again: seconds. */
const [FIRST_WAIT, LAST_WAIT] = [0.5, 2];
/** So long a registry is left alone that is busy, in seconds. */
const BUSY_WAIT = 1;
/** The latest questions whose answers are taken: of each, the nonce is kept. */
const MAX_ASKED = 16;

/** What a peer has got. */
export interface JoinedPeer {
  /** Its name in the roster; undefined where the registry doesn't tell. */
  readonly name: string | undefined;
  /** GROUP. */
  readonly group: number;
  /** The group's secret, 32 bytes. */
  readonly secret: Uint8Array;
  /** Its addresses in the tunnel, with the lengths of their networks' prefixes. */
  readonly addresses: readonly string[];
  /** The registry's wall clock, in Unix seconds. */
  readonly unix: number;
}

/** What came of it. */
export type JoinOutcome =
  | { readonly kind: "joined"; readonly peer: JoinedPeer }
  /** The invitation is good for nothing. */
  | { readonly kind: "used" | "ended" | "revoked" }
  /** There is no room, or too much is asked. */
  | { readonly kind: "busy" }
  /** Something that this version doesn't know. */
  | { readonly kind: "unknown"; readonly result: number };

/** What to do next. */
export type JoinStep =
  | { readonly kind: "ask" }
  /** Nothing, until this time of the monotonic clock, or until something has come. */
  | { readonly kind: "wait"; readonly until: number }
  | { readonly kind: "done" };

const REFUSALS = new Map<number, "used" | "ended" | "revoked">([
  [JOIN_RESULT.used, "used"],
  [JOIN_RESULT.ended, "ended"],
  [JOIN_RESULT.revoked, "revoked"],
]);

/** Asks to join. */
export class JoinQuestion {
  readonly #publicKey: WireBuffer;
  readonly #token: TokenKeys;
  readonly #keys: JoinKeys;
  readonly #random: RandomSource;
  readonly #nonces: WireBuffer[] = [];
  readonly #joined = newJoined();
  #askAt = -Infinity;
  #waits = 0;
  #outcome: JoinOutcome | undefined;

  /**
   * Is due at once.
   *
   * @param privateKey The own one, 32 bytes. Not kept.
   * @param random Draws nonces.
   * @throws {SyntaxError} The link names a key that no registry has.
   */
  constructor(
    link: InvitationLink,
    privateKey: Uint8Array,
    primitives: Primitives,
    random: RandomSource,
  ) {
    const own = new ExchangeKey(privateKey, primitives);
    const keys = JoinKeys.agree(own, "peer", link.serverKey, link.token, primitives);
    if (keys === undefined) {
      throw new SyntaxError("this link is damaged: it names a key that no registry has");
    }
    this.#keys = keys;
    this.#publicKey = own.publicKey;
    this.#token = new TokenKeys(link.token, link.serverKey, primitives);
    this.#random = random;
  }

  /** What came of it; one that is busy is asked again. */
  get outcome(): JoinOutcome | undefined {
    return this.#outcome;
  }

  /** What to do now. */
  next({ mono }: Now): JoinStep {
    if (this.#outcome !== undefined && this.#outcome.kind !== "busy") return { kind: "done" };
    return mono >= this.#askAt ? { kind: "ask" } : { kind: "wait", until: this.#askAt };
  }

  /**
   * Writes the question at the start of `out`.
   *
   * @param out At least 512 bytes.
   * @returns Its size.
   */
  write(out: WireBuffer, { mono }: Now): number {
    const nonce = new WireBuffer(LONG_NONCE_SIZE);
    this.#random(nonce.bytes);
    out.bytes.fill(0, 0, JOIN_SIZE);
    writeDatagramHeader(DATAGRAM.join, this.#token.tag, nonce, 0, out, 0);
    const size = encodeJoin(this.#publicKey, out, 0);
    proveQuestion(this.#keys.prove, out, 0, size);
    sealDatagram(this.#token.join, out, 0, size);
    this.#nonces.push(nonce);
    if (this.#nonces.length > MAX_ASKED) this.#nonces.shift();
    this.#askAt = mono + Math.min(FIRST_WAIT * 2 ** this.#waits++, LAST_WAIT);
    return size;
  }

  /**
   * Takes in `length` bytes at `at`, which are deciphered in their place, and wiped: there is a secret in
   * them.
   *
   * @returns Whether it was an answer.
   */
  receive(buffer: WireBuffer, at: number, length: number, { mono }: Now): boolean {
    if (readDatagramType(buffer, at, length) !== DATAGRAM.joined) return false;
    if (readDatagramGroup(buffer, at) !== this.#token.tag) return false;
    const isAnswer = this.#nonces.some((nonce) =>
      openDatagram(this.#keys.answer, buffer, at, length, nonce)
    );
    if (!isAnswer) return false;
    const joined = this.#joined;
    const isMeant = decodeJoined(buffer, at, length, joined);
    buffer.bytes.fill(0, at, at + length);
    if (isMeant) this.#outcome = this.#outcomeOf(joined, mono);
    joined.secret.bytes.fill(0);
    return isMeant;
  }

  #outcomeOf(joined: Joined, mono: number): JoinOutcome {
    const { result, group, secret, name, addresses, seconds } = joined;
    if (result === JOIN_RESULT.joined) {
      return {
        kind: "joined",
        peer: {
          name,
          group,
          secret: secret.bytes.slice(),
          addresses: addresses.map(formatTunnelPrefix),
          unix: seconds,
        },
      };
    }
    if (result === JOIN_RESULT.busy) {
      this.#askAt = mono + BUSY_WAIT;
      return { kind: "busy" };
    }
    const kind = REFUSALS.get(result);
    return kind === undefined ? { kind: "unknown", result } : { kind };
  }
}
