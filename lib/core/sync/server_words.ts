/**
 * What servers said, as it is told.
 *
 * @module
 */

import type { Device } from "../net/device.ts";
import type { QueryResult } from "../query/query_result.ts";
import { EXIT } from "../settings/user_error.ts";
import type { SyncNotes } from "./notes.ts";

/** Tells what became of each server, and what a person should know of it, once. */
export function tellServers(answer: QueryResult, notes: SyncNotes): void {
  for (const { server, status, warning: why } of answer.servers) {
    notes.add({ kind: "server", server, status });
    const topic = `server warning ${server}`;
    // What is said may hold the time: it is the same warning as long as the status is the same.
    if (why === undefined) notes.forget(topic);
    else notes.once("warn", "server", { why }, topic, status);
  }
  for (const why of answer.notes) notes.once("warn", "server", { why });
  if (answer.status === EXIT.ok && answer.notes.length === 0) notes.forget("server");
}

/** What is known where there is no server to ask. */
export function nothingAsked({ publicKey }: Device, unix: number): QueryResult {
  const nothing = { servers: [], peers: [], sightings: new Map(), warnings: [], notes: [] };
  return { ...nothing, publicKey, port: 0, registered: false, unix, status: EXIT.ok };
}
