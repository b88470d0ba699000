/** What must not get through a relay, and what nobody can do to others by it. */

import { assert, assertEquals } from "@std/assert";
import { BATCH_SIZE } from "../../../lib/core/net/datagram_batch.ts";
import { Counters } from "../../../lib/core/net/counters.ts";
import type { RelayGroup } from "../../../lib/core/relay/relay_group.ts";
import { MOST_PAIRS, RelayedPairs } from "../../../lib/core/relay/relayed_pairs.ts";
import { RelayedPeers } from "../../../lib/core/relay/relayed_peers.ts";
import { Sessions } from "../../../lib/core/relay/sessions.ts";
import { WantedPairs } from "../../../lib/core/relay/wanted_pairs.ts";
import { RelayScene, type ScenePeer, UNLIMITED } from "../../support/relay_scene.ts";
import { seededRandom } from "../../support/seeded_random.ts";
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
const EVIL = "192.0.2.66 666";

/** Two peers that are relayed, with a session. */
function relayed(scene: RelayScene) {
  const [a, b] = [scene.peer(1, A), scene.peer(2, B)];
  scene.register(a, [b]);
  return { a, b, session: scene.handshake(a, b) };
}

test("strangers get nothing through, whatever they send, and leave nothing", () => {
  const scene = new RelayScene();
  const { a, b, session } = relayed(scene);
  const { counters, relay } = scene.driver.registry;
  const draw = new Uint8Array(8);
  const random = seededRandom(5);
  const before = counters.get("relayed");
  let sent = 0;
  for (let round = 0; round < 50; round++) {
    const datagrams = Array.from({ length: BATCH_SIZE }, (_, i) => {
      random(draw);
      const [x = 0, y = 0, port = 0] = draw;
      const payloads = [
        initiationTo(b.client.id, x),
        responseTo(a.client.id, x, session.ofA),
        cookieReplyTo(session.ofA),
        dataTo(i % 2 === 0 ? session.ofA : session.ofB, 32 + i),
      ];
      return { payload: payloads[i % 4]!, from: `${x | 1}.${y}.1.1 ${1 + port}` };
    });
    assertEquals(scene.driver.relay(datagrams, 4), []);
    sent += datagrams.length;
  }
  assertEquals(counters.get("relay-drop-stranger"), sent);
  assertEquals([counters.get("relayed"), relay?.pairCount], [before, 1]);
  // The address alone, or the port alone, is not enough.
  for (const from of ["198.51.100.1 1001", "198.51.100.2 1000"]) {
    assertEquals(scene.refusal({ from, socket: 4 }, dataTo(session.ofB)), "relay-drop-stranger");
  }
  assert(scene.isUp(a, b, session));
});

test("nobody is relayed to members of another group, who only has their keys", () => {
  const scene = new RelayScene();
  const secret = new Uint8Array(32).fill(9);
  scene.driver.addGroup({ id: 1, secret });
  const { a, b, session } = relayed(scene);
  const other = scene.peer(3, C, { secret, group: 1 });
  scene.register(other, [a, b]);
  assertEquals(scene.driver.registry.relay?.pairCount, 1);
  assertEquals(scene.refusal(other, initiationTo(a.client.id, 1)), "relay-drop-stranger");
  // Nor who is relayed to somebody of its own group.
  const friend = scene.peer(4, EVIL, { secret, group: 1 });
  scene.register(other, [friend]);
  scene.handshake(other, friend);
  assertEquals(scene.refusal(other, initiationTo(a.client.id, 1)), "relay-drop-nobody");
  assertEquals(scene.refusal(other, dataTo(session.ofA)), "relay-drop-index");
});

test("where proof is required, who has not proved its key is not relayed", () => {
  const scene = new RelayScene({ proof: "required" });
  const { a } = relayed(scene);
  const liar: ScenePeer = { client: scene.client(3, { unproved: true }), from: EVIL, socket: 4 };
  scene.register(liar, [a]);
  scene.register(a, [liar]);
  assertEquals(scene.refusal(liar, initiationTo(a.client.id, 1)), "relay-drop-stranger");
  assertEquals(scene.refusal(a, initiationTo(liar.client.id, 1)), "relay-drop-stranger");
});

test("nobody else asks for a peer that has proved its key, or stops it", () => {
  const scene = new RelayScene();
  const { a, b, session } = relayed(scene);
  const c = scene.peer(3, C);
  // Who has the secret says that it is b, from an address that it has shown.
  const liar: ScenePeer = {
    client: scene.client(4, { id: b.client.id, unproved: true }),
    from: EVIL,
    socket: 4,
  };
  scene.register(liar, [c], [a]);
  assertEquals(scene.driver.registry.relay?.pairCount, 1);
  assertEquals(scene.driver.registry.counters.get("relay-stops"), 0);
  assert(scene.isUp(a, b, session));
  assertEquals(scene.refusal(liar, dataTo(session.ofA)), "relay-drop-stranger");
});

test("what was asked for in a peer's name ends when it proves its key", () => {
  const scene = new RelayScene();
  const a = scene.peer(1, A);
  const b = scene.client(2);
  const liar: ScenePeer = {
    client: scene.client(4, { id: b.id, unproved: true }),
    from: EVIL,
    socket: 4,
  };
  scene.register(liar, [a]);
  assert(scene.reaches(liar, a, initiationTo(a.client.id, 1)));
  scene.register({ client: b, from: B, socket: 4 });
  assertEquals(scene.refusal(liar, initiationTo(a.client.id, 1)), "relay-drop-stranger");
  assertEquals(scene.driver.registry.relay?.pairCount, 0);
});

test("a peer gets a handshake only of who is relayed to it, and for itself", () => {
  const scene = new RelayScene();
  const { a, b } = relayed(scene);
  const c = scene.peer(3, C);
  scene.register(b, [c]);
  assertEquals(scene.refusal(a, initiationTo(c.client.id, 1)), "relay-drop-nobody");
  assertEquals(scene.refusal(a, initiationTo(a.client.id, 1)), "relay-drop-nobody");
  const broken = initiationTo(b.client.id, 1);
  broken[20]! ^= 1;
  assertEquals(scene.refusal(a, broken), "relay-drop-nobody");
  // A response to what nobody has asked, and one that is for another one.
  assertEquals(scene.refusal(b, responseTo(a.client.id, 1, 2)), "relay-drop-index");
  assert(scene.reaches(a, b, initiationTo(b.client.id, 5)));
  assertEquals(scene.refusal(b, responseTo(c.client.id, 6, 5)), "relay-drop-nobody");
  assert(scene.reaches(b, a, responseTo(a.client.id, 6, 5)));
});

test("an index means something only from who was told it", () => {
  const scene = new RelayScene();
  const { a, b, session } = relayed(scene);
  const c = scene.peer(3, C);
  scene.register(c, [a]);
  const other = scene.handshake(c, a);
  // The own ones, those of others, and any.
  for (const index of [session.ofA, other.ofB, 0, 0xffff_ffff]) {
    assertEquals(
      scene.refusal(b, dataTo(index === session.ofA ? session.ofB : index)),
      "relay-drop-index",
    );
  }
  assertEquals(scene.refusal(c, dataTo(session.ofA)), "relay-drop-index");
  assertEquals(scene.refusal(c, dataTo(session.ofB)), "relay-drop-index");
  assert(scene.isUp(a, b, session) && scene.isUp(c, a, other));
});

test("nobody takes over an index that stands for another pair", () => {
  const scene = new RelayScene();
  const { a, b, session } = relayed(scene);
  const c = scene.peer(3, C);
  scene.register(c, [a]);
  // What b has chosen, and a sends to.
  assertEquals(scene.refusal(c, initiationTo(a.client.id, session.ofB)), "relay-drop-taken");
  assert(scene.reaches(a, c, initiationTo(c.client.id, 77)));
  assertEquals(scene.refusal(c, responseTo(a.client.id, session.ofB, 77)), "relay-drop-taken");
  assert(scene.isUp(a, b, session));
  // It was not answered then, and still can be.
  assert(scene.reaches(c, a, responseTo(a.client.id, 78, 77)));
});

test("initiations that are made up in a peer's name end no session", () => {
  const scene = new RelayScene();
  const { a, b, session } = relayed(scene);
  for (let index = 1; index <= 40; index++) {
    assert(scene.reaches(a, b, initiationTo(b.client.id, index)));
    assert(scene.reaches(b, a, initiationTo(a.client.id, index)));
  }
  assert(scene.isUp(a, b, session));
  // The newest ones can be answered.
  assert(scene.reaches(b, a, responseTo(a.client.id, 100, 40)));
  assertEquals(scene.refusal(b, responseTo(a.client.id, 100, 36)), "relay-drop-index");
});

test("whole handshakes that are made up don't end a session that is in use", () => {
  const scene = new RelayScene();
  const { a, b, session } = relayed(scene);
  for (let i = 0; i < 50; i++) {
    scene.handshake(a, b);
    assert(scene.isUp(a, b, session), `${i}`);
    scene.driver.pass(1);
  }
});

test("a pair over its rate is cut, and others are not", () => {
  const scene = new RelayScene({}, { ...UNLIMITED, pairRate: 600_000 });
  const { a, b, session } = relayed(scene);
  const c = scene.peer(3, C);
  scene.register(c, [a]);
  const other = scene.handshake(c, a);
  const burst = () => {
    let passed = 0;
    while (passed < 10_000 && scene.reaches(a, b, dataTo(session.ofB, 1000))) passed++;
    return passed;
  };
  assertEquals(burst(), 300);
  assertEquals(scene.refusal(b, dataTo(session.ofA)), "relay-drop-limited");
  assert(scene.isUp(a, c, { ofA: other.ofB, ofB: other.ofA }));
  scene.driver.pass(0.1);
  assertEquals(burst(), 60);
  // Small ones count for more than they have.
  scene.driver.pass(10);
  let small = 0;
  while (small < 10_000 && scene.reaches(a, b, dataTo(session.ofB))) small++;
  assertEquals(small, Math.floor(300_000 / 128));
});

test("the rates of a peer and of all hold, and other ones are in force at once", () => {
  for (const rate of ["peerRate", "totalRate"] as const) {
    const scene = new RelayScene({}, { ...UNLIMITED, [rate]: 600_000 });
    const { a, b, session } = relayed(scene);
    const c = scene.peer(3, C);
    scene.register(c, [a]);
    const other = scene.handshake(c, a);
    scene.driver.pass(10);
    let passed = 0;
    while (scene.reaches(a, b, dataTo(session.ofB, 1000))) passed++;
    assertEquals(passed, 300);
    assertEquals(scene.refusal(a, dataTo(other.ofA, 1000)), "relay-drop-limited");
    const back = dataTo(other.ofB);
    if (rate === "peerRate") assert(scene.reaches(c, a, back));
    else assertEquals(scene.refusal(c, back), "relay-drop-limited");
    scene.driver.registry.relayWith(UNLIMITED, () => {});
    assert(scene.isUp(a, b, session));
  }
});

test("a peer gets so many handshakes, and no more", () => {
  const scene = new RelayScene();
  const { a, b, session } = relayed(scene);
  scene.driver.pass(100);
  let greetings = 0;
  while (greetings < 1000 && scene.reaches(a, b, initiationTo(b.client.id, greetings))) greetings++;
  assertEquals(greetings, 200);
  assertEquals(scene.refusal(a, initiationTo(b.client.id, 1)), "relay-drop-limited");
  assert(scene.isUp(a, b, session));
});

test("handshakes for nobody are so much work, and no more", () => {
  const scene = new RelayScene({}, { ...UNLIMITED, macRate: 100 });
  const { a, b, session } = relayed(scene);
  scene.driver.pass(100);
  const stranger = initiationTo(scene.client(9).id, 1);
  let looked = 0;
  while (looked < 500 && scene.refusal(a, stranger) === "relay-drop-nobody") looked++;
  assertEquals(looked, 40);
  assertEquals(scene.refusal(a, initiationTo(b.client.id, 1)), "relay-drop-busy");
  assert(scene.isUp(a, b, session));
  scene.driver.pass(1);
  assert(scene.reaches(a, b, initiationTo(b.client.id, 1)));
});

test("a datagram that was cut is not passed on, nor what is none of WireGuard's", () => {
  const scene = new RelayScene();
  const { a, session } = relayed(scene);
  assertEquals(scene.refusal(a, dataTo(session.ofB, 2049)), "drop-too-long");
  for (const size of [0, 4, 31]) {
    assertEquals(scene.refusal(a, dataTo(session.ofB, 32).subarray(0, size)), "drop-too-short");
  }
  const others = [initiationTo(a.client.id, 1), responseTo(a.client.id, 1, 2)].map((each) =>
    Uint8Array.from([...each, 0])
  );
  const unlike = dataTo(session.ofB);
  unlike[3] = 1;
  for (const payload of [...others, unlike]) {
    assertEquals(scene.driver.relay([{ payload, from: a.from }], 4), []);
  }
});

/** A group whose members are registered where nobody looks. */
const GROUP: RelayGroup = {
  isAt: () => false,
  readEndpoint: () => false,
  socketOf: () => -1,
  readId() {},
};

test("where there are too many pairs, idle ones make room, and for proved ones unproved ones", () => {
  const counters = new Counters();
  const peers = new RelayedPeers(1);
  const pairs = new RelayedPairs();
  const wanted = new WantedPairs(peers, pairs, new Sessions(1), counters);
  wanted.idle = 100;
  const perAsker = 128;
  const others = Int32Array.from({ length: perAsker }, (_, i) => 100_000 + i);
  const askers = MOST_PAIRS / perAsker;
  for (let i = 0; i < askers; i++) wanted.ask(GROUP, i, others, perAsker, i < 3, 0);
  assertEquals([pairs.count, counters.get("relay-no-room")], [MOST_PAIRS, 0]);
  // Who has proved nothing pushes nobody out.
  wanted.ask(GROUP, 500, others, perAsker, false, 1);
  assertEquals([peers.find(GROUP, 500), counters.get("relay-no-room")], [-1, perAsker]);
  // Who has, does so with those that have not; the proved ones stay.
  wanted.ask(GROUP, 501, others, perAsker, true, 1);
  assertEquals([pairs.count, counters.get("relay-no-room")], [MOST_PAIRS, perAsker]);
  for (const asker of [0, 1, 2, 501]) {
    const peer = peers.find(GROUP, asker);
    let count = 0;
    for (let side = pairs.firstOf(peer); side >= 0; side = pairs.nextOf(side)) count++;
    assertEquals(count, perAsker);
  }
  // And after a while, all that carry nothing.
  wanted.ask(GROUP, 500, others, perAsker, false, 102);
  assertEquals([pairs.count, counters.get("relay-no-room")], [MOST_PAIRS, perAsker]);
  wanted.expire(2000);
  assertEquals([pairs.count, peers.count], [0, 0]);
});
