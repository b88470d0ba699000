/**
 * What the parts of a server share.
 *
 * @module
 */

import type { Counters } from "../core/net/counters.ts";
import type { Now } from "../core/net/clock.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "./log/log.ts";

/** What a service needs of the server that it is a part of. */
export interface ServiceContext {
  readonly host: Host;
  readonly log: Log;
  readonly counters: Counters;
  /** The clocks, once per batch; records that are too old are gone then. */
  tick(): Now;
  /** Random, for a hash. */
  seed(): number;
}
