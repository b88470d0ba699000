/**
 * What `sync` is told to do.
 *
 * @module
 */

import type { SyncOptions } from "../../core/sync/options.ts";
import type { SiteConfig } from "../http/site.ts";
import type { SyncReportOptions } from "../log/sync_report.ts";
import type { QueryConfig } from "../query/query.ts";

/** What `sync` is to do, what to ask with, and where to tell of it. */
export interface SyncConfig extends
  SyncOptions,
  Pick<
    QueryConfig,
    "secret" | "group" | "encrypt" | "maxAge" | "timeout" | "serverKeys" | "tsigKeys"
  > {
  /** The own public key that the settings name, in base64; undefined where they name none. */
  readonly readKey: () => Promise<string | undefined>;
  /** The own private key that the settings name, 32 bytes; undefined where they name none. */
  readonly readPrivateKey: () => Promise<Uint8Array | undefined>;
  /** What to say where the settings have other interfaces, and this one not. */
  readonly unused?: string | undefined;
  /** What is said over HTTP, and in a file of metrics; undefined for nothing. */
  readonly site?: SiteConfig | undefined;
  /** What is most likely wrong in the settings. */
  readonly doubts?: readonly string[];
  readonly report: SyncReportOptions;
}
