/** Whatever members do, in whatever order: what is told stays true, and nothing throws. */

import { assert, assertEquals } from "@std/assert";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import type { QuestionClient } from "../../support/question_driver.ts";
import { KEEP, QuestionScene } from "../../support/question_scene.ts";
import { seededNumbers } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const { keep, subscribe } = QUESTION_FLAG;
const PLACES = [
  "198.51.100.1 1",
  "198.51.100.1 2",
  "203.0.113.9 3",
  "2001:db8::7 4",
  "2001:db8:1::7 5",
];
const CANDIDATES = [[], ["lan 192.168.1.2:5"], ["mapped 203.0.113.9:9", "lan 10.0.0.1:1"]];
const PEERS = 8;

function storm(seed: number): void {
  const next = seededNumbers(seed);
  const pick = (count: number) => Math.floor(next() * count);
  const scene = new QuestionScene({ maxPeers: 5, maxAge: 60 });
  const { driver } = scene;
  const clients: QuestionClient[] = [];
  for (let i = 0; i < PEERS; i++) {
    clients.push(scene.client(i), scene.client(i, { unproved: true }));
  }
  for (let step = 0; step < 100; step++) {
    const client = clients[pick(clients.length)]!;
    const from = PLACES[pick(PLACES.length)]!;
    switch (pick(9)) {
      case 0:
        driver.pass(pick(40));
        driver.registry.expire(driver);
        break;
      case 1:
        scene.ask1(client.id, PLACES[pick(3)]!, pick(3));
        break;
      case 2:
        driver.configureGroup({
          maxPeers: 5,
          maxAge: 30 + pick(60),
          ...pick(8) === 0 ? { proof: "required" } as const : {},
        });
        break;
      default: {
        driver.pass(0.1);
        const flags = (pick(3) === 0 ? keep : 0) | (pick(2) === 0 ? subscribe : 0);
        scene.tell(client, from, { flags, candidates: CANDIDATES[pick(3)]! });
      }
    }
    driver.pass(0.05);
    for (const { bytes } of scene.pushes()) for (const each of clients) each.hear(bytes);
    const { members } = driver.group();
    const { directory } = members;
    if (directory === undefined) continue;
    const numbers = Array.from({ length: directory.end }, (_, peer) => peer);
    const peers = numbers.filter((peer) => directory.isThere(peer));
    assertEquals(peers.length, directory.count);
    assert(directory.count <= 5);
    assertEquals(new Set(peers).size, peers.length);
    for (const peer of peers) {
      assertEquals(directory.find(directory.ids, directory.idAt(peer)), peer);
      const row = directory.rowOf(peer);
      if (row >= 0) assertEquals(directory.peerOf(row), peer);
    }
    assertEquals(peers.filter((peer) => directory.rowOf(peer) >= 0).length, members.table.count);
    assert(directory.pushes.subscriptions.count <= directory.count);
  }
  // Who knows something and asks is told the same as who knows nothing.
  driver.pass(0.1);
  const fresh = scene.client(50, { unproved: true });
  scene.ask(fresh, "192.0.2.77 7", KEEP);
  // Nobody is near to who comes from there.
  const lan = [...fresh.peers.values()].flatMap(({ candidates }) => candidates);
  assertEquals(lan.filter((each) => each.startsWith("lan ")), []);
  const expected = [...fresh.peers.keys()].sort();
  for (const client of clients.filter((_, i) => i % 2 === 0)) {
    driver.pass(0.1);
    const heard = scene.tell(client, "192.0.2.77 8", KEEP);
    if (heard?.kind !== "answer") continue;
    assertEquals([...client.peers.keys()].sort(), expected, `${seed} ${client.key}`);
  }
}

test("tables stay whole whatever members do, and all are told the same in the end", () => {
  for (let seed = 1; seed <= 6; seed++) storm(seed);
});
