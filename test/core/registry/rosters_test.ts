/**
 * Who joins a registry, who is told of its roster, and who is not: docs/protocol-2.md, "Joining" and
 * "The roster".
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { formatTunnelPrefix } from "../../../lib/core/roster/prefix.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { SMALL_ORDER } from "../../support/points.ts";
import { idOf } from "../../support/fake_random.ts";
import { privateKeyOf } from "../../support/question_driver.ts";
import { KEEP } from "../../support/question_scene.ts";
import { SECRET } from "../../support/registry_driver.ts";
import { RosterScene, tokenOf, tunnelPrefix } from "../../support/roster_scene.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const FROM = "198.51.100.7 40000";
const OTHER = "203.0.113.9 50000";
const SUBSCRIBE = { flags: QUESTION_FLAG.subscribe };
const NEW_SECRET = new Uint8Array(32).fill(0x99);

function count(scene: RosterScene, name: Parameters<typeof scene.driver.registry.counters.get>[0]) {
  return scene.driver.registry.counters.get(name);
}

test("who has a link joins with one datagram, and is told all that it needs", () => {
  const scene = new RosterScene();
  scene.invite("cabin", 1, { prefixes: [tunnelPrefix("192.168.7.0/24")] });
  const heard = scene.joined({ token: tokenOf(1), number: 5 }, FROM);
  assert(heard !== undefined);
  const { result, told } = heard;
  assertEquals([result, told.group, told.name], ["joined", 0, "cabin"]);
  assertEquals(told.secret.bytes, SECRET);
  assertEquals(told.addresses.map(formatTunnelPrefix), ["10.9.0.1/16"]);
  assertEquals(told.seconds, Math.floor(scene.driver.unix));

  const entry = scene.rosters.of(0).byName("cabin");
  assertEquals(entry?.prefixes.map(formatTunnelPrefix), ["10.9.0.1/32", "192.168.7.0/24"]);
  assertEquals(entry?.key, scene.client(5).id);
  // With what it was told, it registers.
  const client = scene.client(5, { secret: told.secret.bytes.slice() });
  scene.ask(client, FROM);
  assertEquals(scene.seen1(client.key), "198.51.100.7:40000");
});

test("a lost answer is given again, to its peer alone; nobody else uses the token", () => {
  const scene = new RosterScene();
  scene.invite("cabin", 1);
  const first = scene.joined({ token: tokenOf(1), number: 5 }, FROM);
  const again = scene.joined({ token: tokenOf(1), number: 5 }, OTHER);
  assert(first !== undefined && again !== undefined);
  assertEquals(again.told.secret.bytes, first.told.secret.bytes);
  assertEquals([again.told.name, again.told.addresses], [first.told.name, first.told.addresses]);
  assertEquals(scene.joined({ token: tokenOf(1), number: 6 }, FROM)?.result, "used");
  assertEquals(
    scene.joined({ token: tokenOf(1), number: 6 }, FROM)?.told.secret.bytes,
    new Uint8Array(32),
  );
  assertEquals([count(scene, "joined"), count(scene, "join-refused")], [1, 2]);
  assertEquals(scene.rosters.of(0).count, 1);
});

test("a join that is played back tells whoever plays it nothing, and changes nothing", () => {
  const scene = new RosterScene();
  scene.invite("cabin", 1);
  const { payload } = scene.join({ token: tokenOf(1), number: 5 });
  scene.deliver(payload, FROM);
  const { version } = scene.rosters.of(0);
  const [answer] = scene.deliver(payload, OTHER);
  // It is sealed for the peer of that key, and no longer than what was sent.
  assert(answer !== undefined && answer.length <= payload.length);
  assertEquals([scene.rosters.of(0).version, scene.rosters.of(0).count], [version, 1]);
  // Revoked meanwhile: it stays so.
  scene.rosters.of(0).remove(scene.client(5).id, true, scene.driver.unix);
  assertEquals(scene.joined({ token: tokenOf(1), number: 5 }, FROM)?.result, "revoked");
});

test("nothing is told before it is on the disk, and nothing that was taken back meanwhile", () => {
  const scene = new RosterScene();
  scene.invite("cabin", 1);
  const first = scene.joined({ token: tokenOf(1), number: 5 }, FROM, false);
  assertEquals([first?.result, first?.told.secret.bytes], ["busy", new Uint8Array(32)]);
  assertEquals(scene.journal.patience, 0);
  assertEquals(scene.joined({ token: tokenOf(1), number: 6 }, FROM)?.result, "used");
  assertEquals(scene.joined({ token: tokenOf(1), number: 5 }, FROM)?.result, "joined");

  scene.invite("boat", 2);
  const { payload, id } = scene.join({ token: tokenOf(2), number: 7 });
  scene.send(payload, FROM);
  const [waiting] = scene.gate.fetchJoins();
  scene.rosters.of(0).remove(id, true, scene.driver.unix);
  const refused = count(scene, "join-refused");
  assertEquals(scene.gate.answerJoin(waiting!, true, scene.driver).result, "revoked");
  assertEquals(count(scene, "join-refused"), refused + 1);
});

test("what is not a right join is dropped, counted, and costs no X25519 before it opens", () => {
  const scene = new RosterScene();
  scene.invite("cabin", 1);
  const drops: [Parameters<typeof scene.join>[0], string, number][] = [
    [{ token: tokenOf(2), number: 5 }, "drop-join-unknown", 0],
    [{ token: tokenOf(1), number: 5, tag: 12345 }, "drop-join-unknown", 0],
    [{ token: tokenOf(1), number: 5, provedBy: privateKeyOf(6) }, "drop-join-proof", 1],
    [{ token: tokenOf(1), number: 5, key: scene.client(6).id }, "drop-join-proof", 1],
    ...SMALL_ORDER.map((key): [Parameters<typeof scene.join>[0], string, number] => [
      { token: tokenOf(1), number: 5, key },
      "drop-weak-key",
      1,
    ]),
  ];
  for (const [joining, reason, exchanges] of drops) {
    const before = count(scene, "exchanges");
    assertEquals(scene.joined(joining, FROM), undefined);
    assertEquals(scene.driver.drops.at(-1)?.reason, reason);
    assertEquals(count(scene, "exchanges") - before, exchanges);
  }
  // The token's own TAG, but sealed with another one.
  const { payload } = scene.join({ token: tokenOf(1), number: 5 });
  for (let i = 0; i < payload.length; i += 7) {
    const changed = payload.slice();
    changed[i]! ^= 0x10;
    assertEquals(scene.deliver(changed, FROM), []);
  }
  for (const size of [48, 160, 511]) {
    assertEquals(scene.deliver(payload.slice(0, size), FROM), []);
  }
  assertEquals(count(scene, "joined"), 0);
  assertEquals(scene.rosters.of(0).count, 0);
  assertEquals(scene.joined({ token: tokenOf(1), number: 5 }, FROM)?.result, "joined");
});

test("a flood of joins is bounded, and keeps nobody waiting who asks", () => {
  const scene = new RosterScene();
  scene.invite("cabin", 1);
  const client = scene.client(5);
  scene.ask(client, FROM);
  const exchanges = count(scene, "exchanges");
  const joins = Array.from(
    { length: 60 },
    (_, i) => scene.join({ token: tokenOf(1), number: 100 + i }),
  );
  for (let round = 0; round < 10; round++) {
    for (const { payload } of joins) scene.send(payload.slice(), OTHER);
  }
  assert(count(scene, "exchanges") - exchanges <= 200);
  assert(count(scene, "drop-join-busy") >= 400);
  assert(scene.gate.fetchJoins().length <= 256);
  // Joins have a limit of their own: a newcomer's first question is answered.
  scene.ask(scene.client(6), FROM);
  scene.ask(client, FROM);
});

test("an invitation that has ended, was revoked, or whose group is gone, says so", () => {
  const scene = new RosterScene();
  const ended = scene.invite("a", 1, { endsAt: scene.driver.unix + 10 });
  const revoked = scene.invite("b", 2);
  scene.invite("c", 3);
  scene.rosters.invitations.revoke(revoked, scene.driver.unix);
  scene.driver.pass(11);
  assert(scene.driver.unix > ended.endsAt);
  const result = (number: number) =>
    scene.joined({ token: tokenOf(number), number: 5 }, FROM)?.result;
  assertEquals([result(1), result(2)], ["ended", "revoked"]);
  scene.driver.registry.removeGroup(0, scene.driver.mono);
  assertEquals(result(3), "busy");
  scene.driver.addGroup({});
  assertEquals(result(3), "joined");
});

test("who joins a group with two secrets gets the new one", () => {
  const scene = new RosterScene({ secret: NEW_SECRET, formerSecret: SECRET });
  scene.invite("cabin", 1);
  assertEquals(scene.joined({ token: tokenOf(1), number: 5 }, FROM)?.told.secret.bytes, NEW_SECRET);
  // The roster is told to who still has the former one.
  const client = scene.client(6);
  scene.ask(client, OTHER);
  assertEquals(scene.hearRoster(client, OTHER, 0)?.entries.length, 1);
});

test("the whole roster is told in as many answers as it takes, and then what has changed", () => {
  const scene = new RosterScene();
  const roster = scene.rosters.of(0);
  for (let i = 0; i < 100; i++) {
    roster.put(
      { key: idOf(i), name: `peer ${i}`, prefixes: [tunnelPrefix(`10.8.${i}.0/24`)] },
      scene.driver.unix,
    );
  }
  const client = scene.client(5);
  scene.ask(client, FROM);
  const all = scene.roster(client, FROM);
  assert(all !== undefined && all.rounds > 3);
  assertEquals(
    all.entries.map(({ name }) => name).sort(),
    roster.entries().map(({ name }) => name).sort(),
  );
  roster.rename("peer 7", "seven", scene.driver.unix);
  roster.remove(idOf(8), false, scene.driver.unix);
  const more = scene.roster(client, FROM, all.version);
  assertEquals(
    more?.entries.map(({ key, name, isGone }) => [key[3], name, isGone]),
    [[7, "seven", false], [8, "", true]],
  );
  assertEquals(scene.hearRoster(client, FROM, more!.version)?.entries, []);
  assert(scene.hearRoster(client, FROM, more!.version + 1)?.isWhole);
});

test("the roster is told to nobody who has not proved its key before", () => {
  const scene = new RosterScene();
  scene.rosters.of(0).put({ key: idOf(1), name: "hub", prefixes: [] }, scene.driver.unix);
  const stranger = scene.client(5);
  assertEquals(scene.hearRoster(stranger, FROM, 0), undefined);
  assertEquals(scene.driver.drops.at(-1)?.reason, "drop-roster-stranger");
  assertEquals(count(scene, "exchanges"), 0);
  // A member in another's name: it has G, and not that key.
  const victim = scene.client(6);
  scene.ask(victim, OTHER);
  const exchanges = count(scene, "exchanges");
  scene.ask(stranger, FROM);
  const { payload } = scene.rosterQuestion(victim.id, stranger.peerKeys!, 0);
  assertEquals(scene.send(payload, FROM), []);
  assertEquals(scene.driver.drops.at(-1)?.reason, "drop-roster-proof");
  // Only asking, without being registered, is not enough either.
  const keeper = scene.client(7);
  scene.tell(keeper, FROM, KEEP);
  assertEquals(scene.hearRoster(keeper, FROM, 0), undefined);
  // Who has no G at all.
  assertEquals(scene.hearRoster(victim, OTHER, 0, false, NEW_SECRET), undefined);
  assertEquals(scene.driver.drops.at(-1)?.reason, "drop-not-opened");
  assertEquals(scene.hearRoster(victim, OTHER, 0)?.entries.length, 1);
  // A flood, each in another name: no X25519, no answer.
  const before = count(scene, "exchanges");
  assert(before > exchanges);
  for (let i = 0; i < 200; i++) {
    scene.send(scene.rosterQuestion(idOf(i), stranger.peerKeys!, 0).payload, FROM);
  }
  assertEquals([count(scene, "exchanges"), count(scene, "drop-roster-stranger")], [before, 202]);
});

test("who asks for the roster again and again is told within bounds", () => {
  const scene = new RosterScene();
  scene.rosters.of(0).put({ key: idOf(1), name: "hub", prefixes: [] }, scene.driver.unix);
  const client = scene.client(5);
  scene.ask(client, FROM);
  let told = 0;
  for (let i = 0; i < 500; i++) if (scene.hearRoster(client, FROM, 0) !== undefined) told++;
  assertEquals([told, count(scene, "drop-roster-busy")], [400, 100]);
  scene.driver.mono += 1;
  assertEquals(scene.hearRoster(client, FROM, 0)?.entries.length, 1);
});

test("who follows the roster is told in an answer that it has changed, others are not", () => {
  const scene = new RosterScene();
  const roster = scene.rosters.of(0);
  const follower = scene.client(5);
  scene.ask(follower, FROM, { roster: 0 });
  assertEquals(follower.roster, -1);
  const { version } = roster.put({ key: idOf(1), name: "hub", prefixes: [] }, scene.driver.unix);
  scene.ask(follower, FROM, { roster: 0 });
  assertEquals(follower.roster, version);
  scene.ask(follower, FROM, { roster: version });
  assertEquals(follower.roster, -1);
  scene.ask(follower, FROM);
  assertEquals(follower.roster, -1);
  const unproved = scene.client(6, { unproved: true });
  scene.ask(unproved, OTHER, { roster: 0 });
  assertEquals(unproved.roster, -1);
});

test("a subscription that follows the roster is pushed to when that changes, and until it asks", () => {
  const scene = new RosterScene();
  const roster = scene.rosters.of(0);
  const follower = scene.client(5);
  const other = scene.client(6);
  scene.ask(follower, FROM, { ...SUBSCRIBE, roster: 0 });
  scene.ask(other, OTHER, SUBSCRIBE);
  // What they have heard of each other is told first.
  scene.driver.pass(1);
  for (const { bytes, to } of scene.pushes()) (to.startsWith("198") ? follower : other).hear(bytes);
  scene.ask(follower, FROM, { ...SUBSCRIBE, roster: 0 });
  scene.ask(other, OTHER, SUBSCRIBE);
  scene.driver.pass(20);
  assertEquals(scene.pushes(), []);

  const { version } = roster.put({ key: idOf(1), name: "hub", prefixes: [] }, scene.driver.unix);
  scene.driver.pass(1);
  const [push, ...more] = scene.pushes();
  assertEquals([push?.to, more.length], ["198.51.100.7:40000 #0", 0]);
  const heard = follower.hear(push!.bytes);
  assert(heard?.kind === "push");
  assertEquals([heard.previous, heard.told], [heard.version, []]);
  // It may have been lost: it is repeated, and says the same.
  scene.driver.pass(1.1);
  const [again] = scene.pushes();
  const repeated = follower.hear(again!.bytes);
  assert(repeated?.kind === "push" && repeated.previous === repeated.version);
  scene.ask(follower, FROM, { ...SUBSCRIBE, roster: 0 });
  assertEquals(follower.roster, version);
  scene.driver.pass(20);
  assertEquals(scene.pushes(), []);
  // Who doesn't follow any more isn't told.
  scene.ask(follower, FROM, SUBSCRIBE);
  roster.rename("hub", "center", scene.driver.unix);
  scene.driver.pass(1);
  assertEquals(scene.pushes(), []);
});

test("a key of the roster is let in beside the allow-list; when it is forgotten, it goes", () => {
  const listed = new ExchangeKey(privateKeyOf(5), PORTABLE).publicKey.bytes;
  const scene = new RosterScene({ allowed: [listed] });
  const guest = scene.client(6);
  assertEquals(scene.tell(guest, OTHER), undefined);
  assertEquals(scene.driver.drops.at(-1)?.reason, "drop-not-allowed");
  scene.invite("guest", 1);
  assertEquals(scene.joined({ token: tokenOf(1), number: 6 }, OTHER)?.result, "joined");
  scene.ask(guest, OTHER);
  assert(scene.ask1(guest.id, OTHER));
  scene.rosters.of(0).remove(guest.id, false, scene.driver.unix);
  scene.gate.settle(scene.driver);
  assertEquals(scene.seen1(guest.key), undefined);
  assert(!scene.ask1(guest.id, OTHER));
  scene.ask(scene.client(5), FROM);
});

test("a key that is revoked goes at once, in both protocols, and others are told", () => {
  const scene = new RosterScene();
  const peer = scene.client(5);
  const watcher = scene.client(6);
  scene.invite("cabin", 1);
  scene.joined({ token: tokenOf(1), number: 5 }, FROM);
  scene.ask(peer, FROM);
  scene.ask(watcher, OTHER, SUBSCRIBE);
  assert(watcher.peers.has(peer.key));
  scene.rosters.of(0).remove(peer.id, true, scene.driver.unix);
  scene.gate.settle(scene.driver);
  scene.driver.pass(1);
  for (const { bytes } of scene.pushes()) watcher.hear(bytes);
  assert(!watcher.peers.has(peer.key));
  assertEquals(scene.seen1(peer.key), undefined);
  assertEquals(scene.tell(peer, FROM), undefined);
  assertEquals(scene.driver.drops.at(-1)?.reason, "drop-not-allowed");
  assert(!scene.ask1(peer.id, FROM));
  assertEquals(scene.hearRoster(peer, FROM, 0), undefined);
  // A few moments later by itself, where nobody says so.
  scene.rosters.of(0).remove(watcher.id, true, scene.driver.unix);
  scene.driver.pass(1);
  scene.driver.registry.expireInTime(scene.driver);
  assertEquals(scene.driver.registry.peerCount, 0);
});

test("a roster stays while its group isn't served, and is there again with it", () => {
  const scene = new RosterScene();
  scene.rosters.of(0).put({ key: idOf(1), name: "hub", prefixes: [] }, scene.driver.unix);
  scene.driver.registry.removeGroup(0, scene.driver.mono);
  scene.driver.addGroup({});
  const client = scene.client(5);
  scene.ask(client, FROM);
  assertEquals(scene.hearRoster(client, FROM, 0)?.entries.map(({ name }) => name), ["hub"]);
});

test("with hundreds of invitations, each finds its own; what nobody was given finds none", () => {
  const scene = new RosterScene();
  const { invitations } = scene.rosters;
  const base = scene.invite("n0", 0);
  for (let i = 1; i < 500; i++) {
    const addresses = [tunnelPrefix(`10.9.${1 + (i >> 8)}.${i & 255}/16`)];
    invitations.add({ ...base, token: tokenOf(i), name: `n${i}`, addresses }, scene.driver.unix);
  }
  for (const i of [0, 1, 77, 499]) {
    const heard = scene.joined({ token: tokenOf(i), number: i + 1 }, FROM);
    assertEquals([heard?.result, heard?.told.name], ["joined", `n${i}`]);
  }
  assertEquals(scene.joined({ token: tokenOf(5000), number: 9 }, FROM), undefined);
});

test("whatever looks like a join or a question about the roster takes nothing with it", () => {
  const scene = new RosterScene();
  scene.invite("cabin", 1);
  const client = scene.client(5);
  scene.ask(client, FROM);
  const random = seededRandom(4);
  const noise = new Uint8Array(4);
  const samples = [
    scene.join({ token: tokenOf(1), number: 6 }).payload,
    scene.rosterQuestion(client.id, client.peerKeys!, 0).payload,
  ];
  for (let i = 0; i < 400; i++) {
    random(noise);
    const payload = samples[i % 2]!.slice();
    const at = (noise[0]! << 8 | noise[1]!) % payload.length;
    payload[at]! ^= noise[2]! | 1;
    scene.deliver(payload.slice(0, noise[3]! < 40 ? at : payload.length), FROM);
  }
  assertEquals([count(scene, "joined"), scene.rosters.of(0).count], [0, 0]);
  scene.ask(client, FROM);
});
