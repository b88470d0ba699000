/** What is said of a registry's key, where one name has several addresses. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ServerKeyNote } from "../../../lib/core/ask/server_key.ts";
import { ServerAddresses } from "../../../lib/core/ask/server_addresses.ts";
import { keyWarning, type WarnedRegistry } from "../../../lib/service/ask/warning.ts";
import { test } from "../../testing.ts";

const HOSTS = ["192.0.2.1", "192.0.2.2"];

function registry(hosts: readonly string[], note: ServerKeyNote): WarnedRegistry {
  return {
    name: { scheme: "wgsig", host: "vpn.example", port: 1223 },
    ...{ status: "ok", received: 1, expected: 1, isProofRefused: false, ownEndpoints: [] },
    ...{ protocol: 2, refused: 0, stranger: undefined, isPinned: true },
    addresses: new ServerAddresses(hosts, 1223),
    takeNote: () => ({ ...note, from: hosts.at(-1) }),
  };
}

test("a key that one of several addresses has is said in one line, with the address and what helps", () => {
  const refused: ServerKeyNote = { kind: "server-key-refused", key: "K2" };
  const changed: ServerKeyNote = { kind: "server-key-changed", key: "K2", before: "K1" };
  for (const note of [refused, changed]) {
    const several = keyWarning(registry(HOSTS, note), true) ?? "";
    assertStringIncludes(several, "vpn.example:1223 (192.0.2.2) ");
    assertStringIncludes(
      several,
      "if several servers have the name vpn.example, give them one key",
    );
    assertEquals(several.split("\n").length, 1);
    const one = keyWarning(registry(HOSTS.slice(0, 1), note), true) ?? "";
    assertStringIncludes(one, "vpn.example:1223 HAS".slice(0, note === changed ? 20 : 16));
    assertEquals(one.includes("several servers"), false);
  }
  const learnt: ServerKeyNote = { kind: "server-key-learnt", key: "K1" };
  assertEquals(keyWarning(registry(HOSTS, learnt), false), undefined);
});
