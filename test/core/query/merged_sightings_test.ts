/** What several servers say of a peer: the newest counts, and a dead one keeps nobody where it was. */

import { assertEquals } from "@std/assert";
import type { Sighting } from "../../../lib/core/ask/sighting.ts";
import { mergeSightings } from "../../../lib/core/query/merged_sightings.ts";
import type { ServerStatus } from "../../../lib/core/query/query_result.ts";
import { test } from "../../testing.ts";

function seen(server: string, port: number, seconds: number | undefined, key = "bob"): Sighting {
  return { publicKey: key, address: "192.0.2.9", port, seconds, nanoseconds: 0, server };
}

const UNIX = 300.5;

function merged(
  all: Sighting[],
  statuses: Record<string, ServerStatus>,
  maxAge = 86_400,
): number[] {
  const servers = Object.entries(statuses).map(([server, status]) => ({ server, status }));
  const sightings = mergeSightings(all, servers, { unix: UNIX, maxAge });
  return [...sightings.values()].flat().map(({ port }) => port);
}

test("of what several servers say of a peer, all is kept, the newest first", () => {
  const all = [seen("one", 1, 100), seen("two", 2, 200), seen("zone", 3, undefined)];
  assertEquals(merged(all, { one: "ok", two: "ok", zone: "ok" }), [2, 1, 3]);
  assertEquals(merged(all.toReversed(), { one: "ok", two: "incomplete", zone: "ok" }), [2, 1, 3]);
});

test("what a server has said that answers no more gives way to what another has heard since", () => {
  const all = [seen("one", 1, 100), seen("one", 4, 100, "carol"), seen("two", 2, 200)];
  for (const status of ["no-answer", "wrong-key", "not-authenticated", "not-found"] as const) {
    // Of whom nobody else tells, it holds.
    assertEquals(merged(all, { one: status, two: "ok" }), [2, 4]);
    // Where nobody answers, all holds.
    assertEquals(merged(all, { one: status, two: status }), [2, 1, 4]);
    // As far as whole seconds tell, and what has no time, is no later.
    assertEquals(merged([seen("one", 1, 199), seen("two", 2, 200)], { one: status, two: "ok" }), [
      2,
      1,
    ]);
    const timeless = [seen("one", 1, 100), seen("two", 2, undefined)];
    assertEquals(merged(timeless, { one: status, two: "ok" }), [1, 2]);
  }
});

test("what is too old is left out, whoever says it; what has no time isn't", () => {
  const all = [
    seen("one", 1, 100),
    seen("one", 2, 299, "carol"),
    seen("zone", 3, 240),
    seen("zone", 4, 239, "dave"),
    seen("zone", 5, undefined, "erin"),
  ];
  const ok = { one: "ok", zone: "ok" } as const;
  const shown = (maxAge: number) => merged(all, ok, maxAge).toSorted();
  assertEquals(shown(0), [5]);
  assertEquals(shown(61), [2, 3, 5]);
  assertEquals(shown(62), [2, 3, 4, 5]);
  assertEquals(shown(201), [1, 2, 3, 4, 5]);
});
