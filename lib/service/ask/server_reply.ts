/**
 * What one server said, in whatever language it was asked.
 *
 * @module
 */

import type { ServerOutcome } from "../../core/query/query_result.ts";
import type { Sighting } from "../../core/ask/sighting.ts";

/** What one server said. */
export interface ServerReply {
  readonly outcome: ServerOutcome;
  readonly peers: readonly Sighting[];
  /** What a person should know. */
  readonly warning: string | undefined;
}
