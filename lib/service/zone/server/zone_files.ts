/**
 * What is in the files that the settings of a zone name.
 *
 * @module
 */

import { tsigProblem } from "../../../core/zone/server/view_rules.ts";
import { UserError } from "../../../core/settings/user_error.ts";
import type { Clock } from "../../../host/clock.ts";
import type { Files, Input } from "../../../host/files.ts";
import type { Cryptography, Signing, System } from "../../../host/host.ts";
import type { TsigKey } from "../../../wire/dns/tsig.ts";
import { TsigKeys } from "./tsig_keys.ts";
import type { SigningKeyFiles, SigningKeys } from "./signing_keys.ts";
import type { ServedZone } from "./zones.ts";

const UNSIGNED: SigningKeys = { keys: [], secondsPerSignature: 0 };

/** What is in the files of a zone: what it is signed with, which is nothing for most, and */
export interface ZoneFiles extends SigningKeys {
  /**
   * What questions may be signed with: the keys of its files, and of each group the one that its secret
   * makes, named `group-N.ZONE`; where the zone has one group, also by the zone's own name.
   */
  readonly tsig: readonly TsigKey[];
}

/**
 * Reads those of all zones, by their names.
 *
 * @param secretsOf The secrets of a group, 32 bytes each; they are not kept.
 * @throws {UserError} One can't be read, or isn't what it should be.
 */
export async function readZoneFiles(
  host: System & Files & Input & Cryptography & Signing & Clock,
  zones: readonly ServedZone[],
  secretsOf: (group: number) => readonly Uint8Array[],
): Promise<ReadonlyMap<string, ZoneFiles>> {
  const files = new Map<string, ZoneFiles>();
  const keys = new TsigKeys(host);
  let signing: SigningKeyFiles | undefined;
  try {
    for (const zone of zones) {
      const tsig = await readTsig(keys, zone, secretsOf);
      if (zone.dnssecKeys.length > 0) signing ??= await signingKeyFiles(host, zone);
      files.set(zone.name, { ...await signing?.read(zone) ?? UNSIGNED, tsig });
    }
  } finally {
    keys.wipe();
  }
  return files;
}

async function readTsig(
  keys: TsigKeys,
  { name, groups, tsigFiles, requireTsig, views = [] }: ServedZone,
  secretsOf: (group: number) => readonly Uint8Array[],
): Promise<TsigKey[]> {
  const ofFiles = new Map<TsigKey, string>();
  for (const [i, path] of tsigFiles.entries()) {
    if (tsigFiles.indexOf(path) < i) {
      throw new UserError(
        `DNS zone ${name}: TSIG key file ${path} is named twice; leave one of them out`,
      );
    }
    ofFiles.set(await keys.read(path), path);
  }
  const all = new Set(ofFiles.keys());
  const named = new Set(views.flatMap(({ tsig = [] }) => tsig));
  for (const group of groups) {
    const names = [`group-${group}.${name}`, ...(groups.length === 1 ? [name] : [])];
    for (const text of names) {
      const derived = secretsOf(group).map((secret) => keys.derive(text, secret));
      for (const [key, path] of ofFiles) {
        if (key.text !== text || !named.has(text) || derived.includes(key)) continue;
        throw new UserError(
          `DNS zone ${name}: a view is for the TSIG key ${text}, which is the name of the key in ` +
            `${path} and of the one that all of group ${group} have; give that in the file another ` +
            "name",
        );
      }
      for (const key of derived) all.add(key);
    }
  }
  const tsig = [...all];
  const why = tsigProblem(views, tsig.map(({ text }) => text), requireTsig);
  if (why !== undefined) throw new UserError(`DNS zone ${name}: ${why}`);
  return tsig;
}

async function signingKeyFiles(
  host: System & Files & Input & Signing & Clock,
  { name }: ServedZone,
): Promise<SigningKeyFiles> {
  const { signing } = host;
  if (signing === undefined) {
    throw new UserError(
      `DNS zone ${name}: this program for small routers doesn't sign zones; leave dnssec-keys out, ` +
        "or run wgsig's larger binary",
    );
  }
  const { SigningKeyFiles } = await import("./signing_keys.ts");
  return new SigningKeyFiles(host, signing);
}
