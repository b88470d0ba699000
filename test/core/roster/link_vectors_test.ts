import { assertEquals } from "@std/assert";
import { formatLink, readLink } from "../../../lib/core/roster/link.ts";
import { linkVectors } from "../../support/roster_vectors.ts";
import { test } from "../../testing.ts";

test("links are those of an independent program", () => {
  for (const { link, server, ...said } of linkVectors) {
    assertEquals(formatLink({ ...server, ...said }), link);
    assertEquals(readLink(` ${link}\n`), { ...server, ...said });
  }
  assertEquals(linkVectors.length, 5);
});
