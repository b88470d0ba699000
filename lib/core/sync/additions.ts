/**
 * Peers that are added to the interface, and the routes to what is behind them.
 *
 * @module
 */

import type { ActionQueue } from "./action_queue.ts";
import type { SyncNotes } from "./notes.ts";
import type { SyncOptions } from "./options.ts";
import type { TunnelRoutes } from "./tunnel_routes.ts";
import type { PeerAddition } from "./unknown_peers.ts";

/** What is done about them. */
export type AdditionOptions = Pick<
  SyncOptions,
  "interface" | "dryRun" | "persistentKeepalive" | "addRoutes"
>;

/** What sets routes. */
const ADVICE = " (add-routes = true in the settings does that)";

/** Adds peers. */
export class Additions {
  readonly #queue: ActionQueue;
  readonly #notes: SyncNotes;
  readonly #routes: TunnelRoutes;

  /** Has added none yet. */
  constructor(queue: ActionQueue, notes: SyncNotes, routes: TunnelRoutes) {
    this.#queue = queue;
    this.#notes = notes;
    this.#routes = routes;
  }

  /** Adds them, each alone. @param changed Is told when one was added. */
  add(
    peers: readonly PeerAddition[],
    options: AdditionOptions,
    changed: (mono: number) => void,
  ): void {
    const { dryRun, persistentKeepalive: seconds, addRoutes: isSet, interface: name } = options;
    const lead = { interface: name, isSet, advice: isSet ? "" : ADVICE };
    const persistentKeepalive = seconds > 0 ? seconds : undefined;
    for (const { fields, ...peer } of peers) {
      const tell = () => this.#notes.change("peer-added", fields);
      if (dryRun) {
        tell();
        continue;
      }
      const set = { ...peer, persistentKeepalive, replaces: false };
      this.#queue.add({ kind: "set-peer", ...set }, {
        done: ({ mono }) => {
          changed(mono);
          tell();
          for (const prefix of peer.allowedIps) this.#routes.lead(prefix, lead);
        },
      });
    }
  }
}
