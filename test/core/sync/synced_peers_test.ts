/** What is told of relays where peers are tried by handshake. */

import { assertEquals } from "@std/assert";
import type { Sighting } from "../../../lib/core/ask/sighting.ts";
import type { Device } from "../../../lib/core/net/device.ts";
import type { QueryResult } from "../../../lib/core/query/query_result.ts";
import { EXIT } from "../../../lib/core/settings/user_error.ts";
import { SyncNotes } from "../../../lib/core/sync/notes.ts";
import type { SyncOptions } from "../../../lib/core/sync/options.ts";
import { SyncedPeers } from "../../../lib/core/sync/synced_peers.ts";
import { test } from "../../testing.ts";
import { OPTIONS } from "./world.ts";

const NOW = { mono: 1000, unix: 1.8e9 };
const RELAY = { host: "203.0.113.10", port: 1223 };
const KEY = "p".repeat(42) + "A=";
const DEVICE: Device = {
  publicKey: "o".repeat(42) + "A=",
  listenPort: 51820,
  mark: 0,
  peers: [{
    ...{ publicKey: KEY, endpoint: undefined, allowedIps: [], latestHandshake: 0 },
    ...{ received: 0, sent: 0, persistentKeepalive: 0 },
  }],
};

function answerOf(relay: QueryResult["servers"][number]["relay"], registered = true): QueryResult {
  const sighting: Sighting = {
    ...{ publicKey: KEY, address: "198.51.100.1", port: 51820, seconds: NOW.unix, nanoseconds: 0 },
    ...{ server: "registry", kind: "seen" },
  };
  return {
    servers: [{
      ...{ server: "registry", status: "ok", received: 1, expected: 1, ownEndpoint: undefined },
      relay,
    }],
    ...{ publicKey: DEVICE.publicKey, port: 51820, registered, peers: [sighting] },
    ...{ sightings: new Map([[KEY, [sighting]]]), unix: NOW.unix, status: EXIT.ok },
    ...{ warnings: [], notes: [] },
  };
}

function newPeers(options: Partial<SyncOptions>): [SyncedPeers, SyncNotes] {
  const notes = new SyncNotes();
  return [new SyncedPeers(notes, { ...OPTIONS, ...options }, () => false), notes];
}

test("sync: an endpoint that is a relay is called one, without probes as well", () => {
  for (
    const [mode, path] of [["always", "relay"], ["never", undefined], ["auto", undefined]] as const
  ) {
    const [peers] = newPeers({ relay: mode });
    const [change] = peers.plan(DEVICE, answerOf(RELAY), NOW);
    const fields = peers.fieldsOf(change!);
    assertEquals(fields["path"], path, mode);
    assertEquals(fields["endpoint"], path ? "203.0.113.10:1223" : "198.51.100.1:51820");
  }
});

test("sync: a relay that is always to be used, and isn't there, is said", () => {
  const told = (options: Partial<SyncOptions>, answer: QueryResult) => {
    const [peers, notes] = newPeers(options);
    peers.tellNoRelay(answer);
    return notes.take().map((note) =>
      note.kind === "once" ? `${note.level} ${note.event}` : note.kind
    );
  };
  const one = { name: undefined, allowedIps: undefined, relay: "always" } as const;
  assertEquals(told({ relay: "always" }, answerOf(undefined)), ["warn no-relay"]);
  assertEquals(told({ peers: new Map([[KEY, one]]) }, answerOf(undefined)), ["warn no-relay"]);
  assertEquals(told({ relay: "always" }, answerOf(RELAY)), ["forget"]);
  assertEquals(told({}, answerOf(undefined)), ["forget"]);
  // What another port than WireGuard's was told says nothing of relays.
  assertEquals(told({ relay: "always" }, answerOf(undefined, false)), []);
  assertEquals(told({ relay: "always" }, { ...answerOf(undefined), status: EXIT.timedOut }), []);
});
