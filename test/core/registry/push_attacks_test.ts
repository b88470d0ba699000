/** What a member of a group must not be able to do with subscriptions, and to those of others. */

import { assert, assertEquals } from "@std/assert";
import { AnswerBudget } from "../../../lib/core/net/answer_budget.ts";
import { ANSWER_FLAG } from "../../../lib/wire/wgsig2/answer.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { AskedQuestion } from "../../../lib/core/registry/asked_question.ts";
import { QuestionKeys } from "../../../lib/core/registry/question_keys.ts";
import { Subscriptions } from "../../../lib/core/registry/subscriptions.ts";
import { idOf } from "../../support/fake_random.ts";
import { KEEP, QuestionScene } from "../../support/question_scene.ts";
import { SECRET, SERVER_KEY } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

const HOME = "198.51.100.1 1000";
const EVIL = "203.0.113.66 666";
const { subscribed, cut, whole } = ANSWER_FLAG;
const SUBSCRIBE = { flags: QUESTION_FLAG.subscribe } as const;
const NEW_SECRET = new Uint8Array(32).fill(0x31);

/** A group that changes its secret. */
function changingScene(): QuestionScene {
  const scene = new QuestionScene({ maxAge: 86_400 });
  const { driver } = scene;
  const options = driver.optionsOf({ maxAge: 86_400 });
  driver.group().configure({ ...options, secrets: [NEW_SECRET, SECRET] }, driver.mono);
  return scene;
}

test("a question with the group's other secret ends no proved peer's subscription", () => {
  const scene = changingScene();
  const victim = scene.client(1);
  assert((scene.ask(victim, HOME, SUBSCRIBE).flags & subscribed) !== 0);
  // A lie: the proof is another key's.
  const liar = scene.client(2, { secret: NEW_SECRET, id: victim.id });
  assertEquals(scene.tell(liar, EVIL)?.kind, "retry");
  scene.ask1(idOf(7), EVIL);
  assertEquals(scene.pushes().map(({ to }) => to), ["198.51.100.1:1000 #0"]);
  scene.driver.pass(1);
  const { counters } = scene.driver.registry;
  const exchanges = counters.get("exchanges");
  scene.ask(victim, HOME, SUBSCRIBE);
  assertEquals(counters.get("exchanges"), exchanges);
  // The truth, played back.
  scene.driver.pass(1);
  const own = scene.client(1, { secret: NEW_SECRET });
  own.cookie = victim.cookie;
  const question = own.ask(scene.driver.unix, KEEP);
  scene.send(question, HOME);
  scene.driver.pass(1);
  scene.ask(victim, HOME, SUBSCRIBE);
  scene.send(question, HOME);
  assertEquals(counters.get("retry-label"), 1);
  scene.ask1(idOf(8), EVIL);
  assertEquals(scene.pushes().map(({ to }) => to), ["198.51.100.1:1000 #0"]);
});

test("who wants somebody who isn't there is not told to ask whenever others move", () => {
  const scene = new QuestionScene({ maxPeers: 1000 });
  const client = scene.client(1);
  scene.ask(client, HOME, { ...SUBSCRIBE, wants: [idOf(200), idOf(201)] });
  for (let port = 1; port <= 100; port++) {
    scene.ask1(idOf(7), `203.0.113.66 ${port}`);
    assertEquals(scene.pushes(), [], `${port}`);
  }
  scene.ask1(idOf(201), EVIL);
  const [push] = scene.pushes();
  const heard = client.hear(push!.bytes);
  assert(heard?.kind === "push");
  assertEquals(heard.told.length, 1);
});

test("what is pushed to a network is within what it may be answered", () => {
  const scene = new QuestionScene({ maxPeers: 1000 });
  const { registry } = scene.driver;
  registry.limitAnswers(new AnswerBudget({ bytesPerSecond: 100, burst: 20_000 }, 1));
  // A member whom many keys were made up for, behind an address that it has shown once.
  for (let i = 0; i < 100; i++) {
    scene.ask(scene.client(10 + i, { unproved: true }), EVIL, { ...SUBSCRIBE, wants: [idOf(7)] });
  }
  const other = scene.client(1);
  scene.ask(other, HOME, { ...SUBSCRIBE, wants: [idOf(7)] });
  scene.pushes();
  let bytes = 0;
  let toOther = 0;
  for (let port = 1; port <= 10; port++) {
    scene.ask1(idOf(7), `192.0.2.1 ${port}`);
    for (const push of scene.pushes()) {
      if (push.to.startsWith("203.")) bytes += push.bytes.length;
      else toOther++;
    }
  }
  assert(bytes > 10_000 && bytes <= 20_000 + 100 * 20, `${bytes}`);
  assert(registry.counters.get("push-withheld") > 0);
  assertEquals(toOther, 10);
});

test("room that was taken by long lists serves for short ones afterwards", () => {
  const subscriptions = new Subscriptions(1000);
  const keys = new QuestionKeys(SECRET, 0, SERVER_KEY, PORTABLE);
  const asked = new AskedQuestion();
  const { wants } = asked.question;
  const ask = (peer: number, count: number, mono: number) => {
    asked.peer = peer;
    wants.isGiven = true;
    wants.count = count;
    for (let i = 0; i < count; i++) wants.bytes.view.setUint32(8 * i, peer);
    return subscriptions.renew(asked, keys, 0, mono) >= 0;
  };
  let flooded = 0;
  while (flooded < 20_000 && ask(flooded, 128, 0)) flooded++;
  assertEquals(flooded, 8192);
  // While they are there, there is no room, and nothing is tried again and again.
  assert(!ask(20_000, 1, 1));
  // Those that stay have what they wanted.
  for (let peer = 0; peer < 100; peer++) assert(ask(peer, 128, 500));
  assert(ask(20_000, 5, 700));
  assertEquals(subscriptions.count, 101);
  for (let peer = 0; peer < 100; peer++) {
    const { count, bytes } = subscriptions.wantsOf(subscriptions.of(peer));
    assertEquals([count, bytes.view.getUint32(8 * 127)], [128, peer]);
  }
  const { count, bytes } = subscriptions.wantsOf(subscriptions.of(20_000));
  assertEquals([count, bytes.view.getUint32(8 * 4)], [5, 20_000]);
});

test("a large group is told to the end, however many others are gone since", () => {
  const scene = new QuestionScene({ maxPeers: 9000, maxAge: 86_400 });
  for (let number = 1; number <= 2000; number++) {
    scene.ask1(idOf(number), `10.0.${number >> 8}.${number & 255} 5`);
  }
  const first = scene.client(1);
  scene.ask(first, HOME, KEEP);
  const count = scene.driver.registry.peerCount;
  const directory = scene.driver.group().members.directory!;
  for (let i = 0; i < 6000; i++) {
    directory.remove(directory.add(new WireBuffer(idOf(10_000 + i)), 0, 0), 0);
  }
  const client = scene.client(2);
  let last = scene.ask(client, HOME, KEEP);
  assertEquals(last.flags & (whole | cut), whole | cut);
  for (let i = 0; (last.flags & cut) !== 0; i++) {
    assert(i < 10, "it begins anew each time");
    last = scene.ask(client, HOME, KEEP);
    assertEquals(last.flags & whole, 0);
  }
  assertEquals(client.peers.size, count);
});

test("what was used before a peer came in is used", () => {
  const scene = new QuestionScene({ maxAge: 5 });
  const client = scene.client(1);
  scene.ask(client, HOME);
  const question = client.ask(scene.driver.unix + 1);
  scene.send(question, HOME);
  scene.driver.pass(10);
  scene.driver.registry.expire(scene.driver);
  assertEquals(scene.driver.registry.peerCount, 0);
  // A member brings it back, in the first protocol.
  scene.ask1(client.id, EVIL);
  assertEquals(scene.driver.registry.peerCount, 1);
  scene.send(question, HOME);
  assertEquals(scene.seen1(client.key), "203.0.113.66:666");
  assertEquals(scene.driver.registry.counters.get("retry-label"), 1);
});
