/** A registry's small front door. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NONE } from "../../../lib/core/net/none.ts";
import {
  type OneGroupOptions,
  oneGroupRegistry,
  Responder,
} from "../../../lib/core/registry/responder.ts";
import { encodeState } from "../../support/saved_state.ts";
import { hex } from "../../support/bytes.ts";
import { ExchangeDriver } from "../../support/exchange_driver.ts";
import { countingRandom, idOf } from "../../support/fake_random.ts";
import {
  type Asked,
  RegistryDriver,
  requestOf,
  SECRET,
  T0,
} from "../../support/registry_driver.ts";
import { privateKeyOf, QuestionClient } from "../../support/question_driver.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const SOURCE = { address: "192.0.2.7", port: 51820 };
const NOW = { unix: T0, mono: 5000 };

function registryOf(options: Partial<OneGroupOptions> = {}) {
  return oneGroupRegistry({ secret: SECRET, random: countingRandom(), ...options });
}

/** Sends each request from a port of its own, and returns the answer to the last. */
function ask(responder: Responder, requests: readonly Asked[]): Uint8Array[] {
  let answer: Uint8Array[] = [];
  requests.forEach((request, i) => {
    answer = responder.answerOne(requestOf(request).payload, { ...SOURCE, port: i + 1 }, NOW);
  });
  return answer;
}

function peers(from: number, to: number): Asked[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({ id: idOf(from + i) }));
}

test("a request is answered as in a batch, plain and encrypted", () => {
  for (const sealed of [undefined, 9]) {
    const requests = peers(1, 25).map((each) => sealed === undefined ? each : { ...each, sealed });
    const driver = new RegistryDriver();
    const [wanted] = requests.map((request, i) =>
      driver.ask({ ...request, from: `192.0.2.7 ${i + 1}` })
    ).reverse();
    const answer = ask(new Responder(registryOf()), requests);
    assertEquals(answer.length, 3);
    assertEquals(
      answer.map(({ length }) => length),
      Array(3).fill(sealed === undefined ? 540 : 556),
    );
    // Nonces are drawn from the same place: the same bytes.
    if (sealed === undefined) assertEquals(answer.map(hex), wanted?.datagrams.map(hex));
  }
});

test("a client reads answers of any length whole, and its own endpoint in them", () => {
  for (const count of [1, 10, 11, 700]) {
    for (const encrypt of [false, true]) {
      const responder = new Responder(registryOf());
      ask(responder, peers(1, count - 1));
      const client = new ExchangeDriver({ encrypt });
      const source = { address: "::ffff:203.0.113.21", port: 65535 };
      const answer = responder.answerOne(client.ask(T0), source, NOW);
      assertEquals(answer.length, Math.ceil(count / 10));
      assertEquals(new Set(client.receiveAll(answer)), new Set(["accepted"]));
      assert(client.exchange.isComplete);
      const seen = client.exchange.peers(T0);
      assertEquals(seen.length, count);
      const own = seen.find(({ publicKey }) => publicKey === client.exchange.publicKey);
      assertEquals([own?.address, own?.port], ["203.0.113.21", 65535]);
    }
  }
});

test("a client with the former secret reads its answer, too", () => {
  const responder = new Responder(registryOf({ secret: idOf(9), formerSecret: SECRET }));
  const client = new ExchangeDriver();
  assertEquals(client.receiveAll(responder.answerOne(client.ask(T0), SOURCE, NOW)), ["accepted"]);
  assert(client.exchange.isComplete);
});

test("what is dropped gets no answer, and is counted by its reason", () => {
  const drops: string[] = [];
  const registry = registryOf({
    observer: { endpointChanged() {}, dropped: (reason) => void drops.push(reason) },
    allowed: [idOf(1)],
  });
  const responder = new Responder(registry);
  const good = requestOf({ id: idOf(1) }).payload;
  const send = (bytes: Uint8Array, port = 1) =>
    responder.answerOne(bytes, { address: "192.0.2.7", port }, NOW);
  assertEquals(send(good).length, 1);
  for (
    const [bytes, port] of [
      [good, 1],
      [good, 0],
      [new Uint8Array(0), 1],
      [good.subarray(0, 81), 1],
      [new Uint8Array(2049), 1],
      [new Uint8Array(65_507), 1],
      [requestOf({ id: idOf(2) }).payload, 1],
      [requestOf({ id: idOf(1), nanoseconds: 1, secret: idOf(9) }).payload, 1],
      [requestOf({ id: idOf(1), group: 1 }).payload, 1],
    ] as const
  ) assertEquals(send(bytes, port), []);
  assertEquals(drops, [
    "drop-replayed",
    "drop-source-port-0",
    "drop-too-short",
    "drop-too-short",
    "drop-too-long",
    "drop-too-long",
    "drop-not-allowed",
    "drop-bad-mac",
    "drop-unknown-group",
  ]);
  for (const reason of new Set(drops)) {
    const count = drops.filter((each) => each === reason).length;
    assertEquals(registry.counters.get(reason as "drop-replayed"), count);
  }
});

test("an answer stays as it was given, and the request is not kept", () => {
  const responder = new Responder(registryOf());
  const { payload } = requestOf({ id: idOf(1) });
  const answer = responder.answerOne(payload, SOURCE, NOW);
  const before = answer.map(hex);
  payload.fill(0);
  ask(responder, peers(2, 30));
  assertEquals(answer.map(hex), before);
  assertEquals(answer.every(({ buffer }) => buffer.byteLength === 540), true);
});

test("a peer that was not heard of for longer than its age is in no answer", () => {
  const responder = new Responder(registryOf({ maxAge: 60 }));
  ask(responder, peers(1, 3));
  for (const [later, count] of [[60, 4], [61, 2]] as const) {
    const client = new ExchangeDriver({ id: idOf(later) });
    const now = { unix: T0 + later, mono: 5000 + later };
    client.receiveAll(responder.answerOne(client.ask(now.unix), SOURCE, now));
    assertEquals(client.exchange.peers(now.unix).length, count);
  }
});

test("the limits hold, and what is left out is as the program has it", () => {
  const registry = registryOf({ maxPeers: 12, maxAnswer: 10, group: 7 });
  const responder = new Responder(registry);
  const answer = ask(responder, peers(1, 13).map((each) => ({ ...each, group: 7 })));
  assertEquals([answer.length, registry.groups.get(7)?.table.count], [1, 12]);
  assertEquals(registry.counters.get("no-room"), 1);
  assertEquals(registryOf().groups.get(0)?.table.maxPeers, 100_000);
  for (const [ahead, count] of [[30, 1], [31, 0]] as const) {
    const request = requestOf({ seconds: T0 + ahead }).payload;
    assertEquals(new Responder(registryOf()).answerOne(request, SOURCE, NOW).length, count);
  }
});

test("over IPv6 a request is answered, and registers nothing", () => {
  const registry = registryOf();
  const { payload } = requestOf({ id: idOf(1) });
  const source = { address: "fe80::1%eth0", port: 5 };
  assertEquals(new Responder(registry).answerOne(payload, source, NOW).length, 1);
  assertEquals(registry.groups.get(0)?.table.oldest, NONE);
});

test("a source that is none is refused, and so are settings that can't be", () => {
  const responder = new Responder(registryOf());
  const { payload } = requestOf({});
  for (const address of ["", "example.com", "192.0.2", "192.0.2.7:1", "::1::"]) {
    assertThrows(() => responder.answerOne(payload, { address, port: 1 }, NOW), TypeError, address);
  }
  for (const port of [-1, 65_536, 1.5, NaN]) {
    assertThrows(() => responder.answerOne(payload, { ...SOURCE, port }, NOW), RangeError);
  }
  assertEquals(responder.answerOne(payload, SOURCE, NOW).length, 1);
  assertThrows(() => registryOf({ secret: new Uint8Array(31) }), RangeError, "31 bytes");
  assertThrows(
    () => registryOf({ allowed: [idOf(1), new Uint8Array(33)] }),
    RangeError,
    "33 bytes",
  );
  for (const group of [-1, 2 ** 32, 0.5]) assertThrows(() => registryOf({ group }), RangeError);
});

test("whatever comes in, nothing is thrown, changed or answered", () => {
  const registry = registryOf();
  const responder = new Responder(registry);
  ask(responder, peers(1, 12));
  const state = () => hex(encodeState(registry, NOW));
  const before = state();
  const datagram = fc.oneof(
    fc.uint8Array({ maxLength: 2100 }),
    fc.record({ at: fc.nat(97), value: fc.integer({ min: 1, max: 255 }), cut: fc.boolean() })
      .map(({ at, value, cut }) => {
        const { payload } = requestOf({
          id: idOf(3),
          nanoseconds: 5,
          ...(at > 81 && { sealed: 4 }),
        });
        payload[at]! ^= value;
        return cut ? payload.slice(0, at) : payload;
      }),
  );
  fc.assert(
    fc.property(datagram, fc.nat(65_535), (bytes, port) => {
      assertEquals(responder.answerOne(bytes, { ...SOURCE, port }, NOW), []);
      assertEquals(state(), before);
    }),
    { numRuns: 500 },
  );
});

test("with a key of its own, it answers questions of wgsig 2", () => {
  const random = seededRandom(3);
  const secret = new Uint8Array(32).fill(0x17);
  const serverKey = new Uint8Array(32).fill(0x21);
  const responder = new Responder(
    oneGroupRegistry({ secret, random, serverKey, proof: "required" }),
  );
  const client = new QuestionClient({ secret, privateKey: privateKeyOf(1) });
  const source = { address: "2001:db8::7", port: 51_820 };
  const now = { unix: 1_700_000_000, mono: 5 };
  const heard = client.converse(now.unix, {}, (bytes) => responder.answerOne(bytes, source, now));
  assertEquals(heard?.kind === "answer" && heard.flags, 3);
  assertEquals(client.peers.get(client.key)?.candidates, ["seen [2001:db8::7]:51820"]);
});
