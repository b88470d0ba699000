/**
 * What `sync` is told where a test has nothing else in mind.
 *
 * @module
 */

import type { SyncConfig } from "../../lib/service/sync/config.ts";

/** One registry is asked for wg0. */
export const SYNC_CONFIG: SyncConfig = {
  interface: "wg0",
  servers: [{ scheme: "wgsig", host: "192.0.2.1", port: 1223 }],
  secret: new Uint8Array(32),
  group: 0,
  encrypt: true,
  maxAge: 90,
  timeout: 3,
  register: "auto",
  relay: "auto",
  hard: { isOn: false, mappings: 1, probes: 1, rate: 1 },
  interval: 25,
  once: false,
  dryRun: false,
  addPeers: false,
  persistentKeepalive: 25,
  lease: undefined,
  untilGone: false,
  trustedZones: [],
  trustRegistry: undefined,
  addRoutes: false,
  mendRoutes: false,
  movePort: false,
  portMap: false,
  peers: new Map(),
  readKey: () => Promise.resolve(undefined),
  readPrivateKey: () => Promise.resolve(undefined),
  report: { log: { format: "text", verbosity: "normal" }, hook: undefined },
};
