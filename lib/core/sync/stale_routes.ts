/**
 * Host routes to endpoints that peers have left: named, or removed.
 *
 * @module
 */

import type { Device } from "../net/device.ts";
import type { ActionQueue } from "./action_queue.ts";
import { LeftEndpoints } from "./left_endpoints.ts";
import type { SyncNotes } from "./notes.ts";

/** Looks for them. */
export class StaleRoutes {
  readonly #queue: ActionQueue;
  readonly #notes: SyncNotes;
  readonly #left: LeftEndpoints = new LeftEndpoints();

  /** Knows of none yet. */
  constructor(queue: ActionQueue, notes: SyncNotes) {
    this.#queue = queue;
    this.#notes = notes;
  }

  /** Looks where peers have been since the last look. @param removes Whether such routes go. */
  look(device: Device, removes: boolean): void {
    for (const address of this.#left.look(device)) {
      this.#queue.add({ kind: "find-route", address }, {
        route: (route) => void (route !== undefined && this.#mend(route, removes)),
      });
    }
  }

  #mend(route: string, removes: boolean): void {
    const stale = () => {
      const hint = `no peer is there any more; remove it: ip route del ${route}`;
      this.#notes.event("warn", "stale-route", { route, hint });
    };
    if (!removes) return stale();
    this.#queue.add({ kind: "remove-route", route }, {
      done: () => this.#notes.event("warn", "route-removed", { route }),
      failed: stale,
    });
  }
}
