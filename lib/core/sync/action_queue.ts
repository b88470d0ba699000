/**
 * Actions one after the other, and what follows from each.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import type { Device } from "../net/device.ts";
import type { Given } from "../roster/client/given.ts";
import type { Answers, SyncAction, SyncResult } from "./actions.ts";

/** What follows from what came of an action; nothing where it is left out. */
export interface Follows {
  readonly lock?: (isTaken: boolean, now: Now) => void;
  readonly device?: (device: Device | undefined, now: Now) => void;
  readonly key?: (publicKey: string | undefined, now: Now) => void;
  readonly port?: (port: number | undefined, now: Now) => void;
  readonly answer?: (answers: Answers, now: Now) => void;
  readonly addresses?: (addresses: readonly string[], tunnel: readonly string[], now: Now) => void;
  readonly given?: (given: Given, now: Now) => void;
  readonly networks?: (
    addresses: readonly string[],
    networks: readonly string[],
    now: Now,
  ) => void;
  readonly route?: (route: string | undefined, now: Now) => void;
  readonly done?: (now: Now) => void;
  /** Where a failure is an answer as well, and needn't be told. */
  readonly failed?: (why: string, now: Now) => void;
}

interface Job {
  readonly action: SyncAction;
  readonly follows: Follows;
}

/** Hands out actions, each when the one before is over. */
export class ActionQueue {
  readonly #jobs: Job[] = [];
  #doing: Job | undefined;
  #then: ((now: Now) => void) | undefined;

  /** What is under way. */
  get doing(): SyncAction["kind"] | undefined {
    return this.#doing?.action.kind;
  }

  /** Adds an action at the end. */
  add(action: SyncAction, follows: Follows = {}): void {
    this.#jobs.push({ action, follows });
  }

  /** Says what follows once all actions are over, in place of what was said before. */
  then(next: (now: Now) => void): void {
    this.#then = next;
  }

  /** The next action, which counts as begun; undefined where there is nothing more to do. */
  next(now: Now): SyncAction | undefined {
    for (;;) {
      this.#doing = this.#jobs.shift();
      const then = this.#then;
      if (this.#doing !== undefined || then === undefined) return this.#doing?.action;
      this.#then = undefined;
      then(now);
    }
  }

  /** Takes in what came of the action under way. @returns Whether it can be taken in. */
  told(result: SyncResult, now: Now): boolean {
    const { lock, device, key, port, answer, addresses, route, done, failed, given, networks } =
      this.#doing?.follows ?? {};
    this.#doing = undefined;
    switch (result.kind) {
      case "lock":
        lock?.(result.isTaken, now);
        break;
      case "device":
        device?.(result.device, now);
        break;
      case "key":
        key?.(result.publicKey, now);
        break;
      case "port":
        port?.(result.port, now);
        break;
      case "answer":
        answer?.(result, now);
        break;
      case "addresses":
        addresses?.(result.addresses, result.tunnel, now);
        break;
      case "given":
        given?.(result.given, now);
        break;
      case "networks":
        networks?.(result.addresses, result.networks, now);
        break;
      case "route":
        route?.(result.route, now);
        break;
      case "done":
        done?.(now);
        break;
      case "failed":
        failed?.(result.why, now);
        return failed !== undefined;
    }
    return true;
  }
}
