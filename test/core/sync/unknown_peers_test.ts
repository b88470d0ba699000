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

test("a peer that is added gets nothing that other peers have, whoever names it", () => {
  const notes = new SyncNotes();
  const configured = { name: "bob", allowedIps: ["10.9.0.2/32"] };
  const peers = new Map([["bob", configured], ["known", { ...configured, name: "known" }]]);
  const unknown = new UnknownPeers(notes, { addPeers: true, dryRun: false, peers });
  const peer = { latestHandshake: 0, received: 0, sent: 0, persistentKeepalive: 0 };
  const hub = { ...peer, publicKey: "hub", endpoint: undefined, allowedIps: ["10.9.0.0/24"] };
  const naming = (...allowedIps: string[]) => [
    { endpoint: { host: "192.0.2.1", port: 1 }, seenAt: 1, allowedIps },
  ];
  const candidates = new Map([
    ["forger", naming("0.0.0.0/1", "128.0.0.0/1", "10.9.0.2/32", "10.9.0.0/24", "10.9.0.7/32")],
    ["copier", naming("10.9.0.7/32")],
    // What the settings say of a peer themselves is theirs to say.
    ["known", naming("10.9.0.9/32")],
  ]);
  const look = () => unknown.look({ ...DEVICE, peers: [hub] }, candidates);
  assertEquals(look().map(({ publicKey, allowedIps }) => [publicKey, allowedIps]), [
    ["forger", ["128.0.0.0/1", "10.9.0.7/32"]],
    ["known", ["10.9.0.2/32"]],
  ]);
  assertEquals(told(notes), { "allowed-ips-refused": 2 });
  look();
  assertEquals(told(notes), {}, "once");
});
