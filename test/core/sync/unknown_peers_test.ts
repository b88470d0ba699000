import { assertEquals } from "@std/assert";
import { SyncNotes } from "../../../lib/core/sync/notes.ts";
import type { Candidates } from "../../../lib/core/sync/candidates.ts";
import { UnknownPeers } from "../../../lib/core/sync/unknown_peers.ts";
import { test } from "../../testing.ts";

const DEVICE = { publicKey: "own", listenPort: 1, mark: 0, peers: [] };

/** Candidates of keys with these numbers. */
function seen(from: number, count: number): Candidates {
  const endpoint = { host: "192.0.2.1", port: 1 };
  return new Map(Array.from({ length: count }, (_, i) => [
    `key ${from + i}`,
    [{ endpoint, seenAt: 1, allowedIps: undefined }],
  ]));
}

/** The events of what there is to tell. */
function told(notes: SyncNotes): Record<string, number> {
  const events: Record<string, number> = {};
  for (const note of notes.take()) {
    if (note.kind === "event") events[note.event] = (events[note.event] ?? 0) + 1;
  }
  return events;
}

test("a member that registers ever new keys grows neither the log nor what is kept", () => {
  const notes = new SyncNotes();
  const unknown = new UnknownPeers(notes, { addPeers: false, dryRun: false, peers: new Map() });
  unknown.look(DEVICE, seen(0, 3));
  assertEquals(told(notes), { "peer-unknown": 3 });
  for (let look = 0; look < 30; look++) unknown.look(DEVICE, seen(0, 400 * (look + 1)));
  assertEquals(told(notes), { "peer-unknown": 61, "many-peers-unknown": 1 });
  // Those that are gone make room for others.
  unknown.look(DEVICE, seen(20_000, 2));
  assertEquals(told(notes), { "peer-unknown": 2 });
});
