import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encodeLabel,
  encodeName,
  isLabel,
  matchesName,
  MAX_NAME_SIZE,
} from "../../../lib/wire/dns/name.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { place } from "../../support/arbitraries.ts";
import { placed } from "../../support/bytes.ts";
import { nameBytes } from "../../support/dns.ts";
import { test } from "../../testing.ts";

test("a name is its labels in lower case, each with its length, and the root", () => {
  assertEquals([...encodeName("Ab.C_d-1")], nameBytes("ab.c_d-1"));
  assertEquals(encodeName("example.com."), encodeName("example.com"));
  assertEquals([...encodeName(".")], [0]);
  assertEquals([...encodeLabel("_UDP")], [4, 0x5f, 0x75, 0x64, 0x70]);
});

test("what is no name is refused", () => {
  for (const text of ["", "..", ".a", "a..b", "a b", "a\\.b", "é.com", "a".repeat(64), "a/b"]) {
    assertThrows(() => encodeName(text), SyntaxError);
  }
  assertThrows(() => encodeLabel("a.b"), SyntaxError);
  assertThrows(() => encodeLabel(""), SyntaxError);
});

test("a name has at most 255 bytes", () => {
  const label = "a".repeat(63);
  const longest = [label, label, label, "a".repeat(61)].join(".");
  assertEquals(encodeName(longest).length, MAX_NAME_SIZE);
  assertThrows(() => encodeName(`${longest}a`), SyntaxError);
});

const letters = fc.string({
  unit: fc.constantFrom(..."abyzABYZ@[`{019-_"),
  minLength: 1,
  maxLength: 20,
});

test("labels match in either case of ASCII letters, and no other byte for another", () => {
  fc.assert(fc.property(letters, letters, place, (a, b, where) => {
    const bytes = (text: string) => Uint8Array.from(nameBytes(text).slice(0, -1));
    const lower = (text: string) => text.replace(/[A-Z]/g, (each) => each.toLowerCase());
    const buffer = placed(bytes(a), where);
    assertEquals(isLabel(buffer, where.at, bytes(lower(b))), lower(a) === lower(b));
    assert(isLabel(buffer, where.at, bytes(lower(a))));
  }));
});

test("a whole name matches, or one that a longer one ends with", () => {
  const buffer = new WireBuffer(Uint8Array.from(nameBytes("Example.COM")));
  assert(matchesName(buffer, 0, encodeName("example.com")));
  assert(!matchesName(buffer, 0, encodeName("examples.co")));
  assert(matchesName(buffer, 0, encodeName("sub.example.com"), 4));
  assert(!matchesName(buffer, 0, encodeName("sub.example.org"), 4));
});
