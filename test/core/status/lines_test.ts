/** Text for a terminal, by the columns that it takes there. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { column, columnsOf, nameOf, plain, wrap } from "../../../lib/core/status/lines.ts";
import { meshOf } from "../../../lib/core/status/mesh.ts";
import { formatMeshes, formatReport } from "../../../lib/core/status/table.ts";
import { SERVE_REPORT } from "../../support/status_report.ts";
import { test } from "../../testing.ts";

/** Characters, and the columns that they take. */
const WIDTHS = [["a", 1], ["ä", 1], ["a\u0308", 1], ["東", 2], ["한", 2], ["Ａ", 2], [
  "🐧",
  2,
]] as const;

test("terminal: a column is as wide as it should be, whatever is in it", () => {
  for (const [text, width] of WIDTHS) assertEquals(columnsOf(text), width, text);
  assertEquals(column("東京東京", 5), "東京…");
  assertEquals(column("東京", 5), "東京 ");
  assertEquals(column("東京", 2), "… ");
  assertEquals(column("a🐧b", 3), "a… ");
  const part = fc.constantFrom(...WIDTHS.map(([text]) => text));
  fc.assert(fc.property(fc.array(part), fc.integer({ min: 1, max: 30 }), (parts, width) => {
    const text = parts.join("");
    const shown = column(text, width);
    assertEquals(columnsOf(shown), width);
    assert(!/\p{Surrogate}/u.test(shown));
    if (columnsOf(text) <= width) assertEquals(shown.trimEnd(), text);
  }));
});

test("terminal: tables fit 80 columns where names are as wide as they can be", () => {
  const [group] = SERVE_REPORT.groups;
  const [peer] = group!.peers;
  for (const count of [2, 10, 61]) {
    const peers = Array.from({ length: count }, (_, i) => ({
      ...peer!,
      name: `${"東".repeat(20)}${i}`,
      endpoints: [`203.0.113.${i}:1000`],
      nat: i === 0 ? "hard" as const : "sequential" as const,
      places: [],
    }));
    const groups = [{ ...group!, count, peers }];
    const mesh = formatMeshes({ name: "1223" }, [meshOf(groups[0]!, false)], false);
    const table = formatReport({ ...SERVE_REPORT, groups }, false);
    for (const line of `${mesh}${table}`.split("\n")) {
      assert(columnsOf(line) <= 80, line);
    }
  }
  assertEquals(wrap("東".repeat(30) + " " + "東".repeat(30)).length, 2);
});

test("terminal: nothing turns the text around it, and nothing is a command", () => {
  const name = "a\u202eb\u2066c\u061c\x1b[31m\x9b\u2028\ud800";
  assertEquals(plain(name), "a?b?c??[31m???");
  assertEquals(nameOf({ name, publicKey: "" }), plain(name));
});
