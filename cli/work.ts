/**
 * A further thread of the program.
 *
 * @module
 */

import type { Host, ParentThread } from "../lib/host/host.ts";
import { runWorker } from "../lib/service/worker.ts";
import { usePrimitives } from "../lib/wire/primitives.ts";

/** Is a thread of `wgsig serve`, which `parent` has started. */
export function work(host: Host, parent: ParentThread): void {
  usePrimitives(host.primitives ?? {});
  runWorker(host, parent);
}
