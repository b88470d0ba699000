/**
 * What is in the files that the settings of a server name, read at the start and at each reload.
 *
 * @module
 */

import type { Clock } from "../../host/clock.ts";
import type { Files, Input } from "../../host/files.ts";
import type { Cryptography, Signing, System } from "../../host/host.ts";
import type { ZoneFiles } from "../zone/server/zone_files.ts";
import type { DnsConfig } from "../zone/server/zones.ts";
import type { ServeConfig } from "./config.ts";
import { type GroupFiles, readGroups, wipeSecrets } from "./groups.ts";

/** What is in the files of a server's settings. Whoever has it wipes it: see {@linkcode wipeFiles}. */
export interface ServeFiles {
  readonly groups: readonly GroupFiles[];
  /** By the names of zones; none where no zone is served. */
  readonly zones: ReadonlyMap<string, ZoneFiles>;
}

/**
 * Checks zones, and reads all files, or none.
 *
 * @throws {UserError} Where a zone's settings are wrong, or a file can't be read.
 */
export async function readFiles(
  host: System & Files & Input & Cryptography & Signing & Clock,
  { dns, groups }: Pick<ServeConfig, "dns" | "groups">,
): Promise<ServeFiles> {
  if (dns !== undefined) {
    const { checkZones } = await import("../zone/server/zones.ts");
    checkZones(dns, groups.map(({ id }) => id));
  }
  const read = await readGroups(host, groups);
  try {
    return { groups: read, zones: await readZones(host, dns, read) };
  } catch (error) {
    wipeSecrets(read);
    throw error;
  }
}

async function readZones(
  host: System & Files & Input & Cryptography & Signing & Clock,
  dns: DnsConfig | undefined,
  groups: readonly GroupFiles[],
): Promise<ReadonlyMap<string, ZoneFiles>> {
  if (dns === undefined) return new Map();
  const { readZoneFiles } = await import("../zone/server/zone_files.ts");
  const secretsOf = (group: number) => groups.find(({ id }) => id === group)?.secrets ?? [];
  return await readZoneFiles(host, dns.zones, secretsOf);
}

/** Overwrites secrets that are in force, or will never be. */
export function wipeFiles({ groups }: ServeFiles): void {
  wipeSecrets(groups);
}
