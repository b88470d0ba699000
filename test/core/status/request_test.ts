/** Requests of the socket: what is written is read, in whatever pieces, and all else is refused. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { test } from "../../testing.ts";
import { formatRequest, MAX_REQUEST, RequestReader } from "../../../lib/core/status/request.ts";

/** Reads it in pieces of that size. */
function readIn(size: number, bytes: Uint8Array): unknown {
  const reader = new RequestReader();
  for (let at = 0; at < bytes.length; at += size) {
    const read = reader.push(bytes.subarray(at, at + size));
    if (read !== "more") return read;
  }
  return "more";
}

test("status: a request is read as it was written, in whatever pieces it comes", () => {
  const word = fc.stringMatching(/^[a-z][a-z-]{0,31}$/);
  const body = fc.jsonValue({ maxDepth: 3 });
  fc.assert(fc.property(word, body, fc.integer({ min: 1, max: 50 }), (word, body, size) => {
    const bytes = formatRequest(word, body);
    const expected = { word, schema: 1, body: JSON.parse(JSON.stringify(body)) };
    assertEquals(readIn(size, bytes), expected);
    assertEquals(readIn(size, bytes.subarray(0, -1)), "more");
  }));
  assertEquals(readIn(9, formatRequest("status")), { word: "status", schema: 1, body: undefined });
});

test("status: whatever comes, a request is refused, or taken apart, and never kept without end", () => {
  const bytes = fc.uint8Array({ maxLength: 60 });
  const begun = fc.tuple(fc.constantFrom("wgsig ", "wgsig a 1", "wgsig a 1 "), bytes).map(
    ([text, more]) => new Uint8Array([...new TextEncoder().encode(text), ...more, 10]),
  );
  fc.assert(fc.property(fc.oneof(bytes, begun), fc.integer({ min: 1, max: 9 }), (bytes, size) => {
    const read = readIn(size, bytes);
    if (read === "more") assertEquals(bytes.indexOf(10), -1);
    else assert(read === "wrong" || typeof read === "object");
  }));
  const endless = new Uint8Array(MAX_REQUEST).fill("x".charCodeAt(0));
  endless.set(new TextEncoder().encode("wgsig "));
  assertEquals(readIn(1000, endless), "wrong");
  assertThrows(() => formatRequest("a", "x".repeat(MAX_REQUEST)), RangeError);
});
