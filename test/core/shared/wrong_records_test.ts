/** What becomes of records in the store that no registry with the same key has made. */

import { assert, assertEquals } from "@std/assert";
import { WrongRecords } from "../../../lib/core/shared/wrong_records.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { idOf, SharingScene } from "../../support/sharing_scene.ts";
import { test } from "../../testing.ts";

const A = idOf(1);
const HOME = "203.0.113.7 51820";

test("shared: a wrong MAC is replaced once, by what is known of the peer", () => {
  const scene = new SharingScene();
  const [first] = scene.registries;
  first!.ask1(A, HOME, scene.label());
  const before = first!.shared.take(first!.clock, first!.driver)!;
  const { record } = before.records[0]!;
  assertEquals(before.records[0]!.wrong, undefined);
  assertEquals(first!.shared.written(), 0);
  // A later label, and the MAC of the earlier one.
  const forged = record.slice();
  forged[2 + 7]! += 1;
  const mac = forged.slice(-16);
  const apply = () => first!.shared.apply(0, A, forged, first!.clock, first!.driver, false);
  apply();
  const replacing = first!.shared.take(first!.clock, first!.driver)!;
  assertEquals(replacing.records[0]!.wrong, mac);
  // What may not have arrived is sent once more, with the same.
  first!.shared.lost();
  const again = first!.shared.take(first!.clock, first!.driver)!;
  assertEquals(again.records[0]!.wrong, mac);
  // While that is on its way, there is another one.
  const other = forged.slice();
  other[other.length - 1]! ^= 2;
  first!.shared.apply(0, A, other, first!.clock, first!.driver, false);
  first!.shared.written();
  const both = first!.shared.take(first!.clock, first!.driver)!;
  assertEquals(both.records[0]!.wrong, Uint8Array.from([...mac, ...other.slice(-16)]));
  first!.shared.written();
  apply();
  assert(!first!.shared.isDirty, "it is replaced again and again");

  // The store keeps another one, as it says when it is written to.
  forged[forged.length - 1]! ^= 1;
  first!.shared.take(first!.clock, first!.driver);
  first!.shared.written([{ id: A, record: forged }]);
  const kept = first!.shared.take(first!.clock, first!.driver)!;
  assertEquals(kept.records[0]!.wrong, forged.slice(-16));
  first!.shared.written([{ id: A, record: record }, { id: A, record: new Uint8Array(3) }]);
  assert(!first!.shared.isDirty, "what is right is nothing to be replaced");
  assertEquals(first!.of(A), "203.0.113.7:51820");
});

test("shared: of what is wrong, so much is known", () => {
  const wrong = new WrongRecords();
  const note = (peer: number, mac: number) => {
    const buffer = new WireBuffer(20);
    buffer.view.setUint32(4, mac);
    return wrong.note(peer, buffer, 4);
  };
  assert(note(1, 1) && note(1, 2) && note(1, 3) && note(1, 4));
  assertEquals(wrong.of(1)?.length, 3 * 16);
  assert(!note(2, 4), "it is known");
  for (let peer = 2; peer <= 1024; peer++) assert(note(peer, 100 + peer));
  assert(!note(1025, 5), "so many wait");
  wrong.forget(1);
  assertEquals(wrong.of(1), undefined);
  for (let i = 0; i < 4096; i++) {
    assert(note(1, 10_000 + i));
    wrong.forget(1);
  }
  assert(note(1, 1), "the oldest are forgotten");
});
