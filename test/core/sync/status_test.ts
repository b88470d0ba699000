import { assertEquals } from "@std/assert";
import type { Device } from "../../../lib/core/net/device.ts";
import { SyncNotes } from "../../../lib/core/sync/notes.ts";
import { SyncStatus } from "../../../lib/core/sync/status.ts";
import { test } from "../../testing.ts";

function device(...keys: readonly string[]): Device {
  const peer = { endpoint: undefined, allowedIps: [], latestHandshake: 0, received: 0, sent: 0 };
  const peers = keys.map((publicKey) => ({ ...peer, publicKey, persistentKeepalive: 0 }));
  return { publicKey: "own", listenPort: 51820, mark: 0, peers };
}

test("the status says who is alive, where the host is seen, and which server is silent", () => {
  const status = new SyncStatus("wg0");
  const notes = new SyncNotes();
  const text = () => {
    for (const note of notes.take()) status.hear(note);
    return status.text;
  };
  assertEquals(text(), "waiting for wg0");
  notes.add({ kind: "device", device: device("a", "b") });
  assertEquals(text(), "wg0: 0 of 2 peers alive");
  notes.change("peer-alive", { key: "a" });
  notes.change("own-endpoint", { endpoint: "192.0.2.1:51820" });
  notes.add({ kind: "server", server: "one", status: "ok" });
  notes.add({ kind: "server", server: "two", status: "no-answer" });
  assertEquals(text(), "wg0: 1 of 2 peers alive, seen at 192.0.2.1:51820, two: no-answer");
  notes.change("peer-alive", { key: "b" });
  notes.add({ kind: "server", server: "two", status: "ok" });
  assertEquals(text(), "wg0: 2 of 2 peers alive, seen at 192.0.2.1:51820");
  notes.change("peer-lost", { key: "b" });
  // Who was alive may be removed from the interface.
  notes.add({ kind: "device", device: device("b", "c") });
  assertEquals(text(), "wg0: 0 of 2 peers alive, seen at 192.0.2.1:51820");
  notes.add({ kind: "clock", isWrong: true });
  assertEquals(text(), "waiting for the clock to be set");
  notes.add({ kind: "server", server: "a:1", status: "ok" });
  assertEquals(text(), "wg0: 0 of 2 peers alive, seen at 192.0.2.1:51820");
  notes.add({ kind: "clock", isWrong: false });
  notes.add({ kind: "device", device: undefined });
  assertEquals(text(), "waiting for wg0");
});

test("after a reload, servers that are asked no more are not named", () => {
  const status = new SyncStatus("wg0");
  status.hear({ kind: "device", device: device("a") });
  status.hear({ kind: "server", server: "two", status: "no-answer" });
  assertEquals(status.text, "wg0: 0 of 1 peers alive, two: no-answer");
  status.forgetServers();
  assertEquals(status.text, "wg0: 0 of 1 peers alive");
});
