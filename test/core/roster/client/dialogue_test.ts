/** A peer that follows a roster, and the registry that has it, face to face. */

import { assert, assertEquals } from "@std/assert";
import { Conversation } from "../../../../lib/core/ask/conversation.ts";
import { Inquiry } from "../../../../lib/core/ask/inquiry.ts";
import { Prover } from "../../../../lib/core/ask/prover.ts";
import { MAX_QUESTION_SIZE } from "../../../../lib/core/ask/question_writer.ts";
import { formatKey, parseKey } from "../../../../lib/core/net/peer_key.ts";
import { gateMaker } from "../../../../lib/core/registry/gate_maker.ts";
import { oneGroupRegistry, Responder } from "../../../../lib/core/registry/responder.ts";
import { parseTunnelPrefix } from "../../../../lib/core/roster/prefix.ts";
import { Rosters } from "../../../../lib/core/roster/server/rosters.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { ExchangeKey } from "../../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../../lib/wire/crypto/portable.ts";
import { GroupKeys } from "../../../../lib/wire/wgsig2/keys.ts";
import { idOf } from "../../../support/fake_random.ts";
import { SECRET, T0 } from "../../../support/registry_driver.ts";
import { SERVER_PRIVATE } from "../../../support/scripted_registry.ts";
import { seededRandom } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

const KEYS = new GroupKeys(SECRET, 0, PORTABLE);
const SOURCE = { address: "203.0.113.7", port: 2000 };
const SERVER = new ExchangeKey(SERVER_PRIVATE, PORTABLE);

class Scene {
  readonly rosters = new Rosters(SERVER.publicKey.bytes, PORTABLE, 7);
  readonly conversation: Conversation;
  readonly #responder: Responder;
  /** Questions about the roster. */
  questions = 0;
  mono = 1000;

  constructor(proves = true) {
    const random = seededRandom(5);
    const registry = oneGroupRegistry({ secret: SECRET, random, serverKey: SERVER_PRIVATE });
    registry.keepRosters(gateMaker(this.rosters, SERVER, PORTABLE, random));
    this.#responder = new Responder(registry);
    const own = new Prover(new Uint8Array(32).fill(3), SECRET, PORTABLE);
    const options = { id: own.publicKey.bytes, group: 0, keys: KEYS };
    this.conversation = new Conversation(
      { ...options, prover: proves ? own : undefined },
      seededRandom(9),
    );
  }

  get now() {
    return { unix: T0 + this.mono, mono: this.mono };
  }

  put(number: number, ...prefixes: string[]): void {
    this.rosters.of(0).put({
      key: idOf(number),
      name: `peer ${number}`,
      prefixes: prefixes.map((each) => parseTunnelPrefix(each)!),
      via: undefined,
    }, T0);
  }

  /** Asks for peers, and then for what is new of the roster. */
  ask(): void {
    const { conversation } = this;
    const wish = { family: 4, registers: true, asks: true, roster: true } as const;
    const inquiry = new Inquiry(conversation, wish, this.now);
    const out = new WireBuffer(MAX_QUESTION_SIZE);
    for (; inquiry.next(this.now).kind !== "done"; this.mono += 0.5) {
      if (inquiry.next(this.now).kind === "ask") this.#send(out, inquiry.write(out, this.now));
    }
    for (; conversation.roster.next(this.now).kind !== "done"; this.mono += 0.1) {
      if (conversation.roster.next(this.now).kind !== "ask") continue;
      this.questions++;
      this.#send(out, conversation.writeRoster(out, this.now), true);
    }
  }

  #send(out: WireBuffer, size: number, isRoster = false): void {
    for (const each of this.#responder.answerOne(out.bytes.slice(0, size), SOURCE, this.now)) {
      assert(!isRoster || each.length <= size, "an answer is longer than its question");
      this.conversation.receive(new WireBuffer(each), 0, each.length, this.now);
    }
  }

  /** What is known: names and AllowedIPs by number, of those that are there. */
  get known(): string[] {
    return [...this.conversation.roster.entries.values()].filter(({ isGone }) => !isGone)
      .map(({ name, allowedIps }) => `${name} ${allowedIps.join()}`).sort();
  }
}

test("a roster is read as far as it goes, and then only what has changed of it", () => {
  const scene = new Scene();
  for (let i = 1; i <= 60; i++) scene.put(i, `10.9.1.${i}/32`, `10.8.${i}.7/24`);
  scene.ask();
  assert(scene.questions > 1);
  assertEquals(scene.known.length, 60);
  assert(scene.known.includes("peer 7 10.9.1.7/32,10.8.7.0/24"));
  const before = scene.questions;
  scene.ask();
  assertEquals(scene.questions, before);
  scene.put(7, "10.9.1.77/32");
  scene.rosters.of(0).remove(idOf(8), true, T0);
  scene.ask();
  assertEquals(scene.questions, before + 1);
  assertEquals(scene.known.length, 59);
  assert(scene.known.includes("peer 7 10.9.1.77/32"));
  const gone = scene.conversation.roster.entries.get(formatKey(idOf(8)));
  assertEquals([gone?.isGone, parseKey(gone?.publicKey ?? "")], [true, idOf(8)]);
});

test("who proves nothing is told nothing of a roster", () => {
  const scene = new Scene(false);
  scene.put(1, "10.9.1.1/32");
  scene.ask();
  assertEquals([scene.questions, scene.known], [0, []]);
});
