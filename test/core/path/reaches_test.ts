import { assertEquals } from "@std/assert";
import { hardMeans } from "../../../lib/core/path/hard_means.ts";
import { meansTo } from "../../../lib/core/path/reaches.ts";
import { test } from "../../testing.ts";

const KINDS = ["easy", "sequential", "hard"] as const;

test("both sides of a pair of NATs take the same way to each other", () => {
  const own = { isOpen: false, hasIpv4: true, hasIpv6: false };
  for (const a of KINDS) {
    for (const b of KINDS) {
      assertEquals(meansTo({ ...own, nat: a }, b), meansTo({ ...own, nat: b }, a), `${a}/${b}`);
    }
  }
});

test("whoever opens mappings has the other side guess one", () => {
  for (const a of KINDS) {
    for (const b of KINDS) {
      assertEquals(hardMeans(a, b) === "open", hardMeans(b, a) === "guess", `${a}/${b}`);
    }
  }
});
