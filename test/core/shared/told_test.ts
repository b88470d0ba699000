/** Who is told of what was taken over from other registries: followers, and the disk. */

import { assert, assertEquals } from "@std/assert";
import { labelOf } from "../../../lib/wire/wgsig/tai64n.ts";
import { idOf, SharingScene } from "../../support/sharing_scene.ts";
import { test } from "../../testing.ts";

const HOME = "192.0.2.7 51820";

test("shared: whatever changes of a peer that is known is a change to who follows, once", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  first!.ask2(1, HOME, scene.unix);
  scene.settle();
  second!.ask2(2, "198.51.100.9 4500", scene.unix);
  const { log } = second!.driver.group().members.directory!;
  const changes: readonly (readonly [string, readonly string[], number])[] = [
    ["203.0.113.5 99", [], 1],
    ["203.0.113.5 99", [], 0],
    ["2001:db8::7 51820", [], 1],
    ["2001:db8::8 51820", [], 1],
    ["203.0.113.5 99", ["lan 10.0.0.1:1"], 1],
    ["203.0.113.5 99", [], 1],
  ];
  for (const [from, candidates, expected] of changes) {
    scene.pass(1);
    const { version } = log;
    first!.ask2(1, from, scene.unix, { candidates });
    scene.settle();
    assertEquals(log.version - version, expected, `${from} ${candidates}`);
  }
});

test("shared: a label ahead of the clock that another registry has heard goes to the disk", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  const id = idOf(1);
  second!.driver.registry.keepChanges("rows");
  assert(first!.ask1(id, HOME, labelOf(scene.unix + 20)));
  scene.settle();
  const { changes, table } = second!.driver.group().members;
  assertEquals(changes!.aheadOf(table.oldest), 20);
});
