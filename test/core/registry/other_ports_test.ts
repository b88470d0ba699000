import { assertEquals } from "@std/assert";
import { parseHostPort } from "../../../lib/core/net/host_port.ts";
import { OtherPorts } from "../../../lib/core/registry/other_ports.ts";
import { newPorts } from "../../../lib/wire/wgsig2/option.ts";
import { test } from "../../testing.ts";

/** The other ports of each of these. */
function othersOf(...places: readonly string[]): (readonly number[])[] {
  const other = new OtherPorts();
  other.configure(new Map(places.map((place, i) => [i, parseHostPort(place)!])));
  return places.map((_, i) => {
    const list = newPorts();
    list.count = 3;
    other.read(i, list);
    return [...list.ports.subarray(0, list.count)];
  });
}

test("other ports of a socket are those on its address, or on all of its family", () => {
  assertEquals(othersOf("192.0.2.1:1"), [[]]);
  assertEquals(othersOf("192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:3"), [[2], [1], []]);
  assertEquals(othersOf("0.0.0.0:1", "0.0.0.0:2", "[::]:1", "[::]:4"), [[2], [1], [4], [1]]);
  // A socket beside the one for all addresses; what listens on one of these isn't told to others.
  assertEquals(othersOf("0.0.0.0:1", "192.0.2.1:1", "0.0.0.0:2", "192.0.2.1:5"), [
    [2],
    [5, 2],
    [1],
    [1, 2],
  ]);
  assertEquals(othersOf("[2001:db8::1]:1", "0.0.0.0:2", "[::]:3"), [[3], [], []]);
});

test("four of them are told, and none of a socket that isn't known", () => {
  const places = [1, 2, 3, 4, 5, 6].map((port) => `192.0.2.1:${port}`);
  assertEquals(othersOf(...places)[0], [2, 3, 4, 5]);
  assertEquals(othersOf(...places)[5], [1, 2, 3, 4]);
  const list = newPorts();
  list.count = 2;
  new OtherPorts().read(0, list);
  assertEquals(list.count, 0);
});
