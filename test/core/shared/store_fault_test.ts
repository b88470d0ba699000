/** What becomes of the connection, by what a store says. */

import { assertEquals } from "@std/assert";
import { replyFault } from "../../../lib/core/shared/store_fault.ts";
import { test } from "../../testing.ts";

test("a server of a cluster that has the data no more is not asked again", () => {
  const texts = [
    "MOVED 1234 192.0.2.1:6379",
    "ASK 1234 192.0.2.1:6379",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
  ];
  for (const text of texts) assertEquals(replyFault(text).scope, "link", text);
});
