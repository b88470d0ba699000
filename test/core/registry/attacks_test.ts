/** What members of a group, and others, must not be able to do. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { ANSWER_FLAG } from "../../../lib/wire/wgsig2/answer.ts";
import { DATAGRAM, sealDatagram, writeDatagramHeader } from "../../../lib/wire/wgsig2/datagram.ts";
import { GroupKeys } from "../../../lib/wire/wgsig2/keys.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { idOf } from "../../support/fake_random.ts";
import { SMALL_ORDER } from "../../support/points.ts";
import { privateKeyOf } from "../../support/question_driver.ts";
import { KEEP, QuestionScene } from "../../support/question_scene.ts";
import { RegistryDriver, requestOf, SECRET, SERVER_KEY } from "../../support/registry_driver.ts";
import { seededNumbers, seededRandom } from "../../support/seeded_random.ts";
import {
  twinGroupKeys,
  twinHeader,
  twinPeerKeys,
  twinProof,
  twinSeal,
  twinUnseal,
} from "../../support/wgsig2_twin.ts";
import { twinQuestion as anyQuestion } from "../../support/wgsig2_arbitraries.ts";
import { twinQuestion } from "../../support/wgsig2_twin.ts";
import { test } from "../../testing.ts";

const HOME = "198.51.100.1 1000";
const EVIL = "203.0.113.66 666";
const { registered } = ANSWER_FLAG;
const { keep, proved, subscribe } = QUESTION_FLAG;
const CANDIDATES = ["lan 192.168.1.2:5", "declared 198.51.100.1:7"];
const KEYS = new GroupKeys(SECRET, 0, PORTABLE);
const [, ANSWER_KEY] = twinGroupKeys(SECRET, 0);

/** A peer that has proved its key, and a member who names it. */
function victimScene(maxPeers = 1000) {
  const scene = new QuestionScene({ maxPeers, maxAge: 86_400 });
  const victim = scene.client(1);
  scene.ask(victim, HOME, { candidates: CANDIDATES });
  const member = scene.client(1, { unproved: true });
  return { scene, victim, member };
}

/** All that the registry tells of a peer, but for how long ago that was. */
function toldOf(scene: QuestionScene, key: string): unknown {
  const asker = scene.client(99, { unproved: true });
  scene.driver.pass(1);
  scene.ask(asker, "192.0.2.200 9", KEEP);
  const peer = asker.peers.get(key);
  return [peer && { ...peer, age: 0 }, scene.seen1(key)];
}

/** What would change if something were kept. */
function stateOf({ driver }: QuestionScene): string {
  const { directory } = driver.group().members;
  return `${directory?.count} ${directory?.log.version} ${driver.snapshot()}`;
}

/** A question of any bytes inside, sealed as a member can. */
function sealed(payload: readonly number[], nonce: Uint8Array): Uint8Array {
  const datagram = new WireBuffer(32 + payload.length + 16);
  writeDatagramHeader(DATAGRAM.question, 0, new WireBuffer(nonce), 0, datagram, 0);
  datagram.bytes.set(payload, 32);
  sealDatagram(KEYS.question, datagram, 0, datagram.size);
  return datagram.bytes;
}

function nonceOf(number: number): Uint8Array {
  const nonce = new Uint8Array(24);
  seededRandom(number)(nonce);
  return nonce;
}

test("a member moves no peer that has proved its key, in either protocol", () => {
  const { scene, victim, member } = victimScene();
  const before = toldOf(scene, victim.key);
  const heard = scene.ask(member, EVIL, { candidates: ["declared 203.0.113.66:1"] });
  assertEquals(heard.flags & registered, 0);
  assert(scene.ask1(victim.id, EVIL));
  assert(scene.ask1(victim.id, EVIL, 1));
  assert(scene.ask1(victim.id, EVIL, 2));
  scene.ask(member, "2001:db8:6::6 6");
  assertEquals(toldOf(scene, victim.key), before);
  assertEquals(scene.driver.registry.counters.get("kept-proved"), 5);
  // A question that says it is proved, and isn't, is no better.
  const liar = scene.client(2, { id: victim.id });
  assertEquals(scene.tell(liar, EVIL), {
    kind: "retry",
    reason: "proof",
    time: { seconds: Math.floor(scene.driver.unix), nanoseconds: 0 },
  });
  assertEquals(toldOf(scene, victim.key), before);
});

test("a member locks no peer out by a label in the future, in either protocol", () => {
  const { scene, victim, member } = victimScene();
  member.ahead = 30;
  scene.ask(member, EVIL);
  const future = { seconds: Math.floor(scene.driver.unix) + 30, nanoseconds: 999_999_999 };
  scene.driver.exchange([requestOf({ id: victim.id, ...future, from: EVIL })]);
  scene.driver.pass(1);
  assertEquals(scene.ask(victim, "198.51.100.1 1001").flags & registered, registered);
  assertEquals(scene.seen1(victim.key), "198.51.100.1:1001");
});

test("a member can't keep a proved peer's record alive, nor end it", () => {
  const { scene, victim, member } = victimScene();
  scene.driver.configureGroup({ maxAge: 100 });
  for (let i = 0; i < 3; i++) {
    scene.driver.pass(30);
    scene.ask(member, EVIL);
    assert(scene.ask1(victim.id, EVIL));
  }
  scene.driver.registry.expire(scene.driver);
  assert(scene.seen1(victim.key) !== undefined);
  scene.driver.pass(30);
  scene.driver.registry.expire(scene.driver);
  assertEquals(scene.seen1(victim.key), undefined);
});

test("a member pushes no proved peer out of a full group, and those come in by pushing out others", () => {
  const { scene, victim } = victimScene(4);
  for (let number = 1; number <= 20; number++) {
    scene.ask1(idOf(number), `10.0.0.1 ${number}`);
    scene.ask(scene.client(100 + number, { unproved: true }), `2001:db8::${number} 5`);
  }
  assertEquals(scene.driver.registry.peerCount, 4);
  assert(scene.seen1(victim.key) !== undefined);
  const oldest = formatKey(idOf(1));
  assert(scene.seen1(oldest) !== undefined);
  const second = scene.client(2);
  assertEquals(scene.ask(second, "192.0.2.2 2").flags & registered, registered);
  assertEquals(scene.seen1(oldest), undefined);
  for (const number of [3, 4]) scene.ask(scene.client(number), `192.0.2.${number} 2`);
  assertEquals(scene.driver.registry.peerCount, 4);
  // Of four that have proved their keys, none makes room for a fifth.
  assertEquals(scene.ask(scene.client(5), "192.0.2.5 2").flags & registered, 0);
  assert(scene.seen1(victim.key) !== undefined && scene.seen1(second.key) !== undefined);
  assertEquals(scene.driver.registry.counters.get("pushed-out"), 3);
});

test("keys that begin as a peer's don't keep that from being found", () => {
  const scene = new QuestionScene();
  const victim = scene.client(1);
  for (let i = 0; i < 20; i++) {
    const id = victim.id.slice();
    id[20 + (i >> 3)]! ^= 1 << (i & 7);
    scene.ask1(id, EVIL);
  }
  scene.ask(victim, HOME);
  // Those that came before anybody had asked in wgsig 2, and those after.
  assertEquals(scene.driver.registry.peerCount, 5);
  for (let i = 0; i < 20; i++) {
    const id = victim.id.slice();
    id[28 - (i >> 3)]! ^= 1 << (i & 7);
    scene.ask1(id, EVIL);
    scene.ask(scene.client(200 + i, { unproved: true, id }), EVIL);
  }
  assertEquals(scene.driver.registry.peerCount, 5);
  const asker = scene.client(2);
  scene.ask(asker, "192.0.2.2 2", { ...KEEP, wants: [victim.id] });
  assertEquals(asker.peers.size, 5);
  assertEquals(asker.peers.get(victim.key)?.candidates, ["seen 198.51.100.1:1000"]);
});

test("a question that is played back changes nothing, wherever it comes from", () => {
  for (const unproved of [false, true]) {
    for (const flags of [0, keep, subscribe, keep | subscribe]) {
      const scene = new QuestionScene();
      const client = scene.client(1, { unproved });
      scene.ask(client, HOME);
      scene.driver.pass(1);
      const question = client.ask(scene.driver.unix, { flags });
      scene.send(question, HOME);
      scene.driver.pass(1);
      const before = stateOf(scene);
      for (const from of [HOME, "198.51.100.1 1001", EVIL, "2001:db8::6 6"]) {
        const sent = scene.send(question, from);
        assert(sent.flat().length <= 1 && (sent[0]?.length ?? 0) <= question.length);
        assertEquals(stateOf(scene), before, `${unproved} ${flags} ${from}`);
      }
      assertEquals(scene.pushes(), []);
    }
  }
});

test("nothing from before a start, or a group's removal, registers anybody when it is played back", () => {
  for (const ahead of [0, 29]) {
    const scene = new QuestionScene();
    const client = scene.client(1);
    client.ahead = ahead;
    scene.ask(client, HOME);
    const old = client.ask(scene.driver.unix + 1);
    scene.send(old, HOME);

    const started = new RegistryDriver({ groups: [{}], seed: 2 });
    started.unix = scene.driver.unix + 2;
    const [retry] = started.exchange([{ payload: old, from: HOME }])[0]!;
    assert(retry !== undefined && retry.length <= old.length);
    assertEquals(started.registry.peerCount, 0);
    assertEquals(started.registry.counters.get("retry-address"), 1);

    scene.driver.registry.removeGroup(0, scene.driver.mono);
    scene.driver.addGroup({});
    scene.driver.pass(2);
    scene.send(old, HOME);
    assertEquals(scene.driver.registry.peerCount, 0);

    // And after a reload that changes nothing, it is what it was before.
    const again = new QuestionScene();
    again.ask(client, HOME);
    const question = client.ask(again.driver.unix + 1);
    again.send(question, HOME);
    const before = stateOf(again);
    again.driver.configureGroup({});
    again.driver.pass(2);
    assertEquals(again.send(question, HOME).length, 1);
    assertEquals(again.driver.registry.counters.get("retry-label"), 1);
    assertEquals(stateOf(again), before);
  }
});

test("what a peer has used stays used when its record is gone", () => {
  const scene = new QuestionScene({ maxAge: 5 });
  const client = scene.client(1);
  scene.ask(client, HOME);
  const question = client.ask(scene.driver.unix + 1);
  scene.send(question, HOME);
  scene.driver.pass(10);
  scene.driver.registry.expire(scene.driver);
  assertEquals(scene.driver.registry.peerCount, 0);
  scene.send(question, HOME);
  assertEquals(scene.driver.registry.peerCount, 0);
  assertEquals(scene.driver.registry.counters.get("retry-label"), 1);
});

test("a cookie is of use to the address alone that it was given to, for two hours", () => {
  const scene = new QuestionScene({ maxAge: 86_400 });
  const client = scene.client(1);
  scene.ask(client, HOME);
  const { cookie } = client;
  const addressed = () => scene.driver.registry.counters.get("retry-address");
  const before = addressed();
  const asks = (from: string, cookie: Uint8Array | undefined) => {
    scene.driver.pass(1);
    scene.send(client.ask(scene.driver.unix, { cookie }), from);
    return addressed() - before;
  };
  assertEquals(asks("198.51.100.1 5", cookie), 0);
  assertEquals(asks(EVIL, cookie), 1);
  assertEquals(asks(HOME, undefined), 2);
  for (let i = 0; i < 16; i++) {
    const forged = cookie!.slice();
    forged[i]! ^= 0x10;
    assertEquals(asks(HOME, forged), 3 + i);
  }
  scene.driver.pass(7100);
  assertEquals(asks(HOME, cookie), 18);
  scene.driver.pass(100);
  assertEquals(asks(HOME, cookie), 19);
  // An answer brings the next one after an hour.
  const other = scene.client(2);
  scene.ask(other, HOME);
  const first = other.cookie;
  scene.driver.pass(3590);
  scene.ask(other, HOME);
  assertEquals(other.cookie, first);
  scene.driver.pass(20);
  scene.ask(other, HOME);
  assert(other.cookie !== first);
});

test("an address that is not shown gets no more bytes than it sent, and nothing is kept of it", () => {
  const { scene, victim } = victimScene();
  for (let number = 1; number <= 100; number++) scene.ask1(idOf(number), `10.0.0.${number} 5`);
  scene.ask(victim, HOME);
  const before = stateOf(scene);
  let count = 0;
  fc.assert(fc.property(
    anyQuestion,
    fc.boolean(),
    fc.boolean(),
    fc.integer({ min: -40, max: 40 }),
    (question, isOwn, knows, offset) => {
      const seconds = Math.floor(scene.driver.unix) + offset;
      const flags = question.flags & 0xffff;
      const id = isOwn ? [...victim.id] : question.id;
      const epoch = knows ? [...victim.epoch] : question.epoch;
      const key = knows ? [...SERVER_KEY.publicKey.bytes.slice(0, 8)] : question.key;
      const nonce = nonceOf(++count);
      const asked = { ...question, id, epoch, key, flags, seconds };
      let payload;
      try {
        payload = twinQuestion(asked);
      } catch {
        return;
      }
      if (payload.length > 1232 - 48 - 16) return;
      const proof = (flags & proved) === 0
        ? []
        : twinProof(privateKeyOf(7), twinHeader(1, 0, nonce), payload);
      const datagram = sealed([...payload, ...proof], nonce);
      let bytes = 0;
      for (const sent of scene.send(datagram, "192.0.2.77 7")) bytes += sent.length;
      assert(bytes <= datagram.length, `${bytes} for ${datagram.length}`);
    },
  ));
  assertEquals(stateOf(scene), before);
  assertEquals(scene.pushes().filter(({ to }) => to.startsWith("192.0.2.77")), []);
  assert(scene.driver.registry.counters.get("questions") > 30);
});

test("who comes from where a peer was over IPv6 long ago is told nothing of its LAN", () => {
  const scene = new QuestionScene({ maxAge: 100 });
  const victim = scene.client(1);
  const asking = { candidates: CANDIDATES };
  scene.ask(victim, "2001:db8::7 4", asking);
  scene.ask(victim, HOME, asking);
  const lanFor = (from: string) => {
    scene.driver.pass(1);
    const asker = scene.client(99, { unproved: true });
    scene.ask(asker, from, KEEP);
    const { candidates } = asker.peers.get(victim.key)!;
    return candidates.filter((each) => each.startsWith("lan ")).length;
  };
  assertEquals(lanFor("2001:db8::8 5"), 1);
  for (let i = 0; i < 3; i++) {
    scene.driver.pass(50);
    scene.driver.registry.expire(scene.driver);
    scene.ask(victim, HOME, asking);
  }
  assertEquals(lanFor("2001:db8::8 5"), 0);
  assertEquals(lanFor("198.51.100.1 9"), 1);
});

test("a member can't read the answer to a proved question, nor make one", () => {
  const { scene, victim } = victimScene();
  scene.driver.pass(1);
  const question = victim.ask(scene.driver.unix, {});
  const nonce = question.slice(8, 32);
  const [answer] = scene.send(question, HOME);
  assertEquals(twinUnseal(ANSWER_KEY, answer!, nonce), undefined);
  // Nor with the keys of another peer, or those of a registry that a member plays.
  const member = privateKeyOf(66);
  const own = twinPeerKeys("peer", member, SERVER_KEY.publicKey.bytes, SECRET)!;
  assertEquals(twinUnseal(own[1], answer!, nonce), undefined);
  const played = twinPeerKeys("registry", member, victim.id, SECRET)!;
  const keys = twinPeerKeys("peer", privateKeyOf(1), SERVER_KEY.publicKey.bytes, SECRET)!;
  const plain = twinUnseal(keys[1], answer!, nonce)!;
  for (const key of [ANSWER_KEY, own[1], played[1]]) {
    assertEquals(
      victim.hear(twinSeal(key, twinHeader(2, 0, nonceOf(1)), [...plain], nonce)),
      undefined,
    );
  }
  assertEquals(victim.hear(answer!)?.kind, "answer");
  // An answer belongs to its question.
  scene.driver.pass(1);
  victim.ask(scene.driver.unix, {});
  assertEquals(victim.hear(answer!), undefined);
});

test("a public key of low order proves nothing, though its shared secret is known to all", () => {
  const { scene } = victimScene();
  const shown = scene.client(5);
  scene.ask(shown, EVIL);
  let number = 0;
  for (const id of SMALL_ORDER) {
    const nonce = nonceOf(++number);
    const payload = twinQuestion({
      id: [...id],
      seconds: Math.floor(scene.driver.unix),
      nanoseconds: number,
      flags: proved,
      epoch: [0, 0, 0, 0, 0, 0, 0, 0],
      version: 0,
      wants: undefined,
      relayed: undefined,
      directs: undefined,
      roster: -1,
      candidates: [],
      cookie: [...shown.cookie!],
      key: [...SERVER_KEY.publicKey.bytes.slice(0, 8)],
      ack: 0,
    });
    const header = twinHeader(1, 0, nonce);
    const proof = twinProof(new Uint8Array(32), header, payload);
    assertEquals(scene.send(sealed([...payload, ...proof], nonce), EVIL), []);
    assertEquals(scene.driver.drops.at(-1)?.reason, "drop-weak-key");
  }
  assertEquals(scene.driver.registry.peerCount, 2);
});

test("many peers at once that were not here before have a bounded number of keys computed", () => {
  const { scene, victim } = victimScene();
  const counters = scene.driver.registry.counters;
  // Of one network, of which an address has shown that it receives.
  const shown = scene.client(5);
  scene.ask(shown, EVIL);
  const asks = (number: number, from: string, cookie: Uint8Array) => {
    const client = scene.client(1000 + number, { privateKey: privateKeyOf(6), id: idOf(number) });
    client.cookie = cookie;
    scene.send(client.ask(scene.driver.unix, {}), from);
  };
  const before = counters.get("exchanges");
  for (let i = 0; i < 80; i++) asks(i, EVIL, shown.cookie!);
  assert(counters.get("exchanges") - before <= 50);
  assert(counters.get("retry-busy") >= 30);
  // Time lets more in, but of one network no more than its own.
  for (let second = 1; second < 12; second++) {
    scene.driver.pass(0.1);
    for (let i = 0; i < 50; i++) asks(1000 * second + i, EVIL, shown.cookie!);
  }
  assert(counters.get("exchanges") - before <= 200 + 2 * 50);
  // Whoever is known is answered all the time, and another network is not kept out.
  scene.ask(victim, HOME);
  scene.driver.pass(0.1);
  assertEquals(scene.ask(scene.client(7), "192.0.2.9 9").flags & registered, registered);
});

test("no bytes that a member seals, mutated questions among them, throw or change a proved record", () => {
  const { scene, victim } = victimScene();
  const before = toldOf(scene, victim.key);
  const random = seededNumbers(7);
  const below = (end: number) => Math.floor(random() * end);
  const shown = scene.client(5);
  scene.ask(shown, EVIL);
  const [first] = [twinQuestion({
    id: [...victim.id],
    seconds: Math.floor(scene.driver.unix),
    nanoseconds: 5,
    flags: subscribe,
    epoch: [...victim.epoch],
    version: victim.version,
    wants: [[...victim.id.slice(0, 8)]],
    relayed: [[...shown.id.slice(0, 8)]],
    directs: [[...shown.id.slice(0, 8)]],
    roster: -1,
    candidates: [{ kind: 2, address: [10, 0, 0, 1], port: 5 }],
    cookie: [...shown.cookie!],
    key: [...SERVER_KEY.publicKey.bytes.slice(0, 8)],
    ack: 7,
  })];
  const opened = scene.driver.registry.counters.get("questions");
  for (let i = 0; i < 4000; i++) {
    const payload = first.slice();
    for (let n = below(4); n >= 0; n--) payload[below(payload.length)] = below(256);
    if (below(4) === 0) payload.length = 112 + below(payload.length - 111);
    if (below(4) === 0) { for (let n = below(900); n > 0; n--) payload.push(below(256)); }
    const datagram = sealed(payload, nonceOf(i));
    // One in four is damaged after it was sealed: another protocol's, for all that is known.
    if (below(4) === 0) datagram[below(datagram.length)]! ^= 1 << below(8);
    scene.send(datagram, EVIL);
    if (i % 20 !== 0) continue;
    scene.driver.pass(0.01);
    scene.pushes();
  }
  assert(scene.driver.registry.counters.get("questions") - opened > 2000);
  assertEquals(toldOf(scene, victim.key), before);
});

test("members whose keys are not kept, as after a restart, don't wait behind newcomers", () => {
  const { scene, victim } = victimScene();
  const { counters } = scene.driver.registry;
  const shown = scene.client(5);
  scene.ask(shown, EVIL);
  const { directory } = scene.driver.group().members;
  for (let peer = 0; peer < directory!.end; peer++) directory!.proofs.forget(peer);
  const asks = (seed: number, id: Uint8Array) => {
    const client = scene.client(seed, { privateKey: privateKeyOf(6), id });
    client.cookie = shown.cookie!;
    scene.send(client.ask(scene.driver.unix, {}), EVIL);
  };
  for (let i = 0; i < 80; i++) asks(1000 + i, idOf(i));
  assert(counters.get("retry-busy") >= 30);
  const before = counters.get("exchanges");
  const busy = counters.get("retry-busy");
  // Lies in its name cost one, which it needs anyway.
  for (let i = 0; i < 300; i++) asks(2000 + i, victim.id);
  assertEquals(scene.ask(victim, HOME).flags & registered, registered);
  assertEquals([counters.get("exchanges"), counters.get("retry-busy")], [before + 1, busy]);
});
