import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { AllowedStrings } from "../../../../lib/core/zone/server/allowed_strings.ts";
import { test } from "../../../testing.ts";

/** The strings of list `i`. */
function stringsOf(all: AllowedStrings, i: number): string[] {
  const { bytes } = all.bytes;
  const strings: string[] = [];
  const end = all.startOf(i) + all.sizeOf(i);
  for (let at = all.startOf(i); at < end;) {
    const next = at + 1 + bytes[at]!;
    assert(next <= end);
    strings.push(String.fromCharCode(...bytes.subarray(at + 1, next)));
    at = next;
  }
  return strings;
}

test("a list that fits is one string", () => {
  const all = new AllowedStrings([["10.0.0.1/32", "fd00::/64"], [], ["::/0"]]);
  assertEquals(stringsOf(all, 0), ["allowed=10.0.0.1/32,fd00::/64"]);
  assertEquals(stringsOf(all, 1), ["allowed="]);
  assertEquals(stringsOf(all, 2), ["allowed=::/0"]);
});

test("a string holds 255 bytes to the last one", () => {
  const fill = (size: number) => "1".repeat(size);
  const full = new AllowedStrings([[fill(200), fill(255 - 8 - 201)]]);
  assertEquals(stringsOf(full, 0).map((each) => each.length), [255]);
  const over = new AllowedStrings([[fill(200), fill(255 - 8 - 201 + 1)]]);
  assertEquals(stringsOf(over, 0), [`allowed=${fill(200)}`, `allowed2=${fill(47)}`]);
});

test("any lists are cut at commas, numbered, and whole together", () => {
  const cidr = fc.integer({ min: 7, max: 43 }).map((size) => "f".repeat(size));
  const lists = fc.array(fc.array(cidr, { maxLength: 120 }), { maxLength: 5 });
  fc.assert(fc.property(lists, (lists) => {
    const all = new AllowedStrings(lists);
    lists.forEach((list, i) => {
      const strings = stringsOf(all, i);
      const parts = strings.map((each, part) => {
        const key = part === 0 ? "allowed=" : `allowed${part + 1}=`;
        assert(each.startsWith(key) && each.length <= 255);
        return each.slice(key.length);
      });
      assertEquals(parts.join(), list.join());
      // No string ends where the next one's first part would still fit.
      for (let part = 1; part < parts.length; part++) {
        const first = parts[part]!.split(",")[0]!;
        assert(strings[part - 1]!.length + 1 + first.length > 255);
      }
    });
  }));
});
