import { assert, assertEquals } from "@std/assert";
import { RECORD_FLAG } from "../../../lib/wire/wgsig2/record.ts";
import { ANSWER_FLAG, OFFER } from "../../../lib/wire/wgsig2/answer.ts";
import { flagsOfNat, NAT } from "../../../lib/wire/wgsig2/nat.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { idOf } from "../../support/fake_random.ts";
import { KEEP, QuestionScene } from "../../support/question_scene.ts";
import { requestOf, SECRET, SERVER_KEY } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

const HOME = "198.51.100.1 1000";
const AWAY = "203.0.113.9 2000";
const SIX = "2001:db8:1:2::9 3000";
const { whole, registered, cut } = ANSWER_FLAG;
const { proved, near } = RECORD_FLAG;

test("a peer that proves its key is registered after one retry, that brings a cookie", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  const answer = scene.ask(client, HOME);
  assertEquals(client.heard.map((heard) => heard.kind === "retry" ? heard.reason : heard.kind), [
    "address",
    "answer",
  ]);
  assertEquals(answer.flags, whole | registered);
  assertEquals(client.seen, "seen 198.51.100.1:1000");
  assertEquals(client.peers.get(client.key), {
    flags: proved | near,
    age: 0,
    candidates: ["seen 198.51.100.1:1000"],
  });
  assertEquals(scene.driver.changes, [`new 0 ${client.key}`]);
  scene.driver.pass(1);
  const again = scene.ask(client, HOME);
  assertEquals([again.flags, again.told], [registered, []]);
});

test("who doesn't know the registry's key learns it, and then proves", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  client.serverKey = undefined;
  assertEquals(scene.ask(client, HOME).flags & registered, registered);
  assertEquals(client.serverKey, SERVER_KEY.publicKey.bytes);
  assertEquals(client.peers.get(client.key)?.flags, proved | near);
});

test("a peer behind a wrong clock is told the time, and is there after two round trips", () => {
  for (const wrong of [-1_700_000_000 + 5, 86_400, 31, -31]) {
    const scene = new QuestionScene();
    const client = scene.client(1);
    client.ahead = wrong;
    scene.ask(client, HOME);
    assertEquals(client.heard.map((heard) => heard.kind === "retry" ? heard.reason : heard.kind), [
      "clock",
      "answer",
    ]);
    assertEquals(client.peers.get(client.key)?.flags, proved | near);
  }
});

test("peers of both protocols see each other", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  const old = idOf(5);
  scene.ask(client, HOME);
  assert(scene.ask1(old, AWAY));
  assertEquals(scene.seen1(client.key), "198.51.100.1:1000");
  assertEquals(scene.seen1(formatKey(old)), "203.0.113.9:2000");
  scene.ask(client, HOME);
  assertEquals(client.peers.get(formatKey(old))?.candidates, ["seen 203.0.113.9:2000"]);
  assertEquals(client.peers.get(formatKey(old))?.flags, 0);
  // It moves, and is gone.
  assert(scene.ask1(old, HOME));
  assertEquals(scene.ask(client, HOME).told, [formatKey(old)]);
  assertEquals(client.peers.get(formatKey(old)), {
    flags: near,
    age: 0,
    candidates: ["seen 198.51.100.1:1000"],
  });
  scene.driver.pass(200);
  scene.ask(client, HOME);
  scene.driver.pass(200);
  scene.driver.registry.expire(scene.driver);
  assertEquals(scene.ask(client, HOME).told, [formatKey(old)]);
  assertEquals([...client.peers.keys()], [client.key]);
});

test("while a group has two secrets, each question is answered with the one that it came with", () => {
  const fresh = new Uint8Array(32).fill(0x42);
  const scene = new QuestionScene();
  const [slow, quick] = [scene.client(1), scene.client(2)];
  scene.ask(slow, HOME);
  scene.ask(quick, AWAY);
  scene.driver.configureGroup({ secret: fresh, formerSecret: SECRET });
  const changed = scene.client(2, { secret: fresh });
  const anybody = scene.client(3, { secret: fresh, unproved: true });
  for (const client of [slow, changed, anybody]) {
    scene.driver.pass(1);
    scene.ask(client, client === slow ? HOME : AWAY);
    assertEquals(client.peers.get(slow.key)?.flags, proved | (client === slow ? near : 0));
    assertEquals(client.peers.get(quick.key)?.flags, proved | (client === slow ? 0 : near));
  }
  // Once with each of its secrets, and a retry where it had no cookie: those of the old one count.
  assertEquals(scene.driver.registry.counters.get("former-secret"), 1);
  scene.driver.configureGroup({ secret: fresh });
  scene.driver.pass(1);
  assertEquals(scene.tell(slow, HOME), undefined);
  assertEquals(scene.driver.drops.at(-1)?.reason, "drop-not-opened");
  scene.ask(changed, AWAY);
  assertEquals(changed.peers.get(slow.key)?.flags, proved);
});

test("who asked first in wgsig 2 is told of all that were there before", () => {
  const scene = new QuestionScene();
  for (let number = 1; number <= 30; number++) scene.ask1(idOf(number), `10.0.0.${number} 5`);
  const client = scene.client(1);
  scene.ask(client, HOME);
  assertEquals(client.peers.size, 31);
  assertEquals(client.peers.get(formatKey(idOf(30)))?.candidates, ["seen 10.0.0.30:5"]);
});

test("a peer has an endpoint of each family, and what it says of itself", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  const other = scene.client(2);
  const candidates = ["lan 192.168.1.2:51820", "mapped 198.51.100.1:7", "declared [2001:db8::7]:9"];
  scene.ask(client, HOME, { candidates });
  scene.ask(client, SIX, { candidates });
  scene.ask(other, AWAY);
  assertEquals(other.peers.get(client.key)?.candidates, [
    "seen 198.51.100.1:1000",
    "seen [2001:db8:1:2::9]:3000",
    ...candidates.slice(1),
  ]);
  assertEquals(scene.driver.changes, [
    `new 0 ${client.key}`,
    `moved 0 ${client.key} IPv6`,
    `new 0 ${other.key}`,
  ]);
  // Those that it says no more are gone.
  scene.driver.pass(1);
  scene.ask(client, SIX, { candidates: candidates.slice(2) });
  assertEquals(scene.ask(other, AWAY).told, [client.key]);
  assertEquals(other.peers.get(client.key)?.candidates.slice(2), ["declared [2001:db8::7]:9"]);
});

test("what a peer says of the way to its port is told of it until it says otherwise", () => {
  const scene = new QuestionScene();
  const [client, other] = [scene.client(1), scene.client(2)];
  const flagsAt = (from: string, flags: number, candidates: readonly string[] = []) => {
    scene.driver.pass(1);
    scene.ask(client, from, { flags, candidates });
    const { told } = scene.ask(other, AWAY);
    return told.includes(client.key) ? other.peers.get(client.key)!.flags : undefined;
  };
  const hard = flagsOfNat(NAT.hard);
  assertEquals(flagsAt(HOME, 0), proved);
  assertEquals(flagsAt(HOME, QUESTION_FLAG.probes | hard), proved | RECORD_FLAG.probes | hard);
  assertEquals(flagsAt(HOME, QUESTION_FLAG.probes | hard), undefined);
  assertEquals(flagsAt(SIX, QUESTION_FLAG.probes | hard), proved | RECORD_FLAG.probes | hard);
  // Who only asks says nothing, and bits that are none of them are not told.
  assertEquals(flagsAt(HOME, QUESTION_FLAG.keep), undefined);
  assertEquals(flagsAt(HOME, flagsOfNat(NAT.easy) | 0xff80), proved | flagsOfNat(NAT.easy));
  assertEquals(flagsAt(HOME, 0), proved);
});

test("what isn't proved says nothing of a proved peer's port", () => {
  const scene = new QuestionScene();
  const [client, other] = [scene.client(1), scene.client(2)];
  const probes = QUESTION_FLAG.probes | flagsOfNat(NAT.sequential);
  const liar = scene.client(1, { unproved: true });
  scene.ask(liar, AWAY, { flags: probes });
  scene.ask(other, AWAY);
  assertEquals(other.peers.get(client.key)?.flags, near | probes);
  // What was said in its name before is forgotten,
  scene.ask(client, HOME);
  scene.ask(other, AWAY);
  assertEquals(other.peers.get(client.key)?.flags, proved);
  // and after that nothing is believed.
  scene.driver.pass(1);
  scene.ask(liar, AWAY, { flags: probes });
  assertEquals(scene.ask(other, AWAY).told, []);
});

test("whoever has shown its address is told the registry's other ports", () => {
  const scene = new QuestionScene();
  const { otherPorts } = scene.driver.registry;
  const [host, port] = ["192.0.2.1", 1223];
  otherPorts.configure(new Map([[0, { host, port }], [3, { host, port: 443 }]]));
  const client = scene.client(1, { unproved: true });
  // No address is shown with the first.
  const first = client.ask(scene.driver.unix, { ...KEEP, size: 300 });
  for (const datagram of scene.send(first, HOME)) client.hear(datagram);
  assertEquals([client.heard.at(-1)?.kind, client.also], ["answer", []]);
  scene.ask(client, HOME);
  assertEquals(client.also, [443]);
  scene.socket = 3;
  scene.ask(client, HOME);
  assertEquals(client.also, [1223]);
  scene.socket = 4;
  scene.ask(client, HOME);
  assertEquals(client.also, []);
});

test("a peer that was seen over IPv6 alone is told to wgsig 2, and to nobody else", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  scene.ask(client, SIX);
  assertEquals(scene.seen1(client.key), undefined);
  assertEquals(scene.driver.group().table.count, 0);
  assertEquals(scene.driver.registry.peerCount, 1);
  assertEquals(client.peers.get(client.key)?.candidates, ["seen [2001:db8:1:2::9]:3000"]);
  // Over IPv4, it is told to all.
  scene.ask(client, HOME);
  assertEquals(scene.seen1(client.key), "198.51.100.1:1000");
  // An endpoint that is not seen any more is told no more.
  for (let i = 0; i < 4; i++) {
    scene.driver.pass(100);
    scene.ask(client, SIX);
    scene.driver.registry.expire(scene.driver);
  }
  scene.ask(client, SIX);
  assertEquals(scene.seen1(client.key), undefined);
  assertEquals(client.peers.get(client.key)?.candidates, ["seen [2001:db8:1:2::9]:3000"]);
  scene.driver.pass(301);
  scene.driver.registry.expire(scene.driver);
  assertEquals(scene.driver.registry.peerCount, 0);
});

test("addresses on a LAN are told to those behind the same public address alone", () => {
  const scene = new QuestionScene();
  const candidates = ["lan 192.168.1.2:51820"];
  const client = scene.client(1);
  scene.ask(client, HOME, { candidates });
  scene.ask(client, SIX, { candidates });
  const hasLan = (number: number, from: string) => {
    const asker = scene.client(number);
    scene.ask(asker, from, KEEP);
    const { flags, candidates: told } = asker.peers.get(client.key)!;
    assertEquals((flags & near) !== 0, told.includes(candidates[0]!));
    return told.includes(candidates[0]!);
  };
  assertEquals(hasLan(2, "198.51.100.1 9"), true);
  assertEquals(hasLan(3, "198.51.100.2 1000"), false);
  assertEquals(hasLan(4, "2001:db8:1:2:ffff::1 9"), true);
  assertEquals(hasLan(5, "2001:db8:1:3::9 3000"), false);
  // Who comes home is told what it wasn't before.
  const asker = scene.client(6);
  scene.ask(asker, AWAY);
  assertEquals(asker.peers.get(client.key)?.candidates.length, 2);
  scene.driver.pass(1);
  const home = scene.ask(asker, "198.51.100.1 77");
  assertEquals(home.flags & whole, whole);
  assertEquals(asker.peers.get(client.key)?.candidates.length, 3);
});

test("who only asks is not registered", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  assertEquals(scene.ask(client, HOME, KEEP).flags, whole);
  assertEquals(scene.driver.registry.peerCount, 0);
  // It is known already, and stays where it is.
  scene.ask(client, HOME);
  scene.ask(client, AWAY, KEEP);
  assertEquals(client.peers.get(client.key)?.candidates, ["seen 198.51.100.1:1000"]);
});

test("a question wants some peers, and gets these alone", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  for (let number = 1; number <= 40; number++) scene.ask1(idOf(number), `10.0.0.${number} 5`);
  const wants = [idOf(7), idOf(30), idOf(99)];
  const keys = [formatKey(idOf(7)), formatKey(idOf(30))];
  scene.ask(client, HOME, { wants });
  assertEquals([...client.peers.keys()], keys);
  // What others do is no news.
  for (let number = 41; number <= 50; number++) scene.ask1(idOf(number), `10.0.1.${number} 5`);
  assertEquals(scene.ask(client, HOME, { wants }).told, []);
  scene.ask1(idOf(30), "10.9.9.9 9");
  const moved = scene.ask(client, HOME, { wants });
  assertEquals([moved.told, moved.flags & whole], [[keys[1]!], 0]);
  // Where much has changed, those that are wanted are looked up: all, as one of them isn't there.
  for (let number = 1; number <= 40; number++) scene.ask1(idOf(number), `10.0.2.${number} 5`);
  assertEquals(scene.ask(client, HOME, { wants }).flags & whole, whole);
  assertEquals([...client.peers.keys()].sort(), keys.sort());
  // Where all are there, only what changed.
  scene.ask(client, HOME, { wants: wants.slice(0, 2) });
  for (let number = 8; number <= 40; number++) scene.ask1(idOf(number), `10.0.3.${number} 5`);
  const some = scene.ask(client, HOME, { wants: wants.slice(0, 2) });
  assertEquals([some.told, some.flags & whole], [[formatKey(idOf(30))], 0]);
  // Nobody.
  const nobody = scene.client(3);
  assertEquals(scene.ask(nobody, AWAY, { ...KEEP, wants: [] }).told, []);
});

test("a large group comes in several datagrams, and where they are too many, the rest is asked for", () => {
  const scene = new QuestionScene({ maxPeers: 5000, maxAge: 86_400 });
  for (let number = 1; number <= 2000; number++) {
    scene.ask1(idOf(number), `10.0.${number >> 8}.${number & 255} 5`);
  }
  const count = scene.driver.registry.peerCount;
  const client = scene.client(1);
  const first = scene.ask(client, HOME, KEEP);
  assertEquals(first.parts, 32);
  assertEquals(first.flags, whole | cut);
  let last = first;
  for (let i = 0; (last.flags & cut) !== 0; i++) {
    assert(i < 10);
    last = scene.ask(client, HOME, KEEP);
    assertEquals(last.flags & whole, 0);
  }
  assertEquals(client.peers.size, count);
});

test("a cursor of another epoch, from the future, or from before who is forgotten means nothing", () => {
  const scene = new QuestionScene({ maxPeers: 9000 });
  const client = scene.client(1);
  scene.ask1(idOf(1), "10.0.0.1 1");
  scene.ask(client, HOME, KEEP);
  const wantsNobody = { ...KEEP, wants: [] };
  client.version += 1;
  assertEquals(scene.ask(client, HOME, wantsNobody).flags, whole);
  scene.ask1(idOf(1), "10.0.0.1 1");
  assertEquals(scene.ask(client, HOME, wantsNobody).flags, 0);
  client.epoch[3]! ^= 1;
  assertEquals(scene.ask(client, HOME, wantsNobody).flags, whole);
  const { version } = client;
  const directory = scene.driver.group().members.directory!;
  for (let number = 2; number <= 4098; number++) {
    directory.remove(directory.add(new WireBuffer(idOf(number)), 0, 0), 0);
    if (number < 4097) continue;
    client.version = version;
    if (number === 4097) assertEquals(scene.ask(client, HOME, wantsNobody).flags, 0);
  }
  client.version = version;
  assertEquals(scene.ask(client, HOME, wantsNobody).flags, whole);
});

test("a question that is not proved registers, where nobody has proved the key", () => {
  const scene = new QuestionScene();
  const client = scene.client(1, { unproved: true });
  const answer = scene.ask(client, HOME);
  assertEquals(answer.flags, whole | registered);
  assertEquals(client.peers.get(client.key)?.flags, near);
  // Its own proof takes the record over, with what was said before.
  scene.ask(client, SIX, { candidates: ["declared 192.0.2.99:9"] });
  const prover = scene.client(1);
  scene.ask(prover, "2001:db8:1:2::8 5");
  assertEquals(prover.peers.get(client.key), {
    flags: proved | near,
    age: 0,
    candidates: ["seen [2001:db8:1:2::8]:5"],
  });
  assertEquals(scene.seen1(client.key), undefined);
});

test("where proof is required, only who proves is registered; all are answered", () => {
  const scene = new QuestionScene({ proof: "required" });
  const client = scene.client(1);
  assert(scene.ask1(idOf(9), AWAY));
  const unproved = scene.client(2, { unproved: true });
  assertEquals(scene.ask(unproved, AWAY).flags, whole);
  assertEquals(scene.driver.registry.peerCount, 0);
  const answer = scene.ask(client, HOME);
  assertEquals([answer.flags & registered, answer.offers & OFFER.proofRequired], [2, 1]);
  assertEquals(scene.driver.registry.counters.get("proof-required"), 2);
});

test("proof that becomes required forgets who has not proved", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  scene.ask(client, HOME);
  scene.ask1(idOf(9), AWAY);
  scene.ask(scene.client(2, { unproved: true }), SIX);
  assertEquals(scene.driver.registry.peerCount, 3);
  scene.driver.configureGroup({ proof: "required" });
  assertEquals(scene.driver.registry.peerCount, 1);
  scene.driver.pass(1);
  scene.ask(client, HOME);
  assertEquals([...client.peers.keys()], [client.key]);
});

test("keys are computed once for a peer, also over a reload, and anew for another secret", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  const exchanges = () => scene.driver.registry.counters.get("exchanges");
  for (let i = 0; i < 3; i++) {
    scene.driver.pass(1);
    scene.ask(client, HOME);
  }
  scene.driver.configureGroup({});
  scene.driver.pass(1);
  scene.ask(client, HOME);
  assertEquals(exchanges(), 1);
  const secret = new Uint8Array(32).fill(0x31);
  scene.driver.configureGroup({ secret });
  scene.driver.pass(1);
  assertEquals(scene.tell(client, HOME), undefined);
  assertEquals(scene.driver.drops.at(-1)?.reason, "drop-not-opened");
  scene.ask(scene.client(1, { secret }), HOME);
  assertEquals(exchanges(), 2);
});

test("while a group changes its secret, who has either is answered with that", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  scene.ask(client, HOME);
  const secret = new Uint8Array(32).fill(0x31);
  const { driver } = scene;
  const options = driver.optionsOf({ secret });
  driver.group().configure({ ...options, secrets: [secret, SECRET] }, driver.mono);
  driver.pass(1);
  assertEquals(scene.ask(client, HOME).flags, registered);
  assertEquals(driver.registry.counters.get("former-secret"), 1);
  const next = scene.client(1, { secret });
  next.cookie = client.cookie;
  next.version = client.version;
  next.epoch = client.epoch;
  assertEquals(scene.ask(next, HOME).flags, registered);
  assertEquals(driver.registry.counters.get("former-secret"), 1);
  driver.group().configure(options, driver.mono);
  driver.pass(1);
  assertEquals(scene.tell(client, HOME), undefined);
  assertEquals(scene.ask(next, HOME).flags, registered);
});

test("a datagram of the first protocol that looks like a question is answered as one of the first", () => {
  const scene = new QuestionScene({ id: 0 });
  // What follows a plain request is its sender's: here it makes a question of it.
  const request = requestOf({ id: idOf(0x0102), seconds: scene.driver.unix, flags: 0 });
  const payload = new Uint8Array(200);
  payload.set(request.payload);
  // The ID stands where SGROUP and SVERSION do, and the nonce is what follows.
  const view = new DataView(payload.buffer);
  const id = payload.slice(0, 32);
  const idView = new DataView(id.buffer);
  idView.setUint32(0, view.getUint32(8));
  idView.setUint32(4, (0x7767_0201 ^ view.getUint32(12)) >>> 0);
  const looks = requestOf({ id, seconds: scene.driver.unix });
  payload.set(looks.payload);
  const answers = scene.driver.send([{ payload, from: HOME }]);
  assertEquals(answers[0]?.records.map((record) => formatKey(record.id)), [formatKey(id)]);
  assertEquals(scene.driver.registry.counters.get("questions"), 0);
});

test("a registry without a key pair speaks the first protocol alone", () => {
  const scene = new QuestionScene();
  const client = scene.client(1);
  const { driver } = scene;
  driver.group().configure({ ...driver.optionsOf({}), serverKey: undefined }, driver.mono);
  assertEquals(scene.tell(client, HOME), undefined);
  assertEquals(driver.drops.at(-1)?.reason, "drop-unknown-group");
});
