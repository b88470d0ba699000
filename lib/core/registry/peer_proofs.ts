/**
 * The keys that a group's peers share with the registry: each is computed once, and kept for as long
 * as its peer is in the directory.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { PEER_KEYS_SIZE, PeerKeys } from "../../wire/wgsig2/keys.ts";
import { NONE } from "../net/none.ts";
import type { QuestionKeys } from "./question_keys.ts";

const FIRST_PEERS = 64;
/** Keys of secrets that are told apart; 0 stands for none. */
const MOST_SECRETS = 255;

/** Keys by peer. */
export class PeerProofs {
  /** Those of the peer that {@linkcode select} was called for last. */
  readonly keys: PeerKeys;
  // By peer.
  #stored = new WireBuffer(FIRST_PEERS * PEER_KEYS_SIZE);
  /** Of which secret they are, + 1; 0 where there are none. */
  #secretOf = new Uint8Array(FIRST_PEERS);
  /** For so many is there to be room. */
  #room = FIRST_PEERS;
  #secrets: (QuestionKeys | undefined)[] = [];
  readonly #computed = new WireBuffer(PEER_KEYS_SIZE);

  /** Has no keys. */
  constructor(primitives: Primitives) {
    this.keys = new PeerKeys(this.#computed, 0, primitives);
  }

  /** Makes room for the peers below `count`, once one of them proves its key. */
  reserve(count: number): void {
    this.#room = Math.max(this.#room, count);
  }

  /** Forgets what was made with secrets that are not among these. */
  retain(secrets: readonly QuestionKeys[]): void {
    this.#secrets.forEach((known, i) => {
      if (known === undefined || secrets.includes(known)) return;
      this.#secrets[i] = undefined;
      for (let peer = 0; peer < this.#secretOf.length; peer++) {
        if (this.#secretOf[peer] === i + 1) this.#secretOf[peer] = 0;
      }
    });
  }

  /** Whether keys of `peer` are kept, for whichever secret. */
  has(peer: number): boolean {
    return peer < this.#secretOf.length && this.#secretOf[peer] !== 0;
  }

  /** Takes the keys of `peer` for a secret, where they are kept. Returns whether they are. */
  select(peer: number, secret: QuestionKeys): boolean {
    if (peer === NONE || peer >= this.#secretOf.length) return false;
    const place = this.#secretOf[peer]!;
    if (place === 0 || this.#secrets[place - 1] !== secret) return false;
    this.keys.rekey(this.#stored, peer * PEER_KEYS_SIZE);
    return true;
  }

  /**
   * Computes the keys of the peer whose ID is at `at`, and takes them: an X25519.
   *
   * @returns Whether there are such keys: see `PeerAgreement.agree`.
   */
  compute(buffer: WireBuffer, at: number, secret: QuestionKeys): boolean {
    if (!secret.agreement.agree(buffer, at, this.#computed, 0)) return false;
    this.keys.rekey(this.#computed, 0);
    return true;
  }

  /** Keeps what was computed last, for `peer`. */
  keep(peer: number, secret: QuestionKeys): void {
    const place = this.#placeOf(secret);
    if (place < 0) return;
    if (peer >= this.#secretOf.length) this.#grow();
    this.#stored.bytes.set(this.#computed.bytes, peer * PEER_KEYS_SIZE);
    this.#secretOf[peer] = place + 1;
  }

  /** Forgets the keys of a peer that is gone. */
  forget(peer: number): void {
    if (peer < this.#secretOf.length) this.#secretOf[peer] = 0;
  }

  #grow(): void {
    const stored = new WireBuffer(this.#room * PEER_KEYS_SIZE);
    stored.bytes.set(this.#stored.bytes);
    this.#stored.bytes.fill(0);
    this.#stored = stored;
    const secretOf = new Uint8Array(this.#room);
    secretOf.set(this.#secretOf);
    this.#secretOf = secretOf;
  }

  #placeOf(secret: QuestionKeys): number {
    const known = this.#secrets.indexOf(secret);
    if (known >= 0) return known;
    const free = this.#secrets.indexOf(undefined);
    const place = free >= 0 ? free : this.#secrets.length;
    if (place >= MOST_SECRETS) return -1;
    this.#secrets[place] = secret;
    return place;
  }
}
