/**
 * What `serve` and `sync` say over HTTP, where somebody wants it: what that takes is loaded then alone,
 * a router has no memory for it otherwise.
 *
 * @module
 */

import type { STATUS } from "../lib/core/settings/common_options.ts";
import type { Resolved } from "../lib/core/settings/option.ts";
import type { Host } from "../lib/host/host.ts";
import type { SiteConfig } from "../lib/service/http/site.ts";

/** Undefined where nothing is served, and no file written. */
export async function siteConfigOf(
  host: Host,
  options: Resolved<typeof STATUS>,
): Promise<SiteConfig | undefined> {
  if (options.status === undefined && options["metrics-file"] === undefined) return undefined;
  const { siteConfig } = await import("./site_config.ts");
  return await siteConfig(host, options);
}
