/**
 * What `serve` and `sync` say over HTTP: settings in, what serves it out.
 *
 * @module
 */

import { isLoopback } from "../lib/core/http/access.ts";
import { formatHostPort } from "../lib/core/net/host_port.ts";
import type { STATUS } from "../lib/core/settings/common_options.ts";
import type { Resolved } from "../lib/core/settings/option.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { DEFAULT_TOKEN_FILE, readToken } from "../lib/service/files/token_file.ts";
import { makePage } from "../lib/service/http/page.ts";
import type { SiteConfig } from "../lib/service/http/site.ts";
import { VERSION } from "./version.ts";

/** @throws {UserError} Others could ask without a token; or it can't be read. */
export async function siteConfig(
  host: Host,
  options: Resolved<typeof STATUS>,
): Promise<SiteConfig> {
  const { status: address, "metrics-file": metricsFile } = options;
  const tokenFile = options["status-token-file"];
  if (address !== undefined && tokenFile === undefined && !isLoopback(address.host)) {
    throw new UserError(
      `others can ask at ${formatHostPort(address)}, so that needs a token: add ` +
        `--status-token-file ${DEFAULT_TOKEN_FILE}, and make that with: wgsig keygen secret ` +
        `--output ${DEFAULT_TOKEN_FILE}; or listen on 127.0.0.1`,
    );
  }
  return {
    address,
    token: tokenFile === undefined ? undefined : await readToken(host, tokenFile),
    metricsFile,
    metricsPeers: options["metrics-peers"],
    version: VERSION,
    page: address === undefined ? undefined : makePage(),
  };
}
