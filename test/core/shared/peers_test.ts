/** What registries that share a table make of each other's peers. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import {
  MAX_SHARED_SIZE,
  REGISTER_CONTENT,
  REGISTER_FLAGS,
  REGISTER_HEARD,
  REGISTER_SIZE,
  registerEnd,
} from "../../../lib/wire/shared/record.ts";
import { RECORD_LABEL } from "../../../lib/wire/wgsig/record.ts";
import { readSeconds, writeLabel } from "../../../lib/wire/wgsig/tai64n.ts";
import { MOST_TAKEN } from "../../../lib/core/shared/peers.ts";
import { SharedGroup } from "../../../lib/core/shared/shared_group.ts";
import { flagsOfNat, NAT } from "../../../lib/wire/wgsig2/nat.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { hex } from "../../support/bytes.ts";
import { twinRegisters } from "../../support/shared_twin.ts";
import {
  idOf,
  SHARED_KEY,
  type SharingRegistry,
  SharingScene,
} from "../../support/sharing_scene.ts";
import { test } from "../../testing.ts";

const HOME = "192.0.2.7 51820";
const CAFE = "198.51.100.9 4500";
const IPV6 = "2001:db8::7 51820";
const A = idOf(1);

test("shared: a peer of the first protocol that asks one registry is known to all, and written once", () => {
  const scene = new SharingScene([0, 0, 0]);
  const [first, second, third] = scene.registries;
  assert(first!.ask1(A, HOME, scene.label()));
  assertEquals(first!.told, 1);
  scene.settle();
  for (const each of [second, third]) assertEquals(each!.of(A), "192.0.2.7:51820");
  assertEquals(scene.store.stream.length, 1);
  assertEquals(second!.driver.held(), first!.driver.held());
  // It asks again and again, and goes on: nothing is written.
  for (let i = 0; i < 5; i++) {
    scene.pass(0.9);
    assert(first!.ask1(A, HOME, scene.label()));
  }
  scene.settle();
  assertEquals(scene.store.stream.length, 1);
  scene.pass(1);
  assert(third!.ask1(A, CAFE, scene.label()));
  scene.settle();
  assertEquals(first!.of(A), "198.51.100.9:4500");
  assertEquals(scene.store.stream.length, 2);
});

test("shared: all of a peer of wgsig 2 is known to all, and what changes is pushed", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  const watcher = { flags: QUESTION_FLAG.subscribe };
  assertEquals(second!.ask2(2, CAFE, scene.unix, watcher)?.kind, "answer");
  const { log } = second!.driver.group().members.directory!;
  const flags = QUESTION_FLAG.probes | flagsOfNat(NAT.easy);
  const candidates = ["lan 192.168.1.2:5", "mapped [2001:db8::9]:7"];
  first!.ask2(1, HOME, scene.unix, { flags, candidates });
  scene.pass(0.1);
  first!.ask2(1, IPV6, scene.unix, { flags, candidates });
  const { id } = first!.client(1);
  const known = "192.0.2.7:51820, seen [2001:db8::7]:51820, lan 192.168.1.2:5, " +
    `mapped [2001:db8::9]:7, flags ${flags}, proved`;
  assertEquals(first!.of(id), known);
  const before = [log.version, second!.shared.changed];
  scene.settle();
  assertEquals(second!.of(id), known);
  assert(log.version > before[0]! && second!.shared.changed > before[1]!);
  const push = second!.driver.registry;
  push.beginPushes();
  assert(push.nextPush(second!.driver) !== undefined, "nothing is pushed");
  // It says nothing any more.
  scene.pass(1);
  first!.ask2(1, HOME, scene.unix);
  scene.settle();
  assertEquals(second!.of(id), "192.0.2.7:51820, seen [2001:db8::7]:51820, proved");
  // Who only goes on changes nothing.
  const version = log.version;
  for (let i = 0; i < 3; i++) {
    scene.pass(8);
    first!.ask2(1, HOME, scene.unix);
    scene.settle();
  }
  assertEquals(log.version, version);
});

test("shared: who is still there is written anew now and then, and stays with all", () => {
  const scene = new SharingScene([0, 0], { maxAge: 80 });
  const [first, second] = scene.registries;
  let writes = 0;
  for (let i = 0; i < 100; i++) {
    first!.ask1(A, HOME, scene.label());
    writes += first!.writeAll();
    second!.follow();
    for (const { driver } of scene.registries) driver.registry.expire(driver);
    assertEquals(second!.of(A), "192.0.2.7:51820");
    scene.pass(3);
  }
  // Every 12 seconds, as often as it asks after 10.
  assertEquals(writes, 25);
  // It goes, and is gone at all of them, and from the store.
  scene.pass(81);
  for (const { driver } of scene.registries) driver.registry.expire(driver);
  assertEquals(scene.registries.map((each) => each.view().size), [0, 0]);
  assertEquals(first!.forget() + second!.forget(), 2);
  assertEquals(scene.store.peers.size, 0);
});

test("shared: of many that came in no order and are too old, some go each time until all are", () => {
  const scene = new SharingScene([0, 0], { maxAge: 80, maxAnswer: 10 });
  const [first] = scene.registries;
  for (let i = 0; i < 600; i++) {
    first!.ask1(idOf(1000 + i), `10.0.${i >> 8}.${i & 255} 5`, scene.label());
  }
  scene.settle();
  scene.pass(70);
  const fresh = scene.restart(1);
  fresh.ask1(A, HOME, scene.label());
  fresh.scan();
  scene.pass(11);
  const left = [0, 1, 2, 3].map(() => {
    fresh.driver.registry.expireInTime(fresh.driver);
    return fresh.driver.registry.peerCount;
  });
  assertEquals(left, [345, 89, 1, 1]);
});

test("shared: who was heard elsewhere meanwhile is not forgotten", () => {
  const scene = new SharingScene([0, 0], { maxAge: 80 });
  const [first, second] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  scene.settle();
  scene.pass(50);
  second!.ask1(A, HOME, scene.label());
  second!.writeAll();
  // The first one has not heard of that yet.
  scene.pass(31);
  first!.driver.registry.expire(first!.driver);
  assertEquals(first!.forget(), 1);
  assertEquals(scene.store.peers.size, 1);
  first!.follow();
  assertEquals(first!.of(A), "192.0.2.7:51820");
});

test("shared: a proof is known to all, and what is not proved changes nothing anywhere", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  const { id } = first!.client(1);
  // Somebody who knows the secret alone was there before.
  second!.ask1(id, CAFE, scene.label());
  second!.ask2(1, "2001:db8:bad::1 5", scene.unix, { candidates: ["lan 10.0.0.1:1"] }, true);
  scene.settle();
  assertEquals(
    first!.of(id),
    "198.51.100.9:4500, seen [2001:db8:bad::1]:5, lan 10.0.0.1:1",
  );
  scene.pass(1);
  first!.ask2(1, IPV6, scene.unix);
  scene.settle();
  for (const each of scene.registries) {
    assertEquals(each.of(id), "seen [2001:db8::7]:51820, proved");
    assertEquals(each.driver.held(), []);
  }
  scene.pass(1);
  const { registry } = second!.driver;
  second!.ask1(id, CAFE, scene.label());
  second!.ask2(1, CAFE, scene.unix, {}, true);
  assertEquals(registry.counters.get("kept-proved"), 2);
  // One that hasn't heard of the proof lets it in, until it hears.
  const third = scene.restart(0);
  third.ask1(id, CAFE, scene.label());
  assertEquals(third.of(id), "198.51.100.9:4500");
  third.writeAll();
  scene.settle();
  third.scan();
  scene.settle();
  for (const each of scene.registries) {
    assertEquals(each.of(id), "seen [2001:db8::7]:51820, proved");
  }
});

test("shared: a proof from where somebody was before is told to all", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  const { id } = first!.client(1);
  first!.ask1(id, HOME, scene.label());
  scene.settle();
  const forgotten: number[] = [];
  second!.driver.group().members.onForgotten = (peer) => forgotten.push(peer);
  scene.pass(1);
  first!.ask2(1, HOME, scene.unix);
  scene.settle();
  assertEquals(second!.of(id), "192.0.2.7:51820, proved");
  assertEquals(forgotten.length, 1);
});

test("shared: beside what is proved, nothing unproved is taken over, or keeps it out", () => {
  const scene = new SharingScene([0, 0, 0]);
  const [first, second, third] = scene.registries;
  const { id } = first!.client(1);
  first!.ask2(1, IPV6, scene.unix);
  first!.writeAll();
  scene.pass(1);
  first!.ask2(1, IPV6, scene.unix, { candidates: ["lan 192.168.1.2:5"] });
  first!.writeAll();
  scene.pass(1);
  second!.ask2(1, CAFE, scene.unix, { candidates: ["lan 10.0.0.1:1"] }, true);
  const unproved = second!.shared.take(second!.clock, second!.driver)!.records[0]!.record;
  second!.shared.lost();
  // What it says was proved with an earlier label than what another one said in its name.
  second!.follow();
  assertEquals(second!.of(id), "seen [2001:db8::7]:51820, lan 192.168.1.2:5, proved");
  // Both in one record, as only who writes to the store can have them.
  const row = twinRegisters(unproved)!.get(1)!;
  const seen = twinRegisters(scene.store.stream[0]!.record)!.get(2)!;
  const mixed = Uint8Array.from([1, 3, ...row, ...seen]);
  third!.shared.apply(0, id, mixed, third!.clock, third!.driver, true);
  assertEquals(third!.of(id), "seen [2001:db8::7]:51820, proved");
  // A store that has lost it, and got something unproved since, has it again.
  scene.store.peers.clear();
  scene.store.write(0, id, unproved);
  assert(!first!.shared.isDirty);
  first!.follow();
  assert(first!.shared.isDirty);
  scene.settle();
  const fresh = scene.restart(2);
  fresh.scan();
  assertEquals(fresh.of(id), "seen [2001:db8::7]:51820, lan 192.168.1.2:5, proved");
});

test("shared: what another registry has heard later is not to be written any more", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  assertEquals(first!.shared.behind, 1);
  scene.pass(1);
  second!.ask1(A, CAFE, scene.label());
  second!.writeAll();
  first!.follow();
  assertEquals(first!.shared.behind, 0);
  assert(!first!.shared.isDirty);
  assertEquals(first!.shared.take(first!.clock, first!.driver), undefined);
  scene.pass(1);
  first!.ask1(A, HOME, scene.label());
  assertEquals(first!.shared.behind, 1);
  scene.settle();
  assertEquals(second!.of(A), "192.0.2.7:51820");
});

test("shared: a request is refused at another registry once its label is there", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  const label = scene.label();
  assert(first!.ask1(A, HOME, label));
  scene.settle();
  assert(!second!.ask1(A, CAFE, label), "it was played to another registry");
  assertEquals(second!.driver.drops.at(-1)?.reason, "drop-replayed");
  // The same of one that the registry has made room for, or that has come back.
  second!.driver.group().members.dropRow(0, second!.driver.mono);
  assert(!second!.ask1(A, CAFE, label));
});

test("shared: an old request that was played to another registry before is put right", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  scene.settle();
  // Labels that go on are not written: this one is not known to the second.
  scene.pass(2);
  const unwritten = scene.label();
  first!.ask1(A, HOME, unwritten);
  scene.pass(1);
  first!.ask1(A, HOME, scene.label());
  assert(second!.ask1(A, CAFE, unwritten));
  assertEquals(second!.of(A), "198.51.100.9:4500");
  scene.settle();
  assertEquals(scene.registries.map((each) => each.of(A)), ["192.0.2.7:51820", "192.0.2.7:51820"]);
  const { counters } = first!.driver.registry;
  assertEquals(counters.get("shared-corrected"), 1);
  // That with the last label as well: the first one has heard it earlier.
  scene.pass(1);
  const last = scene.label();
  first!.ask1(A, HOME, last);
  scene.pass(0.01);
  assert(second!.ask1(A, CAFE, last));
  scene.settle();
  assertEquals(scene.registries.map((each) => each.of(A)), ["192.0.2.7:51820", "192.0.2.7:51820"]);
  assertEquals(counters.get("shared-corrected"), 2);
});

test("shared: a peer behind a hard NAT doesn't go back and forth between two registries' ports", () => {
  const scene = new SharingScene([0, 0], { maxAge: 160 });
  const ask = [(registry: number, from: string) => {
    scene.at(registry).ask1(A, from, scene.label());
  }, (registry: number, from: string) => {
    scene.at(registry).ask2(1, from, scene.unix);
  }];
  for (const [protocol, id] of [[0, A], [1, scene.at(0).client(1).id]] as const) {
    const round = (registries = [0, 1]) => {
      for (const registry of registries) {
        ask[protocol]!(registry, `192.0.2.7 ${4001 + registry}`);
        scene.settle();
        scene.pass(0.01);
      }
    };
    round();
    const written = () => [...scene.store.stream].filter((each) => hex(each.id) === hex(id)).length;
    const before = written();
    for (let i = 0; i < 40; i++) {
      scene.pass(25);
      round();
      assertEquals(
        scene.registries.map((each) => each.of(id)?.split(",")[0]),
        ["192.0.2.7:4002", "192.0.2.7:4002"],
      );
    }
    // The second one says every 25 seconds that it is still there.
    assertEquals(written() - before, 40);
    // It asks the first alone from now on.
    for (let i = 0; i < 4; i++) {
      scene.pass(25);
      round([0]);
    }
    assertEquals(
      scene.registries.map((each) => each.of(id)?.split(",")[0]),
      ["192.0.2.7:4001", "192.0.2.7:4001"],
    );
    // It is somewhere else: that is told at once.
    scene.pass(1);
    ask[protocol]!(1, CAFE);
    scene.settle();
    scene.pass(1);
    ask[protocol]!(0, CAFE);
    assertEquals(scene.at(0).of(id)?.split(",")[0], "198.51.100.9:4500");
  }
});

test("shared: a record shows the label of who asks, though another registry's port stays in it", () => {
  const scene = new SharingScene([0, 0], { maxAge: 86_400 });
  for (let i = 0; i < 5; i++) {
    for (const registry of [0, 1]) {
      scene.at(registry).ask1(A, `192.0.2.7 ${4001 + registry}`, scene.label());
      // Whoever sees an older one there takes the answer for one that is played back.
      assert(scene.unix - saidAt(scene.at(registry), A) <= 1, `round ${i}`);
      scene.settle();
      scene.pass(0.01);
    }
    assertEquals(scene.registries.map((each) => each.of(A)), ["192.0.2.7:4002", "192.0.2.7:4002"]);
    scene.pass(25);
  }
});

test("shared: what was not written is written again, also of who has changed meanwhile", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  assertEquals(first!.write("lost"), 1);
  assert(first!.shared.isDirty);
  assertEquals(first!.shared.behind, 1);
  const taken = first!.shared.take(first!.clock, first!.driver);
  assertEquals(taken?.records.length, 1);
  assert(!first!.shared.isDirty);
  assertEquals(first!.shared.behind, 1);
  scene.pass(1);
  first!.ask1(A, CAFE, scene.label());
  assert(first!.shared.isDirty);
  first!.shared.written();
  scene.settle();
  assertEquals(second!.of(A), "198.51.100.9:4500");
  // Who is gone while it is under way is not written for another.
  scene.pass(1);
  first!.ask1(idOf(2), HOME, scene.label());
  first!.shared.take(first!.clock, first!.driver);
  const { members } = first!.driver.group();
  members.keep((ids, at) => ids.bytes[at] !== idOf(2)[0], first!.driver.mono);
  first!.ask1(idOf(3), CAFE, scene.label());
  first!.shared.lost();
  assertEquals(first!.shared.behind, 1);
  scene.settle();
  assertEquals([...second!.view().keys()].sort(), [A, idOf(3)].map(hex).sort());
});

test("shared: it is told that something is to be written, also after that was somebody else's word", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  const peer = idOf(2);
  first!.ask1(A, HOME, scene.label());
  assertEquals(first!.told, 1);
  // Before it is written, a later word comes from elsewhere.
  scene.pass(1);
  second!.ask1(A, CAFE, scene.label());
  second!.writeAll();
  first!.follow();
  assert(!first!.shared.isDirty);
  first!.ask1(peer, HOME, scene.label());
  assertEquals(first!.told, 2);
  first!.ask1(idOf(3), HOME, scene.label());
  assertEquals(first!.told, 2);
});

test("shared: a store that was emptied has everything again after a scan", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  first!.ask2(1, IPV6, scene.unix, { candidates: ["lan 10.0.0.1:1"] });
  second!.ask2(2, HOME, scene.unix);
  scene.settle();
  const before = second!.view();
  scene.store.peers.clear();
  second!.scan();
  scene.settle();
  const third = scene.restart(0);
  third.scan();
  assertEquals(third.view(), before);
  assertEquals(third.writeAll(), 0);
  assertEquals(second!.view(), before);
});

test("shared: much is written in pieces, and groups take turns", () => {
  const scene = new SharingScene([0, 0], { maxPeers: 2000 });
  const [first, second] = scene.registries;
  for (const { driver } of scene.registries) driver.addGroup({ id: 7 });
  for (let i = 0; i < 1000; i++) first!.ask1(idOf(i), HOME, scene.label());
  assertEquals(first!.told, 1);
  const { driver, shared, clock } = first!;
  const request = idOf(1);
  assert(driver.ask({ id: request, group: 7, seconds: Math.floor(driver.unix) }) !== undefined);
  assertEquals(shared.behind, 1001);
  const groups: number[] = [];
  const sizes: number[] = [];
  while (shared.isDirty) {
    const { group, records } = shared.take(clock, driver)!;
    groups.push(group);
    sizes.push(records.length);
    let bytes = 0;
    for (const { id, record } of records) {
      scene.store.write(group, id, record);
      bytes += id.length + record.length;
    }
    assert(records.length <= MOST_TAKEN && bytes <= 65_536);
    shared.written();
  }
  assertEquals(groups, [0, 7, 0, 0, 0]);
  assertEquals(sizes, [256, 1, 256, 256, 232]);
  second!.follow();
  assertEquals(second!.view(), first!.view());
  assertEquals(second!.view(7), first!.view(7));
  assertEquals(second!.driver.held().length, 1000);
});

test("shared: what no registry has made is dropped and counted, and changes nothing", () => {
  const scene = new SharingScene([0, 0, 0]);
  const [first, second, third] = scene.registries;
  first!.ask2(1, HOME, scene.unix, { candidates: ["lan 10.0.0.1:1"] });
  first!.writeAll();
  const { id, record } = scene.store.stream[0]!;
  const { registry } = second!.driver;
  const { clock, driver } = second!;
  const apply = (bytes: Uint8Array, whose = id, group = 0) => {
    second!.shared.apply(group, whose, bytes, clock, driver);
    second!.shared.apply(group, whose, bytes, clock, driver, true);
  };
  for (let bit = 0; bit < 8 * record.length; bit++) {
    const bytes = record.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    second!.shared.apply(0, id, bytes, clock, driver);
    const known = second!.of(id) ?? "";
    // What is right beside it is taken over.
    assert(known === "" || known.endsWith("proved"), known);
    assert(/^(192\.0\.2\.7:51820, |lan 10\.0\.0\.1:1, |)*(proved)?$/.test(known), known);
  }
  assert(registry.counters.get("shared-bad-mac") > 0);
  assert(registry.counters.get("shared-damaged") > 0);
  const view = second!.view();
  apply(record, idOf(9));
  apply(record, id, 5);
  apply(record, id.subarray(1));
  apply(new Uint8Array());
  apply(new Uint8Array(5000).fill(1));
  assertEquals(second!.view(), view);
  // One that is allowed no more.
  third!.driver.configureGroup({ allowed: [A] });
  third!.follow();
  assertEquals(third!.view().size, 0);
});

test("shared: what is too old is not taken over, and a scan has it forgotten", () => {
  const scene = new SharingScene([0, 0], { maxAge: 60 });
  const [first, second] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  first!.ask2(1, HOME, scene.unix);
  first!.writeAll();
  scene.pass(61);
  second!.follow();
  assertEquals(second!.view().size, 0);
  assert(!second!.shared.hasGone);
  second!.scan();
  assertEquals(second!.view().size, 0);
  assertEquals(second!.forget(), 2);
  assertEquals(scene.store.peers.size, 0);
});

test("shared: what has become too old before it could be written is not written", () => {
  const scene = new SharingScene([0, 0], { maxAge: 60 });
  const [first] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  assert(first!.shared.isDirty);
  scene.pass(61);
  assertEquals(first!.shared.take(first!.clock, first!.driver), undefined);
});

test("shared: of who is gone, so many are named to the store", () => {
  const most = 16_384;
  const scene = new SharingScene();
  const [first] = scene.registries;
  const group = first!.driver.group();
  const { sharing } = group.members;
  assert(sharing instanceof SharedGroup);
  const ids = new WireBuffer(32);
  for (let i = 0; i < most + 10; i++) sharing.forgetStored(ids, 0);
  let count = 0;
  for (;;) {
    const gone = first!.shared.takeGone(first!.clock, first!.driver);
    if (gone === undefined) break;
    assert(gone.ids.length <= 256);
    count += gone.ids.length;
  }
  assertEquals(count, most);
});

test("shared: those that come in no order are gone when it is their time", () => {
  const scene = new SharingScene([0, 0], { maxAge: 60 });
  const [first, second] = scene.registries;
  for (let i = 0; i < 20; i++) {
    first!.ask1(idOf(i), HOME, scene.label());
    if (i % 3 === 0) first!.ask2(i, IPV6, scene.unix);
    scene.pass(2);
  }
  first!.writeAll();
  const mixed = [...scene.store.peers.values()].sort((a, b) => hex(a.id) < hex(b.id) ? -1 : 1);
  scene.store.peers.clear();
  for (const each of mixed) scene.store.peers.set(hex(each.id), each);
  second!.scan();
  for (let i = 0; i < 40; i++) {
    for (const { driver } of scene.registries) driver.registry.expire(driver);
    assertEquals(second!.view(), first!.view());
    scene.pass(2);
  }
  assertEquals(second!.view().size, 0);
});

test("shared: a full registry takes the store's proved peers in the place of others, and no more", () => {
  const scene = new SharingScene([0, 0]);
  const [first, second] = scene.registries;
  second!.driver.registry.removeGroup(0, second!.driver.mono);
  second!.driver.addGroup({ maxPeers: 3 });
  for (let i = 0; i < 3; i++) second!.ask1(idOf(i), HOME, scene.label());
  for (let i = 5; i < 7; i++) first!.ask1(idOf(i), HOME, scene.label());
  for (let i = 0; i < 2; i++) first!.ask2(i, HOME, scene.unix);
  first!.writeAll();
  second!.follow();
  const { counters } = second!.driver.registry;
  assertEquals(counters.get("shared-no-room"), 2);
  assertEquals(counters.get("pushed-out"), 2);
  assertEquals([...second!.view().values()].filter((text) => text.endsWith("proved")).length, 2);
  assertEquals(second!.view().size, 3);
  // Who was pushed out is not forgotten in the store.
  second!.writeAll();
  assert(!second!.shared.hasGone);
});

test("shared: where proof is required, nothing else is taken over", () => {
  const scene = new SharingScene([0, 0]);
  const [first, second] = scene.registries;
  second!.driver.configureGroup({ proof: "required" });
  first!.ask1(A, HOME, scene.label());
  first!.ask2(1, HOME, scene.unix);
  scene.settle();
  assertEquals([...second!.view().values()], ["192.0.2.7:51820, proved"]);
});

test("shared: what a tunnel of a registry's host sees is for that registry alone", () => {
  const scene = new SharingScene([0, 0]);
  const [first, second] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  scene.settle();
  scene.pass(2);
  const { driver } = first!;
  const observed = {
    id: driver.group().table.pages,
    address: 0xcb007105,
    port: 99,
    seen: scene.label(),
  };
  driver.group().observe(observed, driver, driver.registry.counters);
  assertEquals(first!.of(A), "203.0.113.5:99");
  first!.scan();
  scene.settle();
  assertEquals(second!.of(A), "192.0.2.7:51820");
  assertEquals(scene.store.stream.length, 1);
  scene.pass(1);
  first!.ask1(A, "203.0.113.5 99", scene.label());
  scene.settle();
  assertEquals(second!.of(A), "203.0.113.5:99");
});

test("shared: who is taken over goes to the disk as if it had been heard", () => {
  const scene = new SharingScene([0, 0]);
  const [first, second] = scene.registries;
  const needs = (["rows", "members"] as const).map((of) => second!.driver.registry.keepChanges(of));
  first!.ask2(1, HOME, scene.unix, { candidates: ["lan 10.0.0.1:1"] });
  scene.settle();
  assert(needs.every(({ patience }) => patience < 10));
  const { members } = second!.driver.group();
  assertEquals(members.changes!.take().peers.length, 1);
  assertEquals(members.memberChanges!.take().peers.length, 1);
});

test("shared: registries whose clocks differ by 20 seconds agree on ages and on the last word", () => {
  const scene = new SharingScene([0, 20, -8], { maxAge: 100 });
  for (let i = 0; i < 6; i++) {
    const from = `192.0.2.7 ${5000 + i}`;
    scene.at(i % 3).ask1(A, from, scene.label());
    scene.at((i + 1) % 3).ask2(1, from, scene.unix);
    scene.settle();
    for (const each of scene.registries) {
      assertEquals(each.of(A), `192.0.2.7:${5000 + i}`);
      assertEquals(each.of(each.client(1).id), `192.0.2.7:${5000 + i}, proved`);
    }
    scene.pass(1);
  }
  scene.pass(98.5);
  for (const { driver } of scene.registries) driver.registry.expire(driver);
  assertEquals(scene.registries.map((each) => each.view().size), [2, 2, 2]);
  scene.pass(2);
  for (const { driver } of scene.registries) driver.registry.expire(driver);
  assertEquals(scene.registries.map((each) => each.view().size), [0, 0, 0]);
});

test("shared: a peer whose labels go by another registry's clock is heard after one question more", () => {
  const scene = new SharingScene([0, 20]);
  const [first, second] = scene.registries;
  // Its own clock is wrong, so that it goes by the time of whom it asks.
  second!.ask2(1, HOME, scene.unix + 20);
  scene.settle();
  scene.pass(1);
  const heard = first!.ask2(1, CAFE, scene.unix);
  assertEquals(heard?.kind, "answer");
  const { counters } = first!.driver.registry;
  assertEquals(counters.get("retry-label"), 1);
  scene.settle();
  const { id } = first!.client(1);
  assertEquals(scene.registries.map((each) => each.of(id)?.split(",")[0]), [
    "198.51.100.9:4500",
    "198.51.100.9:4500",
  ]);
});

test("shared: whatever a register says, with the right MAC, nothing throws and tables stay whole", () => {
  const scene = new SharingScene([0], { maxAge: 100 });
  const { driver, shared, clock } = scene.at(0);
  const sized = (...sizes: number[]) =>
    fc.constantFrom(...sizes).chain((size) => fc.uint8Array({ minLength: size, maxLength: size }));
  const said = fc.constantFrom([0x24, 0, 5, 1, 2, 3, 4], [], [0x24, 0, 5, 1, 2, 3, 4, 0x14], [
    0x36,
  ]);
  // What is right, most of the time.
  const contents = [
    sized(6, 6, 6, 6, 0, 18, 255),
    sized(18, 18, 18, 18, 6, 22),
    fc.oneof(said.map((bytes) => Uint8Array.from(bytes)), sized(7, 19, 254, 255)),
  ];
  const register = (content: fc.Arbitrary<Uint8Array>) =>
    fc.record({
      label: fc.tuple(
        fc.constantFrom(scene.unix, scene.unix + 1, 0, 1, 2 ** 40, 2 ** 52),
        fc.nat(2 ** 30),
      ),
      heard: fc.oneof(fc.double({ min: scene.unix - 9, max: scene.unix + 9 }), fc.double()),
      flags: fc.constantFrom(0, 1, 8, 0x39, 0xff),
      content,
    });
  fc.assert(fc.property(
    fc.nat(5),
    fc.integer({ min: 1, max: 7 }),
    fc.tuple(...contents.map(register)),
    fc.boolean(),
    (peer, kinds, registers, isScan) => {
      const id = new WireBuffer(idOf(peer));
      const buffer = new WireBuffer(MAX_SHARED_SIZE);
      buffer.bytes.set([1, kinds]);
      let end = 2;
      registers.forEach(({ label: [seconds, nanoseconds], heard, flags, content }, place) => {
        if ((kinds & 1 << place) === 0) return;
        writeLabel(buffer, end, { seconds, nanoseconds: 0 });
        buffer.view.setUint32(end + 8, nanoseconds);
        buffer.view.setFloat64(end + REGISTER_HEARD, heard);
        buffer.bytes[end + REGISTER_FLAGS] = flags;
        buffer.bytes[end + REGISTER_SIZE] = content.length;
        buffer.bytes.set(content, end + REGISTER_CONTENT);
        SHARED_KEY.seal(0, id, 0, 1 << place, buffer, end);
        end = registerEnd(buffer, end);
      });
      shared.apply(0, id.bytes, buffer.bytes.slice(0, end), clock, driver, isScan);
      const { directory, table } = driver.group().members;
      assert(directory!.count <= 6 && table.count <= directory!.count);
      directory!.visit((each) => {
        assert(directory!.heardAt(each) <= driver.mono);
        const row = directory!.rowOf(each);
        if (row >= 0) assertEquals(directory!.peerOf(row), each);
      });
    },
  ));
  assertEquals(driver.registry.counters.get("shared-bad-mac"), 0);
  assert(driver.registry.counters.get("shared-damaged") > 0);
  assert(scene.at(0).view().size > 0);
  // Those that are ahead of time are gone when it is theirs.
  scene.pass(200);
  driver.registry.expire(driver);
  assertEquals(scene.at(0).view().size, 0);
  while (shared.isDirty) scene.at(0).write();
});

test("shared: a group that comes later is shared, one that is removed is not any more", () => {
  const scene = new SharingScene([0, 0]);
  const [first, second] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  first!.driver.registry.removeGroup(0, first!.driver.mono);
  assert(!first!.shared.isDirty);
  first!.shared.lost();
  first!.driver.registry.addGroup(first!.driver.addGroup({}), first!.driver.mono);
  // A scan that has begun before says nothing of it, nor does one of another group.
  first!.shared.endScan();
  first!.shared.beginScan(5);
  first!.shared.endScan(5);
  assert(!first!.shared.isDirty);
  first!.shared.beginScan(0);
  scene.pass(1);
  first!.ask1(A, CAFE, scene.label());
  scene.settle();
  assertEquals(second!.of(A), "198.51.100.9:4500");
  first!.shared.close();
  scene.pass(1);
  first!.ask1(A, HOME, scene.label());
  assert(!first!.shared.isDirty);
});

/** When a peer has last said where it is, as its row tells, in Unix seconds. */
function saidAt(registry: SharingRegistry, id: Uint8Array): number {
  const { table } = registry.driver.group().members;
  const row = table.find(new WireBuffer(id.slice()), 0);
  return readSeconds(table.pages, table.recordAt(row) + RECORD_LABEL);
}
