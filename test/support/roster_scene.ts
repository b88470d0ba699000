/**
 * A registry with rosters and a state file in memory: who joins, asks and follows.
 *
 * @module
 */

import { assert } from "@std/assert";
import { parseTunnelPrefix } from "../../lib/core/roster/prefix.ts";
import { gateMaker } from "../../lib/core/registry/gate_maker.ts";
import type { RosterGate } from "../../lib/core/registry/roster_gate.ts";
import type { Invitation } from "../../lib/core/roster/server/invitations.ts";
import { RosterJournal } from "../../lib/core/roster/server/roster_journal.ts";
import { type Invited, Rosters } from "../../lib/core/roster/server/rosters.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import {
  DATAGRAM,
  openDatagram,
  sealDatagram,
  writeDatagramHeader,
} from "../../lib/wire/wgsig2/datagram.ts";
import { GroupKeys, type PeerKeys } from "../../lib/wire/wgsig2/keys.ts";
import type { TunnelPrefix } from "../../lib/wire/wgsig2/name.ts";
import { proveQuestion } from "../../lib/wire/wgsig2/question.ts";
import {
  decodeRosterAnswer,
  encodeRosterQuestion,
  ROSTER_ANSWER_FLAG,
  ROSTER_QUESTION_FLAG,
  ROSTER_QUESTION_SIZE,
  type WireEntry,
} from "../../lib/wire/wgsig2/roster.ts";
import { type Joining, MadeJoin } from "./join_client.ts";
import { privateKeyOf, type QuestionClient } from "./question_driver.ts";
import { QuestionScene } from "./question_scene.ts";
import { type DriverGroup, SECRET, SERVER_KEY } from "./registry_driver.ts";
import { seededRandom } from "./seeded_random.ts";

/** A prefix that is one. */
export function tunnelPrefix(text: string): TunnelPrefix {
  const prefix = parseTunnelPrefix(text);
  assert(prefix !== undefined, text);
  return prefix;
}

/** A token of its own for each number. */
export function tokenOf(number: number): Uint8Array {
  const token = new Uint8Array(16);
  seededRandom(0x70 + number)(token);
  return token;
}

/** What a join is made with; the rest is right. */
export interface SceneJoin extends Pick<Joining, "token" | "provedBy" | "tag" | "key"> {
  /** Of which peer. */
  readonly number: number;
}

/** What was heard about a roster. */
export interface HeardRoster {
  readonly version: number;
  readonly now: number;
  readonly isWhole: boolean;
  readonly entries: readonly WireEntry[];
}

const nonces = seededRandom(0x90ce);

/** A registry with rosters. */
export class RosterScene extends QuestionScene {
  readonly rosters: Rosters;
  readonly journal: RosterJournal;
  readonly gate: RosterGate;

  constructor(group: DriverGroup = {}) {
    super(group);
    const { registry } = this.driver;
    this.rosters = new Rosters(SERVER_KEY.publicKey.bytes, PORTABLE, 77);
    this.journal = new RosterJournal(this.rosters);
    registry.keepRosters(gateMaker(this.rosters, SERVER_KEY, PORTABLE, seededRandom(9)));
    assert(registry.gate !== undefined);
    this.gate = registry.gate;
    this.rosters.of(group.id ?? 0).setNetworks([tunnelPrefix("10.9.0.0/16")]);
  }

  /** Invites. The token is that of the number. */
  invite(name: string, token: number, more: Partial<Invited> = {}): Invitation {
    const endsAt = this.driver.unix + 1000;
    const invited = { group: 0, name, prefixes: [], uses: 1, endsAt, ...more };
    return this.rosters.invite(invited, tokenOf(token), this.driver.unix);
  }

  /** A join as it is sent. */
  join({ number, ...joining }: SceneJoin): MadeJoin {
    const nonce = new Uint8Array(24);
    nonces(nonce);
    const serverKey = SERVER_KEY.publicKey.bytes;
    return new MadeJoin({ serverKey, privateKey: privateKeyOf(number), nonce, ...joining });
  }

  /** Sends a datagram, and answers the joins that wait. */
  deliver(payload: Uint8Array, from: string, isSaved = true): Uint8Array[] {
    assert(this.send(payload.slice(), from).length === 0);
    return this.gate.fetchJoins().map((each) =>
      this.gate.answerJoin(each, isSaved, this.driver).bytes
    );
  }

  /** What comes of a join; undefined where nothing comes. */
  joined(
    joining: SceneJoin,
    from: string,
    isSaved = true,
  ): ReturnType<MadeJoin["read"]> | undefined {
    const made = this.join(joining);
    const [answer] = this.deliver(made.payload, from, isSaved);
    return answer && made.read(answer);
  }

  /** A question about the roster as it is sent. */
  rosterQuestion(
    id: Uint8Array,
    keys: PeerKeys,
    from: number,
    isOnward = false,
    secret: Uint8Array = SECRET,
  ): { readonly payload: Uint8Array; readonly nonce: WireBuffer } {
    const nonce = new WireBuffer(24);
    nonces(nonce.bytes);
    const buffer = new WireBuffer(ROSTER_QUESTION_SIZE);
    writeDatagramHeader(DATAGRAM.rosterQuestion, 0, nonce, 0, buffer, 0);
    const flags = isOnward ? ROSTER_QUESTION_FLAG.onward : 0;
    encodeRosterQuestion({ id: new WireBuffer(id), from, flags }, buffer, 0);
    proveQuestion(keys.prove, buffer, 0, buffer.size);
    sealDatagram(new GroupKeys(secret, 0, PORTABLE).question, buffer, 0, buffer.size);
    return { payload: buffer.bytes, nonce };
  }

  /** One answer about the roster; undefined where nothing comes. */
  hearRoster(
    client: QuestionClient,
    at: string,
    from: number,
    isOnward = false,
    secret: Uint8Array = SECRET,
  ): HeardRoster | undefined {
    const keys = client.peerKeys!;
    const { payload, nonce } = this.rosterQuestion(client.id, keys, from, isOnward, secret);
    const [answer, ...more] = this.send(payload, at);
    assert(more.length === 0);
    if (answer === undefined) return undefined;
    const buffer = new WireBuffer(answer.slice());
    assert(buffer.size <= ROSTER_QUESTION_SIZE);
    assert(openDatagram(keys.answer, buffer, 0, buffer.size, nonce));
    const head = { version: 0, now: 0, flags: 0 };
    const entries = decodeRosterAnswer(buffer, 0, buffer.size, head);
    assert(entries !== undefined);
    const { version, now, flags } = head;
    return { version, now, isWhole: (flags & ROSTER_ANSWER_FLAG.whole) !== 0, entries };
  }

  /** The whole roster, in as many answers as it takes: names by key, and the version. */
  roster(client: QuestionClient, at: string, from = 0) {
    const entries: WireEntry[] = [];
    let rounds = 0;
    let version = from;
    for (let isOnward = false;; isOnward = true) {
      const heard = this.hearRoster(client, at, version, isOnward);
      if (heard === undefined) return undefined;
      rounds++;
      entries.push(...heard.entries);
      assert(heard.version > version || heard.version === heard.now);
      version = heard.version;
      if (version === heard.now) return { entries, version, rounds };
    }
  }
}
