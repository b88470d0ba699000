/** What the log says of a zone: what changes with a reload is in it. */

import { assertEquals } from "@std/assert";
import { zoneFields } from "../../../../lib/service/zone/server/zone_words.ts";
import type { ServedZone } from "../../../../lib/service/zone/server/zones.ts";
import { test } from "../../../testing.ts";

const ZONE: ServedZone = {
  name: "wg.example.com",
  interface: undefined,
  groups: [0],
  self: undefined,
  selfAllowedIps: [],
  allowFrom: undefined,
  tsigFiles: [],
  requireTsig: false,
  dnssecKeys: [],
  cds: "publish",
  ttl: 0,
  views: undefined,
};

test("a zone's line says which groups it has, and what it tells the zone above", () => {
  assertEquals(zoneFields(ZONE), { zone: "wg.example.com", "group-ids": "0" });
  assertEquals(zoneFields({ ...ZONE, groups: [0, 7] })["group-ids"], "0,7");
  for (const cds of ["delete", "none"] as const) {
    assertEquals(zoneFields({ ...ZONE, cds }), { ...zoneFields(ZONE), cds });
  }
});
