/** What is kept of the peers of wgsig 2 over a restart and a crash. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatHostPort } from "../../../lib/core/net/host_port.ts";
import { formatAddress } from "../../../lib/core/net/ip_address.ts";
import { NONE } from "../../../lib/core/net/none.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { encodeChanges } from "../../../lib/core/store/encoding.ts";
import {
  encodeBatch,
  JOURNAL_HEAD,
  journalHead,
  readJournal,
} from "../../../lib/core/store/journal_file.ts";
import { MEMBER_HEARD } from "../../../lib/core/registry/member_entries.ts";
import { joinBytes, WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { newCandidates } from "../../../lib/wire/wgsig2/candidate.ts";
import { ANSWER_FLAG } from "../../../lib/wire/wgsig2/answer.ts";
import { flagsOfNat, NAT } from "../../../lib/wire/wgsig2/nat.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { RECORD_FLAG } from "../../../lib/wire/wgsig2/record.ts";
import { idOf } from "../../support/fake_random.ts";
import { KEEP, QuestionScene } from "../../support/question_scene.ts";
import type { QuestionClient } from "../../support/question_driver.ts";
import { type DriverGroup, RegistryDriver } from "../../support/registry_driver.ts";
import {
  encodeFormerState,
  encodeState,
  partsOf,
  restoreState,
} from "../../support/saved_state.ts";
import { seededNumbers, seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const HOME = "198.51.100.1 1000";
const AWAY = "203.0.113.9 2000";
const SIX = "2001:db8:1:2::9 3000";
const SAID = ["lan 192.168.1.2:51820", "declared [2001:db8::7]:9"];
const EASY = flagsOfNat(NAT.easy);
const PROBES_HARD = QUESTION_FLAG.probes | flagsOfNat(NAT.hard);
const SOON = 2;
const LATE = 60;
const MAX_AGE = 86_400;
/** Bytes of an entry with no candidates, and of what a batch has around its entries. */
const LEAST = 48;
const AROUND = 24 + 4;
const SEEN_SIZE = 19;

/** What a group knows of a peer. */
interface Known {
  readonly isProved: boolean;
  /** What it says of the way to its port. */
  readonly flags: number;
  /** Its row: `address:port`. */
  readonly endpoint: string | undefined;
  /** Where it was seen over IPv6, and what it says. */
  readonly candidates: readonly string[];
  /** Seconds since it was heard, and those of the candidates. */
  readonly ages: readonly number[];
}

/** What a group knows of its peers, by key. */
function known(driver: RegistryDriver, id = 0): Map<string, Known> {
  const { members } = driver.group(id);
  const directory = members.directory ?? driver.group(id).openDirectory(seededRandom(id), 0);
  const { places } = directory;
  const rows = driver.held(id).map((text) => text.split(" "));
  const all = new Map<string, Known>();
  for (let peer = 0; peer < directory.end; peer++) {
    if (!directory.isThere(peer)) continue;
    const list = newCandidates();
    const isSix = !Number.isNaN(places.seenAt(peer));
    if (isSix) places.readSeen(peer, list.slots[list.count++]!, driver.mono);
    places.readSaid(peer, list, true, driver.mono);
    const candidates = list.slots.slice(0, list.count);
    const key = formatKey(directory.ids.bytes.slice(32 * peer, 32 * peer + 32));
    const [, endpoint] = rows.find(([of]) => of === key) ?? [];
    assertEquals(endpoint === undefined, directory.rowOf(peer) === NONE);
    all.set(key, {
      isProved: directory.isProved(peer),
      flags: places.flagsOf(peer),
      endpoint,
      candidates: candidates.map(({ kind, address, port }) =>
        `${kind} ${formatHostPort({ host: formatAddress(address, 0), port })}`
      ),
      ages: [driver.mono - directory.heardAt(peer), ...candidates.map(({ age }) => age)]
        .map(Math.round),
    });
  }
  return all;
}

/** The same, sorted, and without ages. */
function places(driver: RegistryDriver): (readonly [string, Omit<Known, "ages">])[] {
  return [...known(driver)].map(([key, { ages: _, ...place }]) => [key, place] as const)
    .sort(([a], [b]) => a < b ? -1 : 1);
}

/** A registry whose file is written whole, and then added to. */
class Disk {
  readonly scene: QuestionScene;
  file: Uint8Array;
  #starts = 1;

  constructor(readonly group: DriverGroup = { maxAge: MAX_AGE }) {
    this.scene = new QuestionScene(group);
    this.file = encodeState(this.driver.registry, this.driver);
  }

  get driver(): RegistryDriver {
    return this.scene.driver;
  }

  /** How long what has changed may wait. */
  get patience(): number {
    return Math.min(...partsOf(this.driver.registry).map(({ patience }) => patience));
  }

  /** Adds what has changed of the directory and of the rows, and returns how many bytes that are. */
  add(): { members: number; rows: number } {
    const added = partsOf(this.driver.registry).map((part) => encodeChanges([part], this.driver));
    this.file = joinBytes([this.file, ...added]);
    return { members: added[0]!.length, rows: added[1]!.length };
  }

  /** Writes it whole. */
  write(): void {
    this.file = encodeState(this.driver.registry, this.driver);
    this.add();
    this.file = encodeState(this.driver.registry, this.driver);
  }

  /**
   * A registry that starts so many seconds later with the file as it is, or another.
   *
   * @param mono Its monotonic clock: of another start of the host.
   */
  start(seconds = 1, group = this.group, file = this.file, mono = 77): QuestionScene {
    this.#starts++;
    const next = new RegistryDriver({ groups: [group], seed: this.#starts });
    next.unix = this.driver.unix + seconds;
    next.mono = mono;
    const { isDamaged } = restoreState(file, next.registry, next);
    assertEquals(isDamaged, false);
    for (const each of next.registry.groups.values()) each.distrustBefore(next.mono);
    return new QuestionScene(group, next);
  }
}

/** A client as it is, without what it has of the registry before. */
function endpointOf(scene: QuestionScene, client: QuestionClient): readonly string[] | undefined {
  const looker = scene.client(1000);
  scene.ask(looker, AWAY, KEEP);
  return looker.peers.get(client.key)?.candidates;
}

test("what proved peers are is there after a restart: proofs, both families, what they say", () => {
  const disk = new Disk();
  const { scene, driver } = disk;
  const [both, six, four] = [scene.client(1), scene.client(2), scene.client(3)];
  const unproved = scene.client(4, { unproved: true });
  scene.ask(both, HOME, { candidates: SAID });
  driver.pass(3);
  scene.ask(both, SIX, { candidates: SAID, flags: PROBES_HARD });
  driver.pass(5);
  scene.ask(six, SIX.replace("3000", "3001"));
  scene.ask(four, AWAY, { flags: EASY });
  driver.pass(7);
  scene.ask(unproved, AWAY, { candidates: SAID.slice(1) });
  scene.ask1(idOf(9), "192.0.2.9 9");
  const expected = known(driver);
  assertEquals(expected.size, 5);
  for (const way of ["added", "whole"]) {
    if (way === "added") disk.add();
    else disk.write();
    const next = disk.start(0);
    assertEquals(known(next.driver), expected, way);
    assertEquals(next.driver.registry.peerCount, 5);
  }
});

test("a proved peer stays proved: nothing that isn't proved moves it after a restart", () => {
  for (const way of ["restart", "crash"]) {
    const disk = new Disk();
    const client = disk.scene.client(1);
    disk.scene.ask(client, HOME);
    if (way === "restart") disk.write();
    else disk.add();
    const next = disk.start(100);
    const thief = next.client(7, { unproved: true, id: client.id });
    assertEquals(next.ask(thief, AWAY, { candidates: SAID }).flags & 2, 0);
    assert(next.ask1(client.id, AWAY));
    const { counters } = next.driver.registry;
    assertEquals(counters.get("kept-proved"), 2, way);
    assertEquals(endpointOf(next, client), ["seen 198.51.100.1:1000"]);
    // Its own word counts, from the first question on.
    const again = next.client(1);
    next.ask(again, AWAY);
    assertEquals(again.peers.get(client.key)?.flags, RECORD_FLAG.proved | RECORD_FLAG.near);
    assertEquals(endpointOf(next, client), ["seen 203.0.113.9:2000"]);
  }
});

test("a question from before the start changes nothing after it, from wherever it comes", () => {
  for (const way of ["restart", "crash", "group gone and back"]) {
    const disk = new Disk();
    const { scene, driver } = disk;
    const client = scene.client(1);
    const heard: Uint8Array[] = [];
    const say = (from: string, candidates: readonly string[] = []) => {
      driver.pass(1);
      client.converse(driver.unix, { candidates }, (payload) => {
        heard.push(payload);
        return scene.send(payload, from);
      });
    };
    say(HOME);
    say(HOME, SAID);
    say(SIX);
    disk.write();
    say(AWAY, SAID.slice(1));
    say(HOME);
    disk.add();
    // Never heard by the one before: its answer was on the way to a client that knew the cookie.
    heard.push(client.ask(driver.unix));
    if (way === "restart") disk.write();
    const next = way === "group gone and back"
      ? scene
      : disk.start(1, disk.group, disk.file, driver.mono + 1);
    if (way === "group gone and back") {
      driver.registry.removeGroup(0, driver.mono);
      driver.addGroup(disk.group);
    }
    const before = known(next.driver);
    assertEquals(before.size, way === "group gone and back" ? 0 : 1);
    for (const from of [HOME, AWAY, SIX, "192.0.2.200 7"]) {
      for (const payload of heard) {
        const answers = next.send(payload, from);
        // A retry, no longer than the question.
        assert(answers.every(({ length }) => length <= payload.length));
        assert(answers.length <= 1);
      }
    }
    assertEquals(known(next.driver), before, way);
    assertEquals(
      next.driver.registry.counters.get("registered"),
      way === "group gone and back" ? 1 : 0,
    );
  }
});

test("whoever had subscribed is told to ask, and of moves again from its next question on", () => {
  const disk = new Disk();
  const subscribe = { flags: QUESTION_FLAG.subscribe };
  const [client, other] = [disk.scene.client(1), disk.scene.client(2)];
  disk.scene.ask(other, HOME);
  disk.scene.ask(client, AWAY, subscribe);
  for (const port of [1001, 1002, 1003]) {
    disk.driver.pass(1);
    disk.scene.ask(other, `198.51.100.1 ${port}`);
    for (const { bytes } of disk.scene.pushes()) client.hear(bytes);
  }
  assertEquals(client.ack, 3);
  disk.add();
  const next = disk.start();
  next.ask(other, HOME);
  const [asking, ...more] = next.pushes();
  assertEquals(more, []);
  assertEquals(client.hear(asking!.bytes)?.kind, "push");
  // It asks, and is told everything, since what it knew is of another EPOCH.
  const { whole, registered, subscribed } = ANSWER_FLAG;
  const answer = next.ask(client, AWAY, subscribe);
  assertEquals(answer.flags, whole | registered | subscribed);
  assertEquals(client.peers.get(other.key)?.candidates, ["seen 198.51.100.1:1000"]);
  next.driver.pass(1);
  next.ask(other, "198.51.100.1 1004");
  const pushes = next.pushes();
  assertEquals(pushes.length, 1);
  assertEquals(client.hear(pushes[0]!.bytes)?.kind, "push");
  assertEquals(client.peers.get(other.key)?.candidates, ["seen 198.51.100.1:1004"]);
});

test("what would be missed after a crash is written within seconds, all else seldom", () => {
  const disk = new Disk();
  const { scene, driver } = disk;
  const client = scene.client(1);
  disk.write();
  assertEquals(disk.patience, Infinity);
  const written = (from: string, candidates: readonly string[] = []) => {
    scene.ask(client, from, { candidates });
    const patience = disk.patience;
    return { patience, ...disk.add() };
  };
  const row = 70 + AROUND;
  const member = LEAST + AROUND;
  assertEquals(written(HOME), { patience: SOON, members: member, rows: row });
  // It was seen, and stays.
  for (let i = 0; i < 100; i++) {
    driver.pass(25);
    assertEquals(written(HOME), { patience: Infinity, members: 0, rows: 0 });
  }
  driver.pass(1);
  assertEquals(written(AWAY).members, 0);
  const six = LEAST + 4 * Math.ceil(SEEN_SIZE / 4) + AROUND;
  assertEquals(written(SIX), { patience: SOON, members: six, rows: 0 });
  assertEquals(written(SIX).members, 0);
  assertEquals(written(SIX, SAID).patience, SOON);
  assertEquals(written(SIX, SAID).members, 0);
  driver.pass(MAX_AGE / 8 + 1);
  const again = written(SIX, SAID);
  assertEquals(again, { patience: LATE, members: LEAST + 48 + AROUND, rows: 0 });
  // Of who has a row and nothing else, the row is enough.
  const plain = scene.client(5, { unproved: true });
  scene.ask(plain, AWAY);
  assertEquals(disk.add(), { members: 0, rows: row });
});

test("at an end in order, ages are as they were", () => {
  const disk = new Disk();
  const { scene, driver } = disk;
  const client = scene.client(1);
  scene.ask(client, SIX, { candidates: SAID });
  disk.write();
  driver.pass(1000);
  scene.ask(client, SIX, { candidates: SAID });
  const parts = partsOf(driver.registry);
  assertEquals(parts.map(({ wentOn }) => wentOn), [true, false, false]);
  disk.write();
  driver.pass(10);
  assertEquals(known(disk.start(0).driver), known(driver));
});

test("who is gone, too old, or not allowed any more is gone from the file", () => {
  const disk = new Disk({ maxAge: 1000 });
  const { scene, driver } = disk;
  const [old, young] = [scene.client(1), scene.client(2)];
  scene.ask(old, SIX);
  driver.pass(600);
  scene.ask(young, AWAY, { candidates: SAID });
  disk.add();
  assertEquals(known(disk.start(0).driver).size, 2);
  assertEquals([...known(disk.start(500).driver).keys()], [young.key]);
  const allowed = disk.start(0, { maxAge: 1000, allowed: [old.id] });
  assertEquals([...known(allowed.driver).keys()], [old.key]);
  driver.pass(500);
  driver.registry.expire(driver);
  assertEquals(disk.patience, SOON);
  assertEquals(disk.add(), { members: LEAST + AROUND, rows: 0 });
  assertEquals([...known(disk.start(0).driver).keys()], [young.key]);
  driver.configureGroup({ maxAge: 1000, allowed: [] });
  disk.add();
  assertEquals(known(disk.start(0).driver).size, 0);
  disk.write();
  assertEquals(disk.file.length, JOURNAL_HEAD);
});

test("a group that goes away takes its peers of wgsig 2 with it, and they don't come back", () => {
  const disk = new Disk();
  const { driver, scene } = disk;
  scene.ask(scene.client(1), SIX);
  disk.add();
  assertEquals(known(disk.start().driver).size, 1);
  driver.registry.removeGroup(0, driver.mono);
  disk.add();
  assertEquals(known(disk.start().driver).size, 0);
  // Nor where another start has no such group.
  const other = new Disk();
  other.scene.ask(other.scene.client(1), SIX);
  other.add();
  const without = new RegistryDriver({ groups: [{ id: 5 }] });
  restoreState(other.file, without.registry, other.driver);
  const parts = partsOf(without.registry);
  other.file = joinBytes([other.file, ...parts.map((each) => encodeChanges([each], other.driver))]);
  assertEquals(known(other.start().driver).size, 0);
});

test("where proof is required, who has proved nothing is not taken over", () => {
  const disk = new Disk();
  const { scene } = disk;
  const client = scene.client(1);
  scene.ask(client, HOME);
  scene.ask(scene.client(2, { unproved: true }), AWAY, { candidates: SAID });
  scene.ask1(idOf(3), AWAY);
  disk.write();
  const next = disk.start(1, { ...disk.group, proof: "required" });
  assertEquals([...known(next.driver).keys()], [client.key]);
  assertEquals(next.driver.held().length, 1);
  // In files from before, nobody had.
  const former = encodeFormerState(disk.driver.registry, disk.driver);
  const last = new RegistryDriver({ groups: [{ ...disk.group, proof: "required" }] });
  restoreState(former, last.registry, last);
  assertEquals(last.registry.peerCount, 0);
});

test("of more than there may be, those that have proved their keys are kept, then the newest", () => {
  const disk = new Disk();
  const { scene, driver } = disk;
  const unproved = [1, 2, 3, 4].map((number) => scene.client(number, { unproved: true }));
  const proved = [5, 6, 7].map((number) => scene.client(number));
  for (const client of [...proved, ...unproved]) {
    driver.pass(10);
    scene.ask(client, client === proved[1] ? SIX : HOME, { candidates: SAID });
  }
  for (let number = 20; number < 24; number++) scene.ask1(idOf(number), AWAY);
  const keysOf = (clients: readonly QuestionClient[]) => clients.map(({ key }) => key).sort();
  for (const way of ["added", "whole"]) {
    if (way === "added") disk.add();
    else disk.write();
    const cases = [[2, proved.slice(1)], [3, proved], [5, [
      ...proved,
      ...unproved.slice(2),
    ]]] as const;
    for (const [maxPeers, kept] of cases) {
      const next = disk.start(1, { ...disk.group, maxPeers });
      assertEquals([...known(next.driver).keys()].sort(), keysOf(kept), `${way} ${maxPeers}`);
      assertEquals(next.driver.registry.peerCount, maxPeers);
    }
  }
});

test("those that were heard last are kept longest, whatever they came from", () => {
  const disk = new Disk({ maxAge: 1000 });
  const { scene, driver } = disk;
  const keys: string[] = [];
  for (let number = 1; number <= 12; number++) {
    const unproved = number % 3 === 0;
    const client = scene.client(number, { unproved });
    if (number % 4 === 0) {
      scene.ask1(idOf(number), `192.0.2.${number} 9`);
      keys.push(formatKey(idOf(number)));
    } else {
      scene.ask(client, number % 2 === 0 ? `192.0.2.${number} 9` : SIX.replace("9 ", `${number} `));
      keys.push(client.key);
    }
    driver.pass(10);
  }
  disk.write();
  const next = disk.start(0);
  const { registry } = next.driver;
  for (let left = keys.length; left >= 0; left--) {
    assertEquals([...known(next.driver).keys()].sort(), keys.slice(keys.length - left).sort());
    next.driver.mono = 77 + 1000 - 10 * left + 5;
    registry.expire(next.driver);
  }
});

test("what was torn off the end of the file is missed, and nothing else", () => {
  const disk = new Disk();
  const { scene, driver } = disk;
  const first = scene.client(1);
  scene.ask(first, SIX, { candidates: SAID });
  disk.write();
  const whole = disk.file.length;
  const before = known(disk.start(0).driver);
  driver.pass(1);
  scene.ask(first, SIX.replace("3000", "3001"));
  scene.ask(scene.client(2), AWAY);
  disk.add();
  const after = known(disk.start(0).driver);
  assertEquals([before.size, after.size], [1, 2]);
  for (let size = whole; size < disk.file.length; size++) {
    const torn = known(disk.start(0, disk.group, disk.file.slice(0, size)).driver);
    // Each is there with its proof, or not at all.
    assert(torn.size >= 1 && torn.size <= 2);
    for (const { isProved } of torn.values()) assert(isProved, `${size}`);
  }
});

test("whatever stands in a batch, nothing is thrown and no proof is made up of another's bytes", () => {
  const content = fc.uint8Array({ minLength: 1, maxLength: 400 });
  fc.assert(fc.property(content, fc.boolean(), (random, isAimed) => {
    if (isAimed) random.fill(0, 0, 4);
    const driver = new RegistryDriver();
    const batch = encodeBatch("memb", random, driver);
    const file = joinBytes([journalHead(JOURNAL_HEAD + batch.length), batch]);
    const { isDamaged } = restoreState(file, driver.registry, driver);
    assertEquals(isDamaged, false);
    assert(known(driver).size <= Math.floor(random.length / LEAST));
    // And it is written as it was read.
    const again = new RegistryDriver();
    restoreState(encodeState(driver.registry, driver), again.registry, again);
    assertEquals([...known(again).keys()].sort(), [...known(driver).keys()].sort());
  }));
});

test("an entry whose age has no end changes nothing of who is kept of too many", () => {
  const scene = new QuestionScene();
  const { driver } = scene;
  const clients = [1, 2, 3, 4].map((peer) => scene.client(peer));
  for (const client of [...clients, clients[0]!]) {
    scene.ask(client, HOME);
    driver.pass(10);
  }
  const state = new WireBuffer(encodeState(driver.registry, driver));
  const [found] = readJournal(state).parts.get("memb")!;
  const content = new WireBuffer(state.bytes.slice(found!.at, found!.end));
  assertEquals(content.size, 4 + 4 * LEAST);
  const keys = [...known(driver).keys()];
  content.view.setFloat32(4 + LEAST + MEMBER_HEARD, Infinity);
  content.view.setFloat32(4 + 2 * LEAST + MEMBER_HEARD, -1);
  const batch = encodeBatch("memb", content.bytes, driver);
  const next = new RegistryDriver({ groups: [{ maxPeers: 1 }] });
  const file = joinBytes([journalHead(JOURNAL_HEAD + batch.length), batch]);
  restoreState(file, next.registry, next);
  // The first one was heard last.
  assertEquals([...known(next).keys()], [keys[0]!]);
});

test("whatever happens before it, a restart changes nothing that is told", () => {
  const froms = [HOME, AWAY, SIX, "2001:db8::77 9", "198.51.100.1 1001"];
  const pick = <T>(numbers: () => number, all: readonly T[]) =>
    all[Math.floor(numbers() * all.length)]!;
  for (let seed = 1; seed <= 20; seed++) {
    const numbers = seededNumbers(seed);
    const disk = new Disk({ maxAge: 500, maxPeers: 6 });
    const { scene, driver } = disk;
    const clients = Array.from(
      { length: 8 },
      (_, i) => scene.client(i + 1, { unproved: i % 3 === 0 }),
    );
    let lives = 0;
    for (let step = 0; step < 60; step++) {
      driver.pass(pick(numbers, [1, 5, 30]));
      driver.registry.expire(driver);
      const client = pick(numbers, clients);
      const candidates = SAID.slice(0, Math.floor(numbers() * 3));
      const kind = numbers();
      const flags = pick(numbers, [0, 0, EASY, PROBES_HARD]);
      if (kind < 0.7) scene.tell(client, pick(numbers, froms), { candidates, flags });
      else if (kind < 0.8) scene.ask1(client.id, pick(numbers, froms.slice(0, 2)));
      else if (kind < 0.9) disk.add();
      else disk.write();
      if (kind < 0.8) continue;
      const next = disk.start(0);
      assertEquals(places(next.driver), places(driver), `${seed} ${step}`);
      lives++;
    }
    assert(lives > 0);
  }
});
