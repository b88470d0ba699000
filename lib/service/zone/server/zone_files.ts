/**
 * What is in the files that the settings of a zone name.
 *
 * @module
 */

import type { ZoneKey } from "../../../core/zone/server/zone_key.ts";
import type { Files, Input } from "../../../host/files.ts";
import type { Cryptography, Signing, System } from "../../../host/host.ts";
import type { TsigKey } from "../../../wire/dns/tsig.ts";
import { TsigKeys } from "./tsig_keys.ts";
import type { ServedZone } from "./zones.ts";

/** What is in the files of a zone. */
export interface ZoneFiles {
  /** What it is signed with; none for a zone that isn't. */
  readonly keys: readonly ZoneKey[];
  /** What questions may be signed with: the keys of its files, and those of its groups. */
  readonly tsig: readonly TsigKey[];
}

/**
 * Reads those of all zones, by their names.
 *
 * @param secretsOf The secrets of a group, 32 bytes each; they are not kept.
 * @throws {UserError} One can't be read, or isn't what it should be.
 */
export async function readZoneFiles(
  host: System & Files & Input & Cryptography & Signing,
  zones: readonly ServedZone[],
  secretsOf: (group: number) => readonly Uint8Array[],
): Promise<ReadonlyMap<string, ZoneFiles>> {
  const files = new Map<string, ZoneFiles>();
  const keys = new TsigKeys(host);
  try {
    for (const zone of zones) {
      files.set(zone.name, { keys: [], tsig: await readTsig(keys, zone, secretsOf) });
    }
  } finally {
    keys.wipe();
  }
  return files;
}

async function readTsig(
  keys: TsigKeys,
  { name, group, tsigFiles }: ServedZone,
  secretsOf: (group: number) => readonly Uint8Array[],
): Promise<TsigKey[]> {
  const all = new Set<TsigKey>();
  for (const path of tsigFiles) all.add(await keys.read(path));
  const groups = group === undefined ? [] : [group];
  for (const secret of groups.flatMap(secretsOf)) all.add(keys.derive(name, secret));
  return [...all];
}
