/** Reports as JSON, in pieces. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { jsonPieces } from "../../../lib/core/status/json_pieces.ts";
import { test } from "../../testing.ts";

test("status: JSON in pieces is the same JSON", () => {
  const list = fc.array(fc.integer(), { minLength: 40, maxLength: 160 });
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 6 }),
    list,
    fc.dictionary(fc.string(), fc.oneof(list, fc.constant(undefined), fc.jsonValue())),
  );
  fc.assert(fc.property(value, (value) => {
    assertEquals([...jsonPieces(value)].join(""), JSON.stringify(value));
  }));
});

test("status: of a thousand peers no piece is large", () => {
  const peers = Array.from(
    { length: 1000 },
    (_, i) => ({ name: `peer ${i}`, key: "k".repeat(44) }),
  );
  const report = { groups: Array.from({ length: 4 }, (_, id) => ({ id, peers })), more: 0 };
  const pieces = [...jsonPieces(report)];
  assert(pieces.every((piece) => piece.length < 10_000));
  assertEquals(JSON.parse(pieces.join("")), report);
});
