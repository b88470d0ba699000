/**
 * What is in the files that the settings of a zone name.
 *
 * @module
 */

import type { ZoneKey } from "../../../core/zone/server/zone_key.ts";
import type { Files, Input } from "../../../host/files.ts";
import type { Signing, System } from "../../../host/host.ts";
import type { ServedZone } from "./zones.ts";

/** What is in the files of a zone. */
export interface ZoneFiles {
  /** What it is signed with; none for a zone that isn't. */
  readonly keys: readonly ZoneKey[];
}

/** Reads them. @throws {UserError} One can't be read, or isn't what it should be. */
export function readZoneFiles(
  _host: System & Files & Input & Signing,
  _zone: ServedZone,
): Promise<ZoneFiles> {
  return Promise.resolve({ keys: [] });
}
