/** What is kept of subscriptions over a restart and a crash. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NONE } from "../../../lib/core/net/none.ts";
import { encodeBatch } from "../../../lib/core/store/journal_file.ts";
import { encodeChanges } from "../../../lib/core/store/encoding.ts";
import { joinBytes, WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { idOf } from "../../support/fake_random.ts";
import type { Asking, QuestionClient } from "../../support/question_driver.ts";
import { QuestionScene } from "../../support/question_scene.ts";
import { type DriverGroup, RegistryDriver } from "../../support/registry_driver.ts";
import { encodeState, partsOf, restoreState } from "../../support/saved_state.ts";
import { test } from "../../testing.ts";

const HOME = "198.51.100.1 1000";
const SIX = "2001:db8:1:2::9 3000";
const AWAY = "203.0.113.9 2000";
const SUBSCRIBE = { flags: QUESTION_FLAG.subscribe } as const;
const MAX_AGE = 86_400;
/** Bytes of an entry that wants everybody, and of what a batch has around its entries. */
const ENTRY = 84;
const AROUND = 24 + 4;

/** A registry, and its file as a crash would leave it. */
class Disk {
  readonly scene: QuestionScene;
  file: Uint8Array;
  readonly #group: DriverGroup;
  readonly #parts;
  #starts: number;

  constructor(
    group: DriverGroup = { maxAge: MAX_AGE },
    scene = new QuestionScene(group),
    file?: Uint8Array,
    starts = 1,
  ) {
    this.scene = scene;
    this.#group = group;
    this.#starts = starts;
    this.#parts = partsOf(scene.driver.registry);
    this.file = file ?? encodeState(scene.driver.registry, scene.driver);
  }

  /** How long subscriptions may wait for the disk. */
  get patience(): number {
    return this.#parts[2]!.patience;
  }

  /** Adds what has changed. @returns How many bytes those of subscriptions are. */
  add(): number {
    const added = this.#parts.map((part) => encodeChanges([part], this.scene.driver));
    this.file = joinBytes([this.file, ...added]);
    return added[2]!.length;
  }

  /** A registry that is started with the file as it is, some time later. */
  start(seconds = 1, group = this.#group): Disk {
    const { driver } = this.scene;
    const next = new RegistryDriver({ groups: [group], seed: ++this.#starts });
    next.unix = driver.unix + seconds;
    next.mono = 77;
    const { isDamaged } = restoreState(this.file, next.registry, next);
    assertEquals(isDamaged, false);
    for (const each of next.registry.groups.values()) each.distrustBefore(next.mono);
    return new Disk(group, new QuestionScene(group, next), this.file, this.#starts);
  }
}

/** A client that has subscribed. */
function subscribe(disk: Disk, from = HOME, asking: Asking = {}, number = 1): QuestionClient {
  const client = disk.scene.client(number);
  disk.scene.ask(client, from, { ...SUBSCRIBE, ...asking });
  return client;
}

/** What is pushed: `to COUNTER`, or `to nothing` where it isn't for the client. */
function pushed({ scene }: Disk, client: QuestionClient): string[] {
  return scene.pushes().map(({ bytes, to }) => {
    const heard = client.hear(bytes);
    if (heard === undefined) return `${to} nothing`;
    assert(heard.kind === "push");
    return `${to} ${heard.counter}`;
  });
}

/** Something changes. */
function change({ scene }: Disk, id = idOf(7)): void {
  const port = 2000 + Math.floor(scene.driver.mono);
  assert(scene.ask1(id, `203.0.113.9 ${port}`));
}

test("after a restart, a push comes before the next question, from the socket that was asked", () => {
  for (const from of [HOME, SIX]) {
    const disk = new Disk();
    disk.scene.socket = 3;
    const client = subscribe(disk, from);
    const begun = client.subscribed;
    disk.add();
    // It goes on asking; what it began with counts.
    for (let i = 0; i < 3; i++) {
      disk.scene.driver.pass(25);
      disk.scene.ask(client, from, SUBSCRIBE);
    }
    change(disk);
    const to = from === HOME ? "198.51.100.1:1000 #3" : "[2001:db8:1:2::9]:3000 #3";
    assertEquals(pushed(disk, client), [`${to} 1`]);
    for (const file of ["added", "whole"]) {
      if (file === "whole") disk.file = encodeState(disk.scene.driver.registry, disk.scene.driver);
      const next = disk.start();
      client.subscribed = begun;
      assertEquals(pushed(next, client), []);
      change(next);
      const [push, ...more] = pushed(next, client);
      assertEquals(more, []);
      assert(push?.startsWith(to) && Number(push.split(" ").at(-1)) > 1, push);
      assertEquals(next.scene.driver.registry.counters.get("exchanges"), 1);
    }
  }
});

test("who proves nothing and wants few is pushed to after a restart as well, of these alone", () => {
  const disk = new Disk();
  const client = disk.scene.client(1, { unproved: true });
  disk.scene.ask(client, HOME, { ...SUBSCRIBE, wants: [idOf(7), idOf(8)] });
  assertEquals(disk.add(), AROUND + ENTRY + 16);
  const next = disk.start();
  change(next, idOf(9));
  assertEquals(pushed(next, client), []);
  change(next, idOf(8));
  assertEquals(pushed(next, client), ["198.51.100.1:1000 #0 1025"]);
});

test("a question that renews a subscription costs the disk nothing, one that begins another does", () => {
  const disk = new Disk();
  const client = subscribe(disk);
  assertEquals(disk.patience, 2);
  assertEquals(disk.add(), AROUND + ENTRY);
  assertEquals(disk.patience, Infinity);
  const ask = (seconds: number, from = HOME, asking: Asking = {}) => {
    disk.scene.driver.pass(seconds);
    disk.scene.ask(client, from, { ...SUBSCRIBE, ...asking });
    return disk.add();
  };
  for (let i = 0; i < 50; i++) assertEquals(ask(25), 0);
  assertEquals(ask(181), AROUND + ENTRY);
  assertEquals(ask(180), 0);
  assertEquals(ask(25, AWAY), AROUND + ENTRY);
  assertEquals(ask(25, AWAY), 0);
  assertEquals(ask(25, AWAY, { wants: [idOf(7)] }), AROUND + ENTRY + 8);
  assertEquals(ask(25, AWAY, { wants: [idOf(7)] }), 0);
  assertEquals(ask(25, AWAY, { wants: [idOf(8)] }), AROUND + ENTRY + 8);
  assertEquals(ask(25, AWAY, { wants: [] }), AROUND + ENTRY);
  assertEquals(ask(25, AWAY), AROUND + ENTRY);
  disk.scene.socket = 1;
  assertEquals(ask(25, AWAY), AROUND + ENTRY);
  assertEquals(ask(25, AWAY), 0);
});

test("what has ended is not there after a restart", () => {
  const ends: Readonly<Record<string, (disk: Disk, client: QuestionClient) => void>> = {
    "by its client": ({ scene }, client) => void scene.ask(client, HOME),
    "with its peer": ({ scene: { driver } }) => {
      driver.pass(MAX_AGE + 1);
      driver.registry.expire(driver);
    },
    "with its group": ({ scene: { driver } }) => void driver.registry.removeGroup(0, driver.mono),
  };
  for (const [how, end] of Object.entries(ends)) {
    const disk = new Disk();
    const client = subscribe(disk);
    disk.add();
    end(disk, client);
    disk.add();
    const next = disk.start();
    const { members } = next.scene.driver.group(0);
    assertEquals(members.directory?.pushes.subscriptions.count ?? 0, 0, how);
  }
  const disk = new Disk();
  subscribe(disk);
  disk.add();
  assertEquals(disk.start().scene.driver.group(0).members.directory!.pushes.subscriptions.count, 1);
});

test("what can't go on is forgotten, and nothing else is taken for it", () => {
  const disk = new Disk();
  const client = subscribe(disk);
  disk.add();
  // With another secret, nothing that the client can read is pushed, and that not for long.
  const secret = new Uint8Array(32).fill(9);
  const { scene } = disk.start(1, { maxAge: MAX_AGE, secret });
  for (let i = 0; i < 30; i++) {
    scene.driver.pass(1);
    scene.ask(scene.client(2 + i, { secret }), AWAY);
    for (const { bytes } of scene.pushes()) assertEquals(client.hear(bytes), undefined);
  }
  assertEquals(scene.driver.registry.counters.get("pushed"), 4);
  // Without its peer, nobody is subscribed, and the disk hears of that.
  const next = disk.start(MAX_AGE + 1);
  assertEquals(next.scene.driver.group(0).members.directory!.pushes.subscriptions.count, 0);
  assertEquals(next.add(), AROUND + ENTRY);
});

test("whatever an entry says is taken or left out, and takes no other one with it", () => {
  const disk = new Disk();
  const client = subscribe(disk);
  subscribe(disk, AWAY, {}, 2);
  disk.add();
  const entry = fc.tuple(fc.boolean(), fc.uint8Array({ minLength: 1, maxLength: 400 }))
    .map(([isOurs, bytes]) => isOurs ? joinBytes([client.id, bytes]) : bytes);
  fc.assert(fc.property(fc.array(entry, { maxLength: 4 }), (entries) => {
    const { driver } = disk.scene;
    const batches = entries.map((each) =>
      encodeBatch("subs", joinBytes([new Uint8Array(4), each]), driver)
    );
    const next = new RegistryDriver({ groups: [{ maxAge: MAX_AGE }] });
    next.unix = driver.unix;
    const { isDamaged } = restoreState(joinBytes([disk.file, ...batches]), next.registry, next);
    assertEquals(isDamaged, false);
    const { directory } = next.group(0).members;
    const { subscriptions } = directory!.pushes;
    const other = directory!.find(new WireBuffer(disk.scene.client(2).id), 0);
    assert(subscriptions.of(other) !== NONE);
    assert(subscriptions.count <= 2);
    const scene = new QuestionScene({}, next);
    assert(scene.ask1(idOf(7), AWAY));
    assert(scene.pushes().length <= 2);
  }));
});

test("nobody knows whether a client is still there: four pushes, until it asks", () => {
  const disk = new Disk();
  const client = subscribe(disk);
  const begun = client.subscribed;
  disk.add();
  const next = disk.start();
  const counters: string[] = [];
  for (let i = 0; i < 20; i++) {
    next.scene.driver.pass(1);
    change(next);
    counters.push(...pushed(next, client));
  }
  assertEquals(counters, [1025, 1026, 1027, 1028].map((each) => `198.51.100.1:1000 #0 ${each}`));
  // Its question begins it anew.
  client.ack = 1028;
  next.scene.ask(client, HOME, SUBSCRIBE);
  assert(client.subscribed !== begun);
  for (let i = 0; i < 10; i++) {
    change(next);
    assertEquals(pushed(next, client), [`198.51.100.1:1000 #0 ${1029 + i}`]);
  }
  assertEquals(next.add() > 0, true);
  const third = next.start();
  change(third);
  assertEquals(pushed(third, client).length, 1);
  client.subscribed = begun;
  change(third);
  assertEquals(pushed(third, client), ["198.51.100.1:1000 #0 nothing"]);
});

test("a COUNTER that was used doesn't come back, whenever the registry is killed", () => {
  // How many pushes there are, and how often the disk is written meanwhile.
  const lives = fc.array(
    fc.record({ pushes: fc.integer({ min: 1, max: 40 }), asks: fc.boolean() }),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(
    fc.property(lives, (lives) => {
      let disk = new Disk();
      const client = subscribe(disk);
      disk.add();
      let begun = client.subscribed;
      let last = 0;
      lives.forEach(({ pushes, asks }, life) => {
        for (let i = 0; i < pushes; i++) {
          change(disk);
          for (const each of pushed(disk, client)) {
            const counter = Number(each.split(" ").at(-1));
            assert(counter > last, `${counter} after ${last}`);
            last = counter;
          }
        }
        if (asks) {
          client.ack = last;
          disk.scene.ask(client, HOME, SUBSCRIBE);
          // The first question after a start begins it anew.
          if (life > 0) begun = client.subscribed;
        }
        disk.add();
        disk = disk.start();
        client.subscribed = begun;
      });
    }),
    { numRuns: 5 },
  );
});

test("COUNTERs are kept ahead of those that are used, and anew before they end", () => {
  const disk = new Disk();
  const client = subscribe(disk);
  const begun = client.subscribed;
  disk.add();
  let written = 0;
  for (let counter = 1; counter <= 700; counter++) {
    change(disk);
    assertEquals(pushed(disk, client), [`198.51.100.1:1000 #0 ${counter}`]);
    if (counter % 10 === 0) disk.scene.ask(client, HOME, SUBSCRIBE);
    // Some hundred more may come before it is on the disk.
    if (counter % 100 === 99) written += disk.add() > 0 ? 1 : 0;
    if (counter % 350 !== 0) continue;
    const last = client.subscribed;
    client.subscribed = begun;
    const next = disk.start();
    change(next);
    const [push = ""] = pushed(next, client);
    assert(Number(push.split(" ").at(-1)) > counter, push);
    client.subscribed = last;
    client.ack = counter;
  }
  assertEquals(written, 1);
});
