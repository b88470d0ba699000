/**
 * Routes to what is behind peers: without one, what is meant for the tunnel leaves outside of it, in
 * clear.
 *
 * @module
 */

import type { ActionQueue } from "./action_queue.ts";
import type { SyncNotes } from "./notes.ts";

/** All addresses of a family: wg-quick sends them into a tunnel with a mark and rules of its own. */
const EVERYTHING = /\/0$/;

/** How a route is seen to. */
export interface LeadOptions {
  /** The name of the interface. */
  readonly interface: string;
  /** Whether one that lacks is set; else it is only named. */
  readonly isSet: boolean;
  /** What to say of how that is had done. */
  readonly advice: string;
  /** Is told where one was set. */
  readonly added?: () => void;
}

/** Sees to routes. */
export class TunnelRoutes {
  readonly #queue: ActionQueue;
  readonly #notes: SyncNotes;

  /** Sees to none yet. */
  constructor(queue: ActionQueue, notes: SyncNotes) {
    this.#queue = queue;
    this.#notes = notes;
  }

  /** Sees to it that what goes to a prefix goes into the tunnel. */
  lead(prefix: string, { interface: name, isSet, advice, added }: LeadOptions): void {
    const warn = (why?: string) => {
      const family = prefix.includes(":") ? "-6 " : "";
      const mend = EVERYTHING.test(prefix)
        ? "wg-quick sets what that needs, a mark and rules"
        : `ip ${family}route add ${prefix} dev ${name}${advice}`;
      const hint = `what goes there leaves outside the tunnel, in clear: ${mend}`;
      const reason = why === undefined ? {} : { why };
      this.#notes.event("warn", "no-route", { prefix, ...reason, hint });
    };
    this.#queue.add({ kind: "find-tunnel-route", prefix }, {
      route: (route) => {
        if (route !== undefined) return;
        if (!isSet || EVERYTHING.test(prefix)) return warn();
        this.#queue.add({ kind: "add-route", prefix }, {
          done: () => {
            this.#notes.change("route-added", { prefix, interface: name });
            added?.();
          },
          failed: warn,
        });
      },
      failed: warn,
    });
  }

  /** Sends what goes to a prefix into the tunnel no more. */
  end(prefix: string, name: string): void {
    this.#queue.add({ kind: "end-route", prefix }, {
      done: () => this.#notes.change("route-ended", { prefix, interface: name }),
    });
  }
}
