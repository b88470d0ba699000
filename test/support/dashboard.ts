/**
 * The dashboard in docs/, as far as tests look at it.
 *
 * @module
 */

import { assert } from "@std/assert";
import { ROOT } from "../../scripts/tools.ts";

/** A panel's question. */
export interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

/** A panel, or the title of some. */
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly h: number;
    readonly w: number;
    readonly x: number;
    readonly y: number;
  };
  readonly targets?: readonly Target[];
}

/** The dashboard. */
export interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly Target[] };
}

/** Reads it. */
export async function dashboard(): Promise<Dashboard> {
  const read: Dashboard = JSON.parse(await Deno.readTextFile(`${ROOT}/docs/grafana.json`));
  assert(Array.isArray(read.panels) && read.panels.length > 0);
  return read;
}

/** All that it asks, with what stands for its variables. */
export function questionsOf({ panels, annotations }: Dashboard): string[] {
  const targets = [...panels.flatMap(({ targets = [] }) => targets), ...annotations.list];
  return targets.map(({ expr }) =>
    expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*")
  );
}

/** The metrics in a question. */
export function metricsIn(question: string): string[] {
  return question.match(/\b(?:wgsig|wireguard|process)_\w+/g) ?? [];
}
