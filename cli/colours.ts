/**
 * Whether what is printed may have colours, and bold heads.
 *
 * @module
 */

import type { Host } from "../lib/host/host.ts";

/** Where a person looks at it, who hasn't said otherwise (NO_COLOR), on a terminal that has them. */
export function hasColours(host: Host): boolean {
  return host.out.isTerminal && !host.env("NO_COLOR") && host.env("TERM") !== "dumb";
}
