/**
 * What the first thread of `wgsig serve` and its workers say to each other. Both are this program,
 * so nothing here comes from outside.
 *
 * @module
 */

import type { HostPort } from "../core/host_port.ts";
import type { Now } from "../core/registry.ts";
import type { LogFields, LogLevel, Verbosity } from "./log.ts";
import type { RegistrySettings } from "./registry_settings.ts";

/** Settings that a worker is to have ready. */
export interface WorkerSettings {
  /** Which these are: they come into force where the log of changes says that number. */
  readonly number: number;
  readonly settings: RegistrySettings;
  readonly verbosity: Verbosity;
}

/** What a worker begins with. */
export interface WorkerStart extends WorkerSettings {
  readonly kind: "start";
  /** Which thread it is, from 1, and how many there are with the first. */
  readonly member: number;
  readonly members: number;
  /** The memory of a `ChangeLog`. */
  readonly log: SharedArrayBuffer;
  /** The memory of `Counters`. */
  readonly counters: SharedArrayBuffer;
  /** Seconds that the first thread's monotonic clock is ahead. */
  readonly ahead: number;
  /** The bytes of a state file, and when it was read. */
  readonly state: { readonly bytes: Uint8Array; readonly now: Now } | undefined;
  /** Where to listen: the ports are known by now. */
  readonly addresses: readonly HostPort[];
}

/** What a worker is told. */
export type ToWorker =
  | WorkerStart
  | WorkerSettings & { readonly kind: "prepare" }
  /** Repeat what happened elsewhere, and say so. */
  | { readonly kind: "catch-up" }
  | { readonly kind: "stop" };

/** What a worker tells. */
export type FromWorker =
  /** It runs, and its monotonic clock says so many seconds. */
  | { readonly kind: "hello"; readonly mono: number }
  /** It listens. */
  | { readonly kind: "ready" }
  /** It can't listen. */
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "prepared"; readonly number: number }
  | { readonly kind: "caught-up" }
  /** There is something to save and to tell. */
  | { readonly kind: "changed" }
  /** Some thread has much to repeat. */
  | { readonly kind: "behind" }
  | {
    readonly kind: "line";
    readonly level: LogLevel;
    readonly event: string;
    readonly fields: LogFields;
  }
  /** It listens no more, and has counted all. */
  | { readonly kind: "stopped" };
