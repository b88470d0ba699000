/**
 * Peers that are added to the interface, and the routes to what is behind them: without one, what is
 * meant for the tunnel leaves outside of it, in clear.
 *
 * @module
 */

import type { ActionQueue } from "./action_queue.ts";
import type { SyncNotes } from "./notes.ts";
import type { SyncOptions } from "./options.ts";
import type { PeerAddition } from "./unknown_peers.ts";

/** What is done about them. */
export type AdditionOptions = Pick<
  SyncOptions,
  "interface" | "dryRun" | "persistentKeepalive" | "addRoutes"
>;

/** All addresses of a family: wg-quick sends them into a tunnel with a mark and rules of its own. */
const EVERYTHING = /\/0$/;

/** Adds peers. */
export class Additions {
  readonly #queue: ActionQueue;
  readonly #notes: SyncNotes;

  /** Has added none yet. */
  constructor(queue: ActionQueue, notes: SyncNotes) {
    this.#queue = queue;
    this.#notes = notes;
  }

  /** Adds them, each alone. @param changed Is told when one was added. */
  add(
    peers: readonly PeerAddition[],
    options: AdditionOptions,
    changed: (mono: number) => void,
  ): void {
    const { dryRun, persistentKeepalive: seconds } = options;
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
          for (const prefix of peer.allowedIps) this.#lead(prefix, options);
        },
      });
    }
  }

  /** Sees to it that what goes to a prefix goes into the tunnel. */
  #lead(prefix: string, { interface: name, addRoutes }: AdditionOptions): void {
    const warn = (why?: string) => {
      const family = prefix.includes(":") ? "-6 " : "";
      const mend = EVERYTHING.test(prefix)
        ? "wg-quick sets what that needs, a mark and rules"
        : `ip ${family}route add ${prefix} dev ${name}` +
          (addRoutes ? "" : " (add-routes = true in the settings does that)");
      const hint = `what goes there leaves outside the tunnel, in clear: ${mend}`;
      const reason = why === undefined ? {} : { why };
      this.#notes.event("warn", "no-route", { prefix, ...reason, hint });
    };
    this.#queue.add({ kind: "find-tunnel-route", prefix }, {
      route: (route) => {
        if (route !== undefined) return;
        if (!addRoutes || EVERYTHING.test(prefix)) return warn();
        this.#queue.add({ kind: "add-route", prefix }, {
          done: () => this.#notes.change("route-added", { prefix, interface: name }),
          failed: warn,
        });
      },
      failed: warn,
    });
  }
}
