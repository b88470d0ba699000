/**
 * What a `sync` that runs here has to do with what `query` and `config` were answered.
 *
 * @module
 */

import type { Host } from "../lib/host/host.ts";
import { portInUse } from "../lib/service/ask/warning.ts";
import { askStatus } from "../lib/service/status/ask.ts";
import { statusPlaces } from "../lib/service/status/places.ts";

/** So many that run here are asked how they are. */
const MOST_ASKED = 64;

/**
 * What is to be said of an answer, but for the port that is in use where `sync` runs here, whose port
 * that is: it is registered then.
 */
export async function withoutOwnSync(
  host: Host,
  warnings: readonly string[],
  port: number,
): Promise<readonly string[]> {
  const inUse = portInUse(port);
  if (!warnings.includes(inUse)) return warnings;
  const reports = await Promise.all(
    (await statusPlaces(host).catch(() => [])).filter(({ kind }) => kind === "sync")
      .slice(0, MOST_ASKED).map(({ path }) => askStatus(host, path).catch(() => undefined)),
  );
  const isSynced = reports.some((report) => report?.kind === "sync" && report.port === port);
  return isSynced ? warnings.filter((warning) => warning !== inUse) : warnings;
}
