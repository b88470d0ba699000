/**
 * Whatever is lost, late, twice or in another order between registries and their store: they come to
 * the same, nothing proved is lost, and nothing unproved takes its place.
 */

import { assert, assertEquals } from "@std/assert";
import { SharedGroup } from "../../../lib/core/shared/shared_group.ts";
import { MAX_SHARED_SIZE } from "../../../lib/wire/shared/record.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import type { Label } from "../../../lib/wire/wgsig/tai64n.ts";
import { QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { hex } from "../../support/bytes.ts";
import { seededNumbers } from "../../support/seeded_random.ts";
import { twinIsProved, twinMerge, twinRegisters } from "../../support/shared_twin.ts";
import {
  idOf,
  type Outcome,
  type SharingRegistry,
  SharingScene,
} from "../../support/sharing_scene.ts";
import { test } from "../../testing.ts";

const PLACES = [
  "192.0.2.7 1000",
  "192.0.2.7 1001",
  "192.0.2.7 1002",
  "198.51.100.9 4500",
  "203.0.113.5 4500",
];
const IPV6 = ["2001:db8::7 51820", "2001:db8:1::7 51820"];
const CANDIDATES = [[], [], ["lan 192.168.1.2:5"], ["mapped 203.0.113.9:9", "lan 10.0.0.1:1"]];
const OUTCOMES: readonly Outcome[] = ["written", "written", "written", "lost", "unknown", "late"];
/** Peers of the first protocol, of the second, and of the second that prove nothing. */
const FIRST = 3;
const SECOND = 3;
const UNPROVED = 2;

/** What a registry would write of its peers if it wrote everything, by ID; without MACs. */
function everything({ driver, clock }: SharingRegistry): Map<string, Uint8Array> {
  const { directory, sharing } = driver.group().members;
  assert(sharing instanceof SharedGroup && directory !== undefined);
  const records = new Map<string, Uint8Array>();
  directory.visit((peer) => {
    const buffer = new WireBuffer(MAX_SHARED_SIZE);
    let kinds = 0;
    let end = 2;
    for (let place = 0; place < 3; place++) {
      if (!sharing.writer.write(peer, place, buffer, end)) continue;
      const heard = clock.toStore(sharing.writer.heardAt(peer, place));
      buffer.view.setFloat64(end + 12, heard);
      kinds |= 1 << place;
      end += 38 + buffer.bytes[end + 21]!;
    }
    buffer.bytes.set([1, kinds]);
    const at = directory.idAt(peer);
    records.set(hex(directory.ids.bytes.slice(at, at + 32)), buffer.bytes.slice(0, end));
  });
  return records;
}

/** Contents of records: neither labels nor times nor MACs. */
function contents(records: ReadonlyMap<string, Uint8Array>): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, record] of [...records].sort(([a], [b]) => a < b ? -1 : 1)) {
    const text = [...twinRegisters(record) ?? []].map(([kind, register]) =>
      `${kind}: ${hex(register.subarray(20, 22 + register[21]!))}`
    );
    // Who says nothing may have no register for that, or an empty one.
    texts.set(name, text.filter((each) => !/^4: 0[01]00$/.test(each)).join(", "));
  }
  return texts;
}

function storm(seed: number, steps: number): void {
  const next = seededNumbers(seed);
  const pick = (count: number) => Math.floor(next() * count);
  const one = <T>(list: readonly T[]): T => list[pick(list.length)]!;
  const skews = Array.from({ length: 2 + pick(3) }, () => pick(3) === 0 ? pick(20) - 10 : 0);
  const scene = new SharingScene(skews, { maxAge: 3600 });
  const late: (() => void)[] = [];
  const requests: { readonly id: Uint8Array; readonly label: Label }[] = [];
  /** Who is known to be proved, by registry. */
  const proved = scene.registries.map(() => new Set<string>());
  for (let step = 0; step < steps; step++) {
    scene.pass(0.02 + next() * (pick(10) === 0 ? 40 : 1));
    const number = pick(scene.registries.length);
    const registry = scene.at(number);
    const peer = pick(FIRST + SECOND + UNPROVED);
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (peer < FIRST) {
          const request = { id: idOf(peer), label: scene.label() };
          requests.push(request);
          registry.ask1(request.id, one(PLACES), request.label, pick(3));
        } else {
          const from = pick(3) === 0 ? one(IPV6) : one(PLACES);
          const flags = pick(4) === 0 ? QUESTION_FLAG.probes : 0;
          const isUnproved = peer >= FIRST + SECOND;
          registry.ask2(peer, from, scene.unix, { flags, candidates: one(CANDIDATES) }, isUnproved);
        }
        break;
      case 4: {
        if (requests.length > 0 && pick(2) === 0) {
          // A request is played back, to whatever registry.
          const { id, label } = one(requests.slice(-5));
          registry.ask1(id, one(PLACES), label);
          break;
        }
        // Somebody who knows the secret speaks for another.
        const other = FIRST + pick(SECOND);
        if (pick(2) === 0) registry.ask2(other, one(PLACES), scene.unix, {}, true);
        else registry.ask1(registry.client(other).id, one(PLACES), scene.label());
        break;
      }
      case 5:
      case 6:
        registry.write(one(OUTCOMES), (write) => late.push(write));
        break;
      case 7:
      case 8:
        registry.follow(1 + pick(4));
        break;
      case 9:
        // Something is heard again, or before it is its turn.
        if (scene.store.stream.length > 0) registry.hear(pick(scene.store.stream.length));
        break;
      case 10:
        if (late.length > 0) late.splice(pick(late.length), 1)[0]!();
        break;
      default:
        switch (pick(6)) {
          case 0:
            scene.restart(number);
            proved[number]!.clear();
            scene.at(number).scan();
            break;
          case 1:
            scene.store.peers.clear();
            for (const each of scene.registries) each.scan();
            break;
          default:
            registry.scan();
        }
    }
    // Nothing unproved takes the place of what is proved, here
    const records = everything(scene.at(number));
    for (const id of proved[number]!) {
      const registers = twinRegisters(records.get(id) ?? new Uint8Array());
      assert(registers === undefined || twinIsProved(registers), `${id} was proved`);
      assert(scene.at(number).view().get(id)?.endsWith("proved"), `${id} is gone`);
    }
    for (const [id, text] of scene.at(number).view()) {
      if (text.endsWith("proved")) proved[number]!.add(id);
    }
  }
  for (const write of late) write();
  // What all of them know, and the store, is what there is in the end.
  const expected = new Map<string, Uint8Array>();
  const merge = (id: string, record: Uint8Array) => {
    const before = expected.get(id) ?? new Uint8Array();
    expected.set(id, twinMerge(before, record).record);
  };
  for (const { id, record } of scene.store.peers.values()) merge(hex(id), record);
  for (const registry of scene.registries) {
    for (const [id, record] of everything(registry)) merge(id, record);
  }
  const dirty = scene.registries.map((each) => each.shared.behind);
  // Nobody has to read everything for that.
  if (seed % 2 === 0) { for (const each of scene.registries) each.scan(); }
  scene.settle();
  for (const each of scene.registries) {
    assertEquals(contents(everything(each)), contents(expected), `seed ${seed}, ${dirty}`);
    assertEquals(each.view(), scene.at(0).view());
    assertEquals(each.shared.behind, 0);
  }
  const stored = new Map(
    [...scene.store.peers.values()].map(({ id, record }) => [hex(id), record]),
  );
  assertEquals(contents(stored), contents(expected), `seed ${seed}`);
  // Nobody has anything to add to that, and who knows nothing comes to the same.
  const changes = scene.store.stream.length;
  for (const each of scene.registries) each.scan();
  scene.settle();
  assertEquals(scene.store.stream.length, changes);
  const fresh = scene.restart(0);
  fresh.scan();
  assertEquals(fresh.view(), scene.at(1).view());
}

test("shared: registries come to the same, whatever becomes of what they write and read", () => {
  for (let seed = 1; seed <= 20; seed++) storm(seed, 100);
});
