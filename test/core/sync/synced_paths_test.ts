/** What the finder of ways is told of what servers say. */

import { assertEquals } from "@std/assert";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import type { Sighting } from "../../../lib/core/ask/sighting.ts";
import { PathFinder } from "../../../lib/core/path/path_finder.ts";
import type { ToldPeer } from "../../../lib/core/path/path_step.ts";
import type { QueryResult } from "../../../lib/core/query/query_result.ts";
import { EXIT } from "../../../lib/core/settings/user_error.ts";
import { SyncNotes } from "../../../lib/core/sync/notes.ts";
import { SyncedPaths } from "../../../lib/core/sync/synced_paths.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const NOW = { mono: 1, unix: 1.8e9 };
const RELAY = { host: "203.0.113.10", port: 1223 };
const KEY = "p".repeat(43) + "=";

function answerOf(registered: boolean): QueryResult {
  const sighting: Sighting = {
    publicKey: KEY,
    address: "198.51.100.1",
    port: 51820,
    seconds: undefined,
    nanoseconds: 0,
    server: "registry",
    kind: "seen",
    probes: true,
  };
  return {
    servers: [{
      server: "registry",
      status: "ok",
      received: 1,
      expected: 1,
      ownEndpoint: undefined,
      // Another port than WireGuard's isn't told where it is relayed.
      relay: registered ? RELAY : undefined,
    }],
    publicKey: undefined,
    port: 51820,
    registered,
    peers: [sighting],
    sightings: new Map([[KEY, [sighting]]]),
    unix: NOW.unix,
    status: EXIT.ok,
    warnings: [],
    notes: [],
  };
}

test("paths: an answer to another port than WireGuard's ends no relaying", () => {
  const hard = { isOn: true, mappings: 256, probes: 1024, rate: 500 };
  const options = { relayOf: () => "auto" as const, persistentKeepalive: 25, hard };
  const finder = new PathFinder(options, seededRandom(1), PORTABLE);
  let told: ReadonlyMap<string, ToldPeer> = new Map();
  finder.tell = (all) => void (told = all);
  const paths = new SyncedPaths(finder, new SyncNotes(), (key) => ({ key }));
  paths.open({ publicKey: "", listenPort: 51820, mark: 0, peers: [] });
  for (const registered of [true, false]) {
    paths.take(answerOf(registered), { has: () => true }, NOW);
    assertEquals(told.get(KEY)?.relays, [RELAY], `${registered}`);
  }
  paths.begin();
  paths.take(answerOf(false), { has: () => true }, NOW);
  assertEquals(told.get(KEY)?.relays, []);
});
