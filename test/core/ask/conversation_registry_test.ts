/** The client's machine and the registry's, face to face. */

import { assert, assertEquals } from "@std/assert";
import { Conversation } from "../../../lib/core/ask/conversation.ts";
import { Inquiry } from "../../../lib/core/ask/inquiry.ts";
import { Prover } from "../../../lib/core/ask/prover.ts";
import { MAX_QUESTION_SIZE } from "../../../lib/core/ask/question_writer.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { oneGroupRegistry, Responder } from "../../../lib/core/registry/responder.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { GroupKeys } from "../../../lib/wire/wgsig2/keys.ts";
import { SECRET, T0 } from "../../support/registry_driver.ts";
import { SERVER_PRIVATE } from "../../support/scripted_registry.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const KEYS = new GroupKeys(SECRET, 0, PORTABLE);

/** A registry and its clock. */
class Place {
  responder: Responder;
  mono = 1000;
  /** How far clients' clocks are off. */
  wrong = 0;

  constructor(readonly proof: "auto" | "required" = "auto") {
    this.responder = this.#made(5);
  }

  #made(seed: number): Responder {
    const random = seededRandom(seed);
    const options = { secret: SECRET, random, serverKey: SERVER_PRIVATE, maxAnswer: 20 };
    return new Responder(oneGroupRegistry({ ...options, proof: this.proof }));
  }

  /** It forgets all. */
  restart(): void {
    this.responder = this.#made(6);
  }

  /** Asks until it is answered. Returns the inquiry, and how many questions there were. */
  ask(client: Client, registers = true): { inquiry: Inquiry; asked: number } {
    const now = () => ({ unix: T0 + this.mono + this.wrong, mono: this.mono });
    const { conversation, port } = client;
    const wish = { family: 4, registers, asks: true } as const;
    const inquiry = new Inquiry(conversation, wish, now());
    const out = new WireBuffer(MAX_QUESTION_SIZE);
    let asked = 0;
    for (; inquiry.next(now()).kind !== "done" && asked < 30; this.mono += 0.5) {
      if (inquiry.next(now()).kind !== "ask") continue;
      asked++;
      const size = inquiry.write(out, now());
      const true_ = { unix: T0 + this.mono, mono: this.mono };
      const source = { address: "203.0.113.7", port };
      for (const each of this.responder.answerOne(out.bytes.slice(0, size), source, true_)) {
        conversation.receive(new WireBuffer(each), 0, each.length, now());
      }
    }
    return { inquiry, asked };
  }
}

/** One peer. */
class Client {
  readonly conversation: Conversation;
  readonly publicKey: string;
  port: number;

  constructor(number: number, proves = true) {
    const privateKey = new Uint8Array(32).fill(number + 1);
    const own = new Prover(privateKey, SECRET, PORTABLE);
    const id = own.publicKey.bytes;
    const prover = proves ? own : undefined;
    this.publicKey = formatKey(id);
    this.port = 2000 + number;
    const random = seededRandom(100 + number);
    this.conversation = new Conversation({ id, group: 0, keys: KEYS, prover }, random);
  }

  /** Where it knows others to be: their ports. */
  get ports(): number[] {
    return [...this.conversation.directory.peers()]
      .filter(({ publicKey }) => publicKey !== this.publicKey)
      .flatMap(({ candidates }) => candidates.map(({ port }) => port)).sort();
  }
}

test("peers register with a proof, hear of each other, and then only of what changes", () => {
  const place = new Place();
  const clients = Array.from({ length: 50 }, (_, i) => new Client(i));
  for (const client of clients) {
    const { inquiry, asked } = place.ask(client);
    assert(inquiry.isAnswered && inquiry.isRegistered);
    assert(asked <= 4, `${asked} questions`);
  }
  const [first, ...others] = clients;
  place.ask(first!);
  assertEquals(first!.ports, others.map(({ port }) => port));
  const { revision } = first!.conversation.directory;
  assertEquals(place.ask(first!).asked, 1);
  assertEquals(first!.conversation.directory.revision, revision);
  others[3]!.port = 4444;
  place.ask(others[3]!);
  const { asked, inquiry } = place.ask(first!);
  assertEquals([asked, inquiry.expected], [1, 1]);
  assertEquals(first!.ports, others.map(({ port }) => port).sort());
});

test("a registry that has forgotten all is followed, and who is gone is forgotten", () => {
  const place = new Place();
  const [one, two, three] = [new Client(1), new Client(2), new Client(3)];
  for (const client of [one, two, three, one]) place.ask(client);
  assertEquals(one.ports, [2002, 2003]);
  place.restart();
  place.ask(two);
  place.ask(one);
  assertEquals(one.ports, [2002]);
});

test("a clock of 1970 is no hindrance", () => {
  const place = new Place();
  place.wrong = -T0;
  const { inquiry, asked } = place.ask(new Client(1));
  assert(inquiry.isRegistered);
  assert(asked <= 4, `${asked} questions`);
});

test("who has no private key moves nobody who has, and registers nothing where a proof is required", () => {
  const place = new Place();
  const [one, two] = [new Client(1), new Client(2)];
  for (const client of [one, two]) place.ask(client);
  const member = new Client(2, false);
  member.port = 6666;
  const { inquiry } = place.ask(member);
  assert(!inquiry.isRegistered);
  place.ask(one);
  assertEquals(one.ports, [2002]);
  const strict = new Place("required");
  assert(!strict.ask(new Client(3, false)).inquiry.isRegistered);
  assert(strict.ask(new Client(3)).inquiry.isRegistered);
});
