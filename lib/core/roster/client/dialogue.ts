/**
 * Asks one registry about its roster, and takes in what it answers. Who asks has proved its key to the
 * registry before. docs/protocol-2.md, "The roster".
 *
 * @module
 */

import { type AeadKey, LONG_NONCE_SIZE } from "../../../wire/crypto/aead_key.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import {
  DATAGRAM,
  openDatagram,
  sealDatagram,
  writeDatagramHeader,
} from "../../../wire/wgsig2/datagram.ts";
import type { GroupKeys, PeerKeys } from "../../../wire/wgsig2/keys.ts";
import { proveQuestion } from "../../../wire/wgsig2/question.ts";
import {
  decodeRosterAnswer,
  encodeRosterQuestion,
  ROSTER_ANSWER_FLAG,
  ROSTER_QUESTION_FLAG,
  type RosterAnswer,
  type WireEntry,
} from "../../../wire/wgsig2/roster.ts";
import type { TunnelPrefix } from "../../../wire/wgsig2/name.ts";
import type { Now } from "../../net/clock.ts";
import { ADDRESS_SIZE } from "../../net/ip_address.ts";
import { isCidr, normalizePrefix } from "../../net/ip_prefix.ts";
import { formatKey } from "../../net/peer_key.ts";
import type { RandomSource } from "../../net/random.ts";
import { formatTunnelPrefix } from "../prefix.ts";
import type { RosterEntry } from "./entry.ts";
import { RosterFollower, type RosterRequest } from "./follower.ts";

/** The most questions whose answers are still taken. */
const MAX_ASKED = 4;

/** Who asks. */
export interface RosterDialogueOptions {
  /** The own WireGuard public key, 32 bytes. */
  readonly id: Uint8Array;
  /** GROUP, 0 to 0xffffffff. */
  readonly group: number;
  /** The keys of the group's secret. */
  readonly keys: Pick<GroupKeys, "question">;
}

/** A question that was asked. */
interface AskedRoster {
  readonly nonce: WireBuffer;
  readonly answerKey: AeadKey;
  readonly request: RosterRequest;
}

/** Asks one registry. */
export class RosterDialogue {
  readonly follower: RosterFollower = new RosterFollower();
  readonly #id: WireBuffer;
  readonly #group: number;
  readonly #keys: Pick<GroupKeys, "question">;
  readonly #random: RandomSource;
  readonly #asked: AskedRoster[] = [];
  readonly #answer: RosterAnswer = { version: 0, now: 0, flags: 0 };

  /** @param random Draws nonces. */
  constructor({ id, group, keys }: RosterDialogueOptions, random: RandomSource) {
    this.#id = new WireBuffer(id);
    this.#group = group;
    this.#keys = keys;
    this.#random = random;
  }

  /**
   * Writes the question that is due at the start of `out`.
   *
   * @param shared What is shared with the registry.
   * @param out At least 1232 bytes.
   * @returns Its size.
   */
  write(shared: PeerKeys, out: WireBuffer, now: Now): number {
    const request = this.follower.ask(now);
    const nonce = new WireBuffer(LONG_NONCE_SIZE);
    this.#random(nonce.bytes);
    writeDatagramHeader(DATAGRAM.rosterQuestion, this.#group, nonce, 0, out, 0);
    const { from, isOnward } = request;
    const flags = isOnward ? ROSTER_QUESTION_FLAG.onward : 0;
    const size = encodeRosterQuestion({ id: this.#id, from, flags }, out, 0);
    proveQuestion(shared.prove, out, 0, size);
    sealDatagram(this.#keys.question, out, 0, size);
    this.#asked.push({ nonce, answerKey: shared.answer, request });
    if (this.#asked.length > MAX_ASKED) this.#asked.shift();
    return size;
  }

  /**
   * Takes in an answer of `length` bytes at `at`, which is deciphered in its place.
   *
   * @returns Whether it is one.
   */
  receive(buffer: WireBuffer, at: number, length: number, now: Now): boolean {
    const asked = this.#asked.findLast(({ answerKey, nonce }) =>
      openDatagram(answerKey, buffer, at, length, nonce)
    );
    if (asked === undefined) return false;
    const answer = this.#answer;
    const entries = decodeRosterAnswer(buffer, at, length, answer);
    if (entries === undefined) return false;
    this.follower.take({
      asked: asked.request,
      version: answer.version,
      now: answer.now,
      isWhole: (answer.flags & ROSTER_ANSWER_FLAG.whole) !== 0,
      entries: entries.map(entryOf),
    }, now);
    return true;
  }
}

function entryOf({ key, name, via, prefixes, isGone }: WireEntry): RosterEntry {
  return {
    publicKey: formatKey(key),
    name,
    allowedIps: prefixes.flatMap(prefixesOf),
    via: via && formatKey(via),
    isGone,
  };
}

/** The text of a prefix as `wg` has it; none for an IPv4 address in IPv6's clothes. */
function prefixesOf(prefix: TunnelPrefix): readonly string[] {
  const text = formatTunnelPrefix(prefix);
  const isSame = text.includes(":") === (prefix.address.length === ADDRESS_SIZE);
  return isSame && isCidr(text) ? [normalizePrefix(text)] : [];
}
