import { assertEquals, assertThrows } from "@std/assert";
import { formatLeaseAddress } from "../../../../lib/core/lease/address.ts";
import { StaticPrefixes } from "../../../../lib/core/lease/server/static.ts";
import { test } from "../../../testing.ts";

function staticsOf(...pools: string[]) {
  const statics = new StaticPrefixes(pools);
  return {
    statics,
    set(owner: string, ...prefixes: string[]) {
      const { taken, freed, rangesChanged } = statics.set(owner, prefixes);
      return [...taken.map((each) => `+${formatLeaseAddress(each)}`)]
        .concat(freed.map((each) => `-${formatLeaseAddress(each)}`))
        .concat(rangesChanged ? ["ranges"] : []);
    },
  };
}

test("addresses in the pools come and go with their owners", () => {
  const { set } = staticsOf("10.0.0.0/24", "fd00::/64");
  assertEquals(set("A", "10.0.0.1/32", "10.9.0.1/32", "fd00::1/128", "fe80::a/128"), [
    "+10.0.0.1",
    "+fd00::1",
  ]);
  assertEquals(set("B", "10.0.0.1", "10.0.0.2"), ["+10.0.0.2"]);
  assertEquals(set("A", "10.0.0.3/32"), ["+10.0.0.3", "-fd00::1"]);
  assertEquals(set("B"), ["-10.0.0.1", "-10.0.0.2"]);
  assertEquals(set("B"), []);
  assertEquals(set("A", "10.0.0.3/32"), []);
});

test("ranges count where they lie in a pool and don't hold it", () => {
  const { statics, set } = staticsOf("10.0.0.0/16", "fd00::/64", "10.5.0.7/32");
  assertEquals(set("A", "10.0.0.0/8", "0.0.0.0/0", "::/0", "192.168.7.0/24"), []);
  assertEquals(set("B", "10.0.7.0/24", "fd00::8/125"), ["ranges"]);
  assertEquals(statics.ranges, ["10.0.7.0/24", "fd00::8/125"]);
  assertEquals(set("B", "fd00::8/125"), ["ranges"]);
  assertEquals(set("B", "fd00::8/125"), []);
  assertEquals(set("C", "10.5.0.7/32"), ["+10.5.0.7"]);
  assertEquals(set("B"), ["ranges"]);
  assertEquals(statics.ranges, []);
});

test("what is no prefix changes nothing", () => {
  const { statics, set } = staticsOf("10.0.0.0/24");
  set("A", "10.0.0.1");
  assertThrows(() => statics.set("A", ["10.0.0.2", "x"]), SyntaxError);
  assertEquals(set("A"), ["-10.0.0.1"]);
  assertThrows(() => new StaticPrefixes(["x"]), SyntaxError);
});
