/**
 * Whether a program does what it was started for.
 *
 * @module
 */

import type { InterfaceReport } from "./report.ts";
import type { ServeReport } from "./serve_report.ts";

/** Why it doesn't yet, or not any more, in a line that names nobody; undefined where it does. */
export function unready(report: InterfaceReport | ServeReport): string | undefined {
  if (report.kind === "serve") {
    const { listen, store } = report;
    const isWaiting = listen.length === 0 && store !== null && !store.complete;
    return isWaiting ? "the store was not read yet" : undefined;
  }
  if (!report.present) return "there is no such interface";
  const hasAnswer = report.servers.some(({ status }) => status === "ok");
  return hasAnswer ? undefined : "no server has answered";
}
