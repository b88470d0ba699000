/** A peer behind a NAT that shows each registry another port, and that proves its key later. */

import { assertEquals } from "@std/assert";
import { SharingScene } from "../../support/sharing_scene.ts";
import { test } from "../../testing.ts";

test("shared: a first proof counts from where it came, whatever others have seen before", () => {
  const scene = new SharingScene();
  const [first, second] = scene.registries;
  const { id } = second!.client(1);
  const isUnproved = true;
  second!.ask2(1, "192.0.2.7 5000", scene.unix, {}, isUnproved);
  scene.settle();
  scene.pass(1);
  first!.ask2(1, "192.0.2.7 6000", scene.unix, {}, isUnproved);
  scene.settle();
  assertEquals(second!.of(id), "192.0.2.7:6000");
  scene.pass(1);
  second!.ask2(1, "192.0.2.7 5000", scene.unix, {}, isUnproved);
  assertEquals(second!.of(id), "192.0.2.7:6000", "both ports are its own");
  scene.pass(1);
  second!.ask2(1, "192.0.2.7 5000", scene.unix);
  assertEquals(second!.of(id), "192.0.2.7:5000, proved");
  scene.settle();
  assertEquals(first!.of(id), "192.0.2.7:5000, proved");
});
