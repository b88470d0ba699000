/** Zones and keys by their names. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { NameIndex } from "../../../../lib/core/zone/server/name_index.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import { ZoneIndex } from "../../../../lib/core/zone/server/zone_index.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { newDnsQuery, parseQuery } from "../../../../lib/wire/dns/query.ts";
import { ODD_PLACE, placed } from "../../../support/bytes.ts";
import { queryBytes } from "../../../support/dns.ts";
import { deviceOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const label = fc.constantFrom("a", "b", "ab", "x", "a1");
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));

test("what has a name is found by it, in either case, and nothing else is", () => {
  fc.assert(fc.property(fc.array(name, { maxLength: 40 }), name, (names, other) => {
    const index = new NameIndex(names.map((each, i) => [encodeName(each), i] as const));
    for (const each of [...names, other]) {
      const bytes = encodeName(each);
      const found = names.includes(each) ? names.indexOf(each) : undefined;
      for (const asked of [bytes, bytes.map((byte) => byte >= 0x61 ? byte - 0x20 : byte)]) {
        assertEquals(index.find(placed(asked, ODD_PLACE), ODD_PLACE.at, asked.length), found);
      }
    }
  }));
});

test("of nested zones the longest is found, and of DS the one above", () => {
  fc.assert(fc.property(
    fc.uniqueArray(name, { maxLength: 12 }),
    name,
    fc.constantFrom("A" as const, "DS" as const),
    (names, asked, type) => {
      const device = deviceOf([]);
      const zones = names.map((each) => new Zone({ name: each, peers: [device] }));
      const index = new ZoneIndex(zones);
      const query = newDnsQuery();
      const message = new WireBuffer(queryBytes(asked, type));
      parseQuery(message, 0, message.size, query);
      const holds = (outer: string, inner: string) => `.${inner}`.endsWith(`.${outer}`);
      const holding = names.filter((each) => holds(each, asked))
        .toSorted((a, b) => b.split(".").length - a.split(".").length);
      const above = holding.filter((each) => each !== asked);
      const expected = type === "DS" ? above[0] ?? holding[0] : holding[0];
      const textOf = (zone: Zone | undefined) => names[zones.indexOf(zone!)];
      assertEquals(textOf(index.find(query, message)), expected);
      assertEquals(textOf(index.at(query, message)), names.find((each) => each === asked));
      assertEquals(index.isAbove(query, message), names.some((each) => holds(asked, each)));
    },
  ));
});
