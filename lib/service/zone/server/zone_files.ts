/**
 * What is in the files that the settings of a zone name.
 *
 * @module
 */

import type { ZoneKey } from "../../../core/zone/server/zone_key.ts";
import type { Files, Input } from "../../../host/files.ts";
import type { Signing, System } from "../../../host/host.ts";
import { UserError } from "../../../core/settings/user_error.ts";
import type { ZoneSigners } from "./zone_signers.ts";
import type { ServedZone } from "./zones.ts";

/** What is in the files of a zone. */
export interface ZoneFiles {
  /** What it is signed with; none for a zone that isn't. */
  readonly keys: readonly ZoneKey[];
  /** What signs with these keys: undefined where there are none. */
  readonly Signers: typeof ZoneSigners | undefined;
}

/** Reads them. @throws {UserError} One can't be read, or isn't what it should be. */
export async function readZoneFiles(
  host: System & Files & Input & Signing,
  zone: ServedZone,
): Promise<ZoneFiles> {
  const { signing } = host;
  const { name, dnssecKeys } = zone;
  if (dnssecKeys.length === 0) return { keys: [], Signers: undefined };
  if (signing === undefined) {
    throw new UserError(
      `DNS zone ${name}: this program for small routers doesn't sign zones; leave dnssec-keys out, ` +
        "or run wgsig's larger binary",
    );
  }
  const { readSigningKeys } = await import("./signing_keys.ts");
  const { ZoneSigners: Signers } = await import("./zone_signers.ts");
  return { keys: await readSigningKeys(host, signing, zone), Signers };
}
