import { assert, assertEquals } from "@std/assert";
import { OFFER } from "../../../lib/wire/wgsig2/answer.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { RelayScene, type ScenePeer } from "../../support/relay_scene.ts";
import {
  cookieReplyTo,
  dataTo,
  initiationTo,
  responseTo,
} from "../../support/wireguard_messages.ts";
import { test } from "../../testing.ts";

const A = "198.51.100.1 1000";
const B = "203.0.113.9 2000";
const C = "192.0.2.77 3000";
const SIX = "2001:db8:1:2::9 3000";

/** Two peers that are relayed. */
function relayed(scene: RelayScene, first = A, second = B): [ScenePeer, ScenePeer] {
  const [a, b] = [scene.peer(1, first), scene.peer(2, second)];
  scene.register(a, [b]);
  return [a, b];
}

test("two peers of which one has asked for the other are relayed to each other", () => {
  for (const [from, to] of [[A, B], [A, SIX], [SIX, A]] as const) {
    const scene = new RelayScene();
    const [a, b] = [scene.peer(1, from), scene.peer(2, to)];
    assertEquals(scene.refusal(a, initiationTo(b.client.id, 1)), "relay-drop-stranger");
    scene.register(a, [b]);
    assertEquals(scene.driver.registry.relay?.pairCount, 1);
    const session = scene.handshake(a, b);
    assert(scene.isUp(a, b, session));
    assert(scene.reaches(b, a, cookieReplyTo(session.ofA)));
    // The other one begins as well, and both sessions go on.
    const second = scene.handshake(b, a);
    assert(scene.isUp(b, a, second));
    assert(scene.isUp(a, b, session));
  }
});

test("a batch is passed on in its order, beside questions that are answered", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const { ofA, ofB } = scene.handshake(a, b);
  const payloads = Array.from(
    { length: 30 },
    (_, i) => [dataTo(ofB, 32 + i), dataTo(ofA, 2048 - i)],
  );
  const batch = payloads.flatMap(([there, back]) => [
    { payload: there!, from: a.from },
    { payload: back!, from: b.from },
  ]);
  const question = { payload: a.client.ask(scene.driver.unix + 1), from: a.from };
  const relayedOnes = scene.driver.relay([question, ...batch], 4);
  assertEquals(
    relayedOnes.map(({ to, payload }) => ({ to, payload })),
    payloads.flatMap(([there, back]) => [{ to: b.from, payload: there! }, {
      to: a.from,
      payload: back!,
    }]),
  );
  const { counters } = scene.driver.registry;
  assertEquals(counters.get("relayed"), 62);
  assertEquals(counters.get("sent"), counters.get("answered") + counters.get("retry-address"));
});

test("a registry says whether it relays, and one that doesn't passes nothing on", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  assertEquals(scene.ask(a.client, a.from).offers & OFFER.relays, OFFER.relays);
  const { registry } = scene.driver;
  registry.relayWith(undefined, () => {});
  assertEquals(registry.relay, undefined);
  scene.driver.pass(1);
  assertEquals(scene.ask(a.client, a.from).offers & OFFER.relays, 0);
  assertEquals(scene.refusal(a, initiationTo(b.client.id, 1)), "drop-unknown-group");
});

test("what a peer wants through the relay, each question says anew", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const c = scene.peer(3, C);
  scene.register(a, [b, c]);
  const [ab, ac] = [scene.handshake(a, b), scene.handshake(a, c)];
  scene.register(a);
  assert(scene.isUp(a, b, ab) && scene.isUp(a, c, ac));
  scene.register(a, [c]);
  assert(scene.isUp(a, c, ac));
  assertEquals(scene.refusal(a, dataTo(ab.ofB)), "relay-drop-index");
  assertEquals(scene.refusal(b, dataTo(ab.ofA)), "relay-drop-stranger");
  // One that subscribes and wants nobody wants nobody.
  scene.driver.pass(1);
  scene.ask(a.client, a.from, { flags: QUESTION_FLAG.subscribe });
  assertEquals(scene.refusal(a, dataTo(ac.ofB)), "relay-drop-stranger");
  assertEquals(scene.driver.registry.relay?.pairCount, 0);
});

test("what one peer ends goes on while the other wants it", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  scene.register(b, [a]);
  const session = scene.handshake(a, b);
  scene.register(a, []);
  assert(scene.isUp(a, b, session));
  scene.register(b, []);
  assertEquals(scene.refusal(a, dataTo(session.ofB)), "relay-drop-stranger");
});

test("it ends three times what lay between two questions after the last one", () => {
  for (const [gap, life] of [[1, 180], [100, 300], [290, 600]] as const) {
    const scene = new RelayScene({ maxAge: 86_400 });
    const [a, b] = relayed(scene);
    scene.driver.pass(gap - 1);
    scene.register(a, [b]);
    scene.driver.pass(life - 5);
    const session = scene.handshake(a, b);
    scene.driver.pass(6);
    assertEquals(scene.refusal(a, dataTo(session.ofB)), "relay-drop-not-asked");
    scene.driver.registry.expire(scene.driver);
    assertEquals(scene.driver.registry.relay?.pairCount, 0);
  }
});

test("a peer that moves is reached where it is now, and what comes from before is a stranger's", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const session = scene.handshake(a, b);
  const before = { ...b };
  b.from = C;
  scene.register(b);
  assert(scene.isUp(a, b, session));
  assertEquals(scene.refusal(before, dataTo(session.ofA)), "relay-drop-stranger");
});

test("a peer is reached in the family that its WireGuard has spoken in last", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const onIpv6: ScenePeer = { ...b, from: SIX, socket: 6 };
  scene.register(onIpv6);
  const session = scene.handshake(a, onIpv6);
  scene.register(b);
  // It was heard over IPv6 just now.
  assert(scene.reaches(a, onIpv6, dataTo(session.ofB)));
  assert(scene.reaches(b, a, dataTo(session.ofA)));
  assert(scene.reaches(a, b, dataTo(session.ofB)));
});

test("what is relayed leaves through the socket that its receiver has registered through", () => {
  const scene = new RelayScene();
  scene.driver.registry.sockets.set(5, true);
  const [a, b] = relayed(scene);
  b.socket = 5;
  scene.register(b);
  const session = scene.handshake(a, b);
  assert(scene.isUp(a, b, session));
  // That is closed, and the other ones of IPv4 serve.
  scene.driver.registry.sockets.delete(5);
  b.socket = 4;
  assert(scene.reaches(a, b, dataTo(session.ofB)));
  // There is none.
  const c = scene.peer(3, SIX);
  scene.register(a, [b, c]);
  scene.driver.registry.sockets.delete(6);
  assertEquals(scene.refusal(a, initiationTo(c.client.id, 1)), "relay-drop-nowhere");
});

test("a peer of the first protocol is relayed to, as it is registered", () => {
  const scene = new RelayScene();
  const a = scene.peer(1, A);
  const old = scene.client(2);
  scene.socket = 4;
  assert(scene.ask1(old.id, B));
  const b = { client: old, from: B, socket: 4 };
  scene.register(a, [b]);
  const session = scene.handshake(a, b);
  assert(scene.isUp(a, b, session));
  assert(scene.ask1(old.id, C));
  assert(scene.isUp(a, { ...b, from: C }, session));
});

test("a direct path stops a pair for a second, and no other one", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const c = scene.peer(3, C);
  scene.register(a, [b, c]);
  const [ab, ac] = [scene.handshake(a, b), scene.handshake(a, c)];
  scene.register(b, undefined, [a, c]);
  assertEquals(scene.refusal(a, dataTo(ab.ofB)), "relay-drop-stopped");
  assertEquals(scene.refusal(b, dataTo(ab.ofA)), "relay-drop-stopped");
  assertEquals(scene.refusal(a, initiationTo(b.client.id, 7)), "relay-drop-stopped");
  assert(scene.isUp(a, c, ac));
  scene.driver.pass(0.9);
  assertEquals(scene.refusal(a, dataTo(ab.ofB)), "relay-drop-stopped");
  scene.driver.pass(0.2);
  assert(scene.isUp(a, b, ab));
  assertEquals(scene.driver.registry.counters.get("relay-stops"), 1);
});

test("a session's indices hold for a minute after the next one, and end with WireGuard's", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const first = scene.handshake(a, b);
  scene.driver.pass(100);
  const second = scene.handshake(b, a);
  scene.driver.pass(58);
  scene.register(a, [b]);
  assert(scene.isUp(a, b, first));
  scene.driver.pass(1);
  assertEquals(scene.refusal(a, dataTo(first.ofB)), "relay-drop-index");
  scene.driver.pass(170);
  scene.register(a, [b]);
  scene.register(b);
  assert(scene.isUp(b, a, second));
  scene.driver.pass(10);
  assertEquals(scene.refusal(b, dataTo(second.ofA)), "relay-drop-index");
});

test("an initiation that is not answered in time can't be", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  assert(scene.reaches(a, b, initiationTo(b.client.id, 8)));
  scene.driver.pass(31);
  assertEquals(scene.refusal(b, responseTo(a.client.id, 9, 8)), "relay-drop-index");
});

test("after a restart of the registry, a session goes on once it is asked for", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const session = scene.handshake(a, b);
  const again = new RelayScene();
  again.driver.unix = scene.driver.unix;
  assertEquals(again.refusal(a, dataTo(session.ofB)), "relay-drop-stranger");
  for (const each of [b, a]) again.register(each, each === a ? [b] : undefined);
  assert(again.isUp(a, b, session));
  assert(again.isUp(a, b, again.handshake(a, b)));
});

test("a session of two peers that had a direct way goes on over the relay", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const c = scene.peer(3, C);
  const session = { ofA: 0x77, ofB: 0x78 };
  assert(scene.isUp(a, b, session));
  const { counters } = scene.driver.registry;
  assertEquals(counters.get("relay-guessed"), 2);
  // Both speak: there is no limit but those of the pair.
  for (let i = 0; i < 200; i++) assert(scene.isUp(a, b, session));
  // It is for another one, perhaps: both get it.
  scene.register(a, [b, c]);
  const both = scene.relay(a, dataTo(0x79)).map(({ to }) => to).toSorted();
  assertEquals(both, [b.from, c.from].toSorted());
  // An index that is known is not guessed, and where a handshake was relayed nothing is.
  const known = scene.handshake(a, c);
  assert(scene.reaches(a, c, dataTo(known.ofB)));
  assertEquals(scene.relay(a, dataTo(0x79)).map(({ to }) => to), [b.from]);
  scene.handshake(a, b);
  assertEquals(scene.refusal(a, dataTo(0x79)), "relay-drop-index");
  assertEquals(scene.refusal(b, dataTo(0x79)), "relay-drop-index");
});

test("where the other side is silent, few data are guessed to be for it, and not for ever", () => {
  const scene = new RelayScene();
  const [a, b] = relayed(scene);
  const relayedOf = (count: number) =>
    scene.relay(a, ...Array.from({ length: count }, (_, i) => dataTo(i))).length;
  assertEquals([relayedOf(30), relayedOf(30)], [30, 10]);
  scene.driver.pass(2);
  assertEquals(relayedOf(60), 40);
  for (let second = 0; second < 200; second += 20) {
    scene.driver.pass(20);
    scene.register(a, [b]);
  }
  assertEquals(scene.refusal(a, dataTo(1)), "relay-drop-index");
});

test("a host whose WireGuard is in two groups is relayed in both", () => {
  const scene = new RelayScene();
  const secret = new Uint8Array(32).fill(9);
  scene.driver.addGroup({ id: 1, secret });
  const [a, b] = relayed(scene);
  const same = scene.peer(1, A, { secret, group: 1 });
  const c = scene.peer(3, C, { secret, group: 1 });
  scene.register(same, [c]);
  const [ab, ac] = [scene.handshake(a, b), scene.handshake(same, c)];
  assert(scene.isUp(a, b, ab) && scene.isUp(same, c, ac));
  // One of the groups is gone.
  scene.driver.registry.removeGroup(1, scene.driver.mono);
  assert(scene.isUp(a, b, ab));
  assertEquals(scene.refusal(a, dataTo(ac.ofB)), "relay-drop-index");
  assertEquals(scene.refusal(c, dataTo(ac.ofA)), "relay-drop-stranger");
});

test("who is gone is not relayed to, nor is who gets its number", () => {
  const scene = new RelayScene({ maxAge: 300 });
  const [a, b] = relayed(scene);
  const session = scene.handshake(a, b);
  scene.driver.pass(200);
  scene.register(a, [b]);
  scene.driver.pass(150);
  scene.driver.registry.expire(scene.driver);
  const c = scene.peer(3, B);
  assertEquals(scene.refusal(a, dataTo(session.ofB)), "relay-drop-stranger");
  assertEquals(scene.refusal(c, dataTo(session.ofA)), "relay-drop-stranger");
  assertEquals(scene.driver.registry.relay?.pairCount, 0);
});
