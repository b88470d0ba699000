import { assertEquals } from "@std/assert";
import { serveStatus } from "../../../lib/core/serve/status.ts";
import { test } from "../../testing.ts";

test("the status says who is there, and how much was answered", () => {
  const status = (groups: number, zones: number, peers: number) =>
    serveStatus({ groups, zones, peers, answered: 7 });
  assertEquals(status(1, 0, 42), "42 peers in 1 group, 7 answered");
  assertEquals(status(2, 1, 1), "1 peer in 2 groups and 1 zone, 7 answered");
  assertEquals(status(0, 2, 0), "0 peers in 2 zones, 7 answered");
  assertEquals(status(0, 0, 0), "0 peers, 7 answered");
  const trouble = "store: nothing listens there";
  assertEquals(
    serveStatus({ groups: 1, zones: 0, peers: 1, answered: 7, trouble }),
    "1 peer in 1 group, 7 answered; store: nothing listens there",
  );
});
