/** Which connections there may be. */

import { assertEquals } from "@std/assert";
import {
  ConnectionTable,
  MAX_LEASE_CONNECTIONS,
} from "../../../../lib/core/lease/server/connection_table.ts";
import { test } from "../../../testing.ts";

const at = (host: string, port = 970) => ({ host, port });

test("a client has its own port, and one connection", () => {
  const table = new ConnectionTable<string>();
  assertEquals(table.admit(at("a", 971), "wrong"), { isAdmitted: false, leaving: [] });
  assertEquals(table.admit(at("a"), "one"), { isAdmitted: true, leaving: [] });
  assertEquals(table.admit(at("a"), "two"), { isAdmitted: true, leaving: ["one"] });
  // The end of the old one is not that of the new.
  table.leave("a", "one");
  assertEquals(table.size, 1);
  table.leave("a", "two");
  assertEquals(table.size, 0);
});

test("where all places are taken, the longest silent one goes; where none is silent, the new one", () => {
  const table = new ConnectionTable<string>();
  const most = MAX_LEASE_CONNECTIONS - 1;
  for (let i = 0; i < most; i++) table.admit(at(`${i}`), `c${i}`);
  assertEquals(table.admit(at("new"), "new"), { isAdmitted: false, leaving: [] });
  for (const i of [3, 5, 7, 9]) table.answered(`${i}`, `c${i}`);
  // One asks again, one more is answered again, one has gone.
  table.asks("3", "c3");
  table.asks("5", "c5");
  table.answered("5", "c5");
  table.leave("7", "c7");
  assertEquals(table.admit(at("x"), "cx"), { isAdmitted: true, leaving: [] });
  assertEquals(table.admit(at("y"), "cy"), { isAdmitted: true, leaving: ["c9"] });
  assertEquals(table.admit(at("z"), "cz"), { isAdmitted: true, leaving: ["c5"] });
  assertEquals(table.admit(at("w"), "cw"), { isAdmitted: false, leaving: [] });
  // One that comes again takes its own place.
  assertEquals(table.admit(at("z"), "again"), { isAdmitted: true, leaving: ["cz"] });
  assertEquals(table.size, most);
  // What is said of one that has gone changes nothing.
  table.answered("z", "cz");
  table.answered("9", "c9");
  assertEquals(table.admit(at("w"), "cw"), { isAdmitted: false, leaving: [] });
});
