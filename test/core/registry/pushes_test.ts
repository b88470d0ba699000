import { assert, assertEquals } from "@std/assert";
import { ANSWER_FLAG, OFFER } from "../../../lib/wire/wgsig2/answer.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { RECORD_FLAG } from "../../../lib/wire/wgsig2/record.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { idOf } from "../../support/fake_random.ts";
import { KEEP, QuestionScene } from "../../support/question_scene.ts";
import { privateKeyOf, type QuestionClient } from "../../support/question_driver.ts";
import { test } from "../../testing.ts";

const HOME = "198.51.100.1 1000";
const AWAY = "203.0.113.9 2000";
const { subscribed, registered } = ANSWER_FLAG;
const SUBSCRIBE = { flags: QUESTION_FLAG.subscribe } as const;

/** A scene with somebody who has subscribed. */
function subscribedScene(asking = {}): { scene: QuestionScene; client: QuestionClient } {
  const scene = new QuestionScene({ maxPeers: 20_000 });
  const client = scene.client(1);
  const answer = scene.ask(client, HOME, { ...SUBSCRIBE, ...asking });
  assertEquals(answer.flags & (subscribed | registered), subscribed | registered);
  assertEquals(answer.offers, OFFER.pushes);
  assertEquals(scene.pushes(), []);
  return { scene, client };
}

/** What pushes said to a client: `to COUNTER PREVIOUS>VERSION told…`. */
function heardPushes(scene: QuestionScene, client: QuestionClient): string[] {
  return scene.pushes().map(({ bytes, to }) => {
    const heard = client.hear(bytes);
    if (heard === undefined) return `${to} nothing`;
    assert(heard.kind === "push");
    return `${to} ${heard.counter} ${heard.told.length}`;
  });
}

test("what changes is pushed to where the subscriber asked, and it knows it then", () => {
  const { scene, client } = subscribedScene();
  const id = idOf(7);
  scene.ask1(id, AWAY);
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 1 1"]);
  assertEquals(client.peers.get(formatKey(id))?.candidates, ["seen 203.0.113.9:2000"]);
  scene.ask1(id, "203.0.113.9 2001");
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 2 1"]);
  // So a question has nothing to add.
  assertEquals(scene.ask(client, HOME, SUBSCRIBE).told, []);
  assertEquals(scene.driver.registry.counters.get("pushed"), 2);
  // And nothing is pushed of what was merely heard again.
  scene.ask1(id, "203.0.113.9 2001");
  assertEquals(heardPushes(scene, client), []);
});

test("another way to a peer's port is pushed", () => {
  const { scene, client } = subscribedScene();
  const other = scene.client(2);
  const ask = (flags: number) => {
    scene.driver.pass(1);
    scene.ask(other, AWAY, { flags });
  };
  ask(0);
  assertEquals(heardPushes(scene, client).length, 1);
  const { probes } = QUESTION_FLAG;
  ask(probes);
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 2 1"]);
  assertEquals(client.peers.get(other.key)?.flags, RECORD_FLAG.proved | RECORD_FLAG.probes);
  // That it says so again is nothing new.
  scene.ask(client, HOME, SUBSCRIBE);
  ask(probes);
  assertEquals(heardPushes(scene, client), []);
});

test("only what is wanted is pushed, and what is not doesn't keep a client from the next push", () => {
  const { scene, client } = subscribedScene({ wants: [idOf(7), idOf(8)] });
  for (let i = 10; i < 13; i++) scene.ask1(idOf(i), AWAY);
  assertEquals(heardPushes(scene, client), []);
  scene.ask1(idOf(8), AWAY);
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 1 1"]);
  assertEquals([...client.peers.keys()].includes(formatKey(idOf(8))), true);
});

test("a push that is not acknowledged is repeated after 1, 3 and 9 s, with what is true then", () => {
  const { scene, client } = subscribedScene();
  scene.ask1(idOf(7), AWAY);
  assertEquals(scene.pushes().length, 1);
  const times: number[] = [];
  for (let second = 0.5; second < 30; second += 0.5) {
    scene.driver.pass(0.5);
    for (const { bytes } of scene.pushes()) {
      times.push(second);
      assertEquals(client.hear(bytes)?.kind, "push");
    }
  }
  assertEquals(times, [1, 4, 13]);
  assertEquals(client.peers.get(formatKey(idOf(7)))?.candidates, ["seen 203.0.113.9:2000"]);
  assertEquals(client.ack, 4);
  assertEquals(scene.driver.registry.counters.get("push-repeated"), 3);
});

test("a question acknowledges what was pushed", () => {
  const { scene, client } = subscribedScene();
  scene.ask1(idOf(7), AWAY);
  assertEquals(heardPushes(scene, client).length, 1);
  scene.ask(client, HOME, SUBSCRIBE);
  for (let i = 0; i < 20; i++) {
    scene.driver.pass(1);
    assertEquals(heardPushes(scene, client), []);
  }
});

test("changes that come together are told with one push, and what doesn't fit is asked for", () => {
  const { scene, client } = subscribedScene();
  const before = scene.driver.mono;
  for (let i = 10; i < 14; i++) scene.ask1(idOf(i), AWAY);
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 1 4"]);
  for (let i = 20; i < 60; i++) scene.ask1(idOf(i), AWAY);
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 2 0"]);
  const push = client.heard.at(-1)!;
  assert(push.kind === "push" && push.previous === push.version);
  scene.ask(client, HOME, SUBSCRIBE);
  assertEquals(client.peers.size, 45);
  assert(scene.driver.mono - before < 300);
  // No two within 20 ms.
  scene.ask1(idOf(60), AWAY);
  assertEquals(heardPushes(scene, client).length, 1);
  scene.driver.pass(-1);
  scene.ask1(idOf(61), AWAY);
  assertEquals(heardPushes(scene, client), []);
  scene.driver.pass(0.03);
  assertEquals(heardPushes(scene, client).length, 1);
});

test("many who are gone at once are told soon, also when nothing comes in", () => {
  const { scene, client } = subscribedScene();
  const { driver } = scene;
  const { registry } = driver;
  const directory = driver.group().members.directory!;
  for (let peer = 100; peer < 2100; peer++) {
    directory.add(new WireBuffer(idOf(peer)), 0, driver.mono);
  }
  for (let i = 0; i < 3; i++) {
    driver.pass(101);
    scene.ask(client, HOME, SUBSCRIBE);
  }
  scene.pushes();
  const begun = driver.mono;
  while (directory.count > 1) {
    driver.pass(Math.max(0.005, registry.pushDueIn(driver)));
    registry.expireInTime(driver);
    scene.pushes();
  }
  assert(driver.mono - begun < 1, `${driver.mono - begun} s`);
});

test("who is gone is pushed, also when nothing comes in", () => {
  const { scene, client } = subscribedScene();
  scene.ask1(idOf(7), AWAY);
  heardPushes(scene, client);
  scene.driver.pass(150);
  scene.ask(client, HOME, SUBSCRIBE);
  const { registry } = scene.driver;
  const due = registry.pushDueIn(scene.driver);
  assert(due > 100 && due <= 150, `${due}`);
  scene.driver.pass(due + 1);
  registry.expireInTime(scene.driver);
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 2 1"]);
  assertEquals([...client.peers.keys()], [client.key]);
});

test("a subscription ends with a question without it from the same place, and with time", () => {
  const { scene, client } = subscribedScene();
  // WireGuard's own port registers, and doesn't subscribe.
  scene.ask(client, "198.51.100.1 51820");
  scene.ask1(idOf(7), AWAY);
  assertEquals(scene.pushes().length, 1);
  scene.driver.pass(1);
  scene.ask(client, HOME, KEEP);
  scene.ask1(idOf(8), AWAY);
  assertEquals(scene.pushes(), []);
  assertEquals(scene.driver.registry.pushDueIn(scene.driver), Infinity);

  for (const [interval, life] of [[5, 180], [100, 300], [400, 600]]) {
    const { scene, client } = subscribedScene();
    scene.driver.configureGroup({ maxAge: 86_400 });
    scene.driver.pass(interval!);
    scene.ask(client, HOME, SUBSCRIBE);
    scene.driver.pass(life! - 2);
    scene.ask1(idOf(7), AWAY);
    assertEquals(scene.pushes().length, 1, `${interval}`);
    scene.driver.pass(2);
    scene.ask1(idOf(8), AWAY);
    assertEquals(scene.pushes(), [], `${interval}`);
  }
});

test("a subscription moves with its client, and goes through the socket that was asked", () => {
  const { scene, client } = subscribedScene();
  scene.socket = 1;
  scene.driver.pass(1);
  scene.ask(client, "2001:db8::7 9", SUBSCRIBE);
  scene.socket = 0;
  scene.ask1(idOf(7), AWAY);
  assertEquals(heardPushes(scene, client), ["[2001:db8::7]:9 #1 1 1"]);
});

test("nobody but its peer touches the subscription of a peer that has proved its key", () => {
  const { scene, client } = subscribedScene();
  const member = scene.client(1, { unproved: true });
  scene.driver.pass(1);
  assertEquals(scene.ask(member, AWAY, SUBSCRIBE).flags & subscribed, 0);
  scene.driver.pass(1);
  scene.ask(scene.client(1, { unproved: true }), HOME);
  scene.ask1(idOf(7), AWAY);
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 1 1"]);
  // Who has proved its key takes over what was subscribed in its name.
  const other = scene.client(2, { unproved: true });
  scene.ask(other, AWAY, SUBSCRIBE);
  const prover = scene.client(2);
  scene.ask(prover, "192.0.2.9 9");
  scene.pushes();
  scene.driver.pass(1);
  scene.ask(client, HOME, SUBSCRIBE);
  scene.ask1(idOf(9), AWAY);
  assertEquals(scene.pushes().map(({ to }) => to), ["198.51.100.1:1000 #0"]);
});

test("a client that has heard the last counter that there is begins anew", () => {
  const { scene, client } = subscribedScene();
  client.ack = 0xffff_ffff;
  scene.driver.pass(1);
  scene.ask(client, HOME, SUBSCRIBE);
  client.ack = 0;
  scene.ask1(idOf(7), AWAY);
  assertEquals(heardPushes(scene, client), ["198.51.100.1:1000 #0 1 1"]);
});

test("who only asks and is not registered is told that nothing is pushed", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  const flags = QUESTION_FLAG.subscribe | QUESTION_FLAG.keep;
  assertEquals(scene.ask(client, HOME, { flags }).flags & subscribed, 0);
});

test("to who doesn't ask any more, not more than sixteen pushes are sent", () => {
  const { scene } = subscribedScene();
  let sent = 0;
  for (let i = 0; i < 100; i++) {
    scene.ask1(idOf(7), `203.0.113.9 ${3000 + i}`);
    sent += scene.pushes().length;
  }
  assertEquals(sent, 16);
});

test("a new secret ends the subscriptions that were made with the one before", () => {
  const { scene } = subscribedScene();
  scene.driver.configureGroup({ secret: new Uint8Array(32).fill(0x44) });
  const member = scene.client(2, { secret: new Uint8Array(32).fill(0x44) });
  scene.ask(member, AWAY);
  scene.driver.pass(1);
  assertEquals(scene.pushes(), []);
  assertEquals(scene.driver.group().members.directory?.pushes.subscriptions.count, 0);
});

test("many changes for many subscribers take many short turns, and reach them all", () => {
  const scene = new QuestionScene({ maxPeers: 20_000 });
  const clients = Array.from(
    { length: 60 },
    (_, i) => scene.client(i + 1, { privateKey: privateKeyOf(i + 1), unproved: true }),
  );
  clients.forEach((client, i) => scene.ask(client, `198.51.100.${i} 5`, SUBSCRIBE));
  scene.driver.pass(1);
  scene.pushes();
  clients.forEach((client, i) => scene.ask(client, `198.51.100.${i} 5`, SUBSCRIBE));
  for (let i = 0; i < 5; i++) scene.ask1(idOf(100 + i), AWAY);
  const turns: number[] = [];
  const told = new Set<string>();
  for (let turn = 0; turn < 50; turn++) {
    const pushes = scene.turn();
    if (pushes.length > 0) turns.push(pushes.length);
    for (const { to } of pushes) told.add(to);
  }
  assertEquals(told.size, 60);
  assertEquals(Math.max(...turns) <= 61, true);
});
