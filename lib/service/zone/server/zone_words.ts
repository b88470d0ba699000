/**
 * What is told of a zone: in the log, and when somebody asks.
 *
 * @module
 */

import type { ZoneReport } from "../../../core/status/serve_report.ts";
import type { LogFields } from "../../../core/net/log_line.ts";
import type { ZoneFiles } from "./zone_files.ts";
import type { ServedZone } from "./zones.ts";

/** What of a zone's files may be known. */
type KnownFiles = Pick<ZoneFiles, "keys" | "tsig">;

const NO_FILES: KnownFiles = { keys: [], tsig: [] };

/** What `wgsig status` says of it. */
export function zoneReport(
  { name, interface: device, groups, views }: ServedZone,
  { keys, tsig }: KnownFiles = NO_FILES,
): ZoneReport {
  return {
    name,
    interface: device ?? null,
    groups,
    views: views?.length ?? 0,
    keys: keys.map(({ tag, algorithm }) => ({ tag, algorithm })),
    tsig: [...new Set(tsig.map(({ text }) => text))],
  };
}

/** The fields of its event. */
export function zoneFields(zone: ServedZone, files?: KnownFiles): LogFields {
  const { name, interface: device, groups, keys, tsig } = zoneReport(zone, files);
  return {
    zone: name,
    ...(device === null ? {} : { interface: device }),
    ...(groups.length === 0 ? {} : { "group-ids": groups.join(",") }),
    ...(zone.views === undefined ? {} : { views: zone.views.length }),
    ...(keys.length === 0 ? {} : { keys: keys.map(({ tag }) => tag).join(",") }),
    ...(zone.cds === "publish" ? {} : { cds: zone.cds }),
    ...(tsig.length === 0 ? {} : { tsig: tsig.join(",") }),
  };
}
