/**
 * Waits at the start until all is read that other registries have in the store: whoever asked before that
 * would get an answer with holes in it.
 *
 * @module
 */

import type { Clock } from "../../host/clock.ts";
import type { Signals } from "../../host/signals.ts";
import type { Log } from "../log/log.ts";

/** Tells the service manager that it doesn't serve yet, and takes so many seconds more at most. */
export interface StartNotices {
  starting(status: string, seconds: number): void;
}

/** After so many seconds that is said. */
const PATIENCE = 2;
/** Seconds between two notices for the service manager, which gives it so many more each time. */
const NOTICE_INTERVAL = 5;
const EXTENSION = 20;

/** How a wait has ended. */
export interface WaitEnd {
  /** The signal that has ended it; undefined where the store was read. */
  readonly signal: string | undefined;
  /** Whether somebody wants the settings to be read again. */
  readonly isReloadAsked: boolean;
}

/** Waits for that. @param complete Done when all is read. */
export async function waitForStore(
  host: Clock & Signals,
  log: Log,
  notices: StartNotices,
  complete: Promise<void>,
): Promise<WaitEnd> {
  let isReloadAsked = false;
  let end: (signal: string) => void = () => {};
  const ended = new Promise<string>((resolve) => end = resolve);
  const off = [
    host.onSignal("SIGTERM", () => end("SIGTERM")),
    host.onSignal("SIGINT", () => end("SIGINT")),
    host.onSignal("SIGHUP", () => isReloadAsked = true),
  ];
  let cancel = () => {};
  const notify = () => {
    notices.starting("waiting for the store", EXTENSION);
    cancel = host.after(NOTICE_INTERVAL, notify);
  };
  notify();
  const cancelHint = host.after(PATIENCE, () => {
    const hint = "nobody is answered before it is read; with --store-start alone, all are at once";
    log.write("warn", "store-waiting", { hint });
  });
  const signal = await Promise.race([ended, complete]);
  cancel();
  cancelHint();
  for (const each of off) each();
  return { signal: signal ?? undefined, isReloadAsked };
}
