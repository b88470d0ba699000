/**
 * The files of the keys that a zone is signed with. Only a server with signed zones loads it.
 *
 * @module
 */

import { readZoneKey } from "../../../core/zone/server/key_file.ts";
import { MAX_ZONE_KEYS } from "../../../core/zone/server/signer.ts";
import type { ZoneKey } from "../../../core/zone/server/zone_key.ts";
import { UserError } from "../../../core/settings/user_error.ts";
import type { Files, Input } from "../../../host/files.ts";
import type { System } from "../../../host/host.ts";
import type { MakeSigningKey } from "../../../wire/crypto/signing.ts";
import { areSameBytes } from "../../../wire/bytes/wire_buffer.ts";
import { readPrivate } from "../../files/files.ts";
import type { ServedZone } from "./zones.ts";

const WHAT = "zone key file";
/** The most bytes of a file that is looked at to say what it is. */
const MAX_SIZE = 4096;
/** Reads the keys of a zone. @throws {UserError} One isn't to be had, or is no key of a zone. */
export async function readSigningKeys(
  host: System & Files & Input,
  make: MakeSigningKey,
  { name, dnssecKeys: paths }: Pick<ServedZone, "name" | "dnssecKeys">,
): Promise<ZoneKey[]> {
  const fail = (why: string): never => {
    throw new UserError(`DNS zone ${name}: ${why}`);
  };
  if (paths.length > MAX_ZONE_KEYS) {
    fail(`it has ${paths.length} keys to be signed with; name ${MAX_ZONE_KEYS} at most`);
  }
  const keys: ZoneKey[] = [];
  for (const [i, path] of paths.entries()) {
    if (paths.indexOf(path) < i) fail(`${WHAT} ${path} is named twice; leave one of them out`);
    const key = await readKey(host, name, path, make);
    const same = keys.findIndex(({ dnskey }) => areSameBytes(dnskey, key.dnskey));
    if (same >= 0) {
      fail(`${WHAT}s ${paths[same]} and ${path} hold the same key; leave one of them out`);
    }
    keys.push(key);
  }
  return keys;
}

async function readKey(
  host: System & Files & Input,
  zone: string,
  path: string,
  make: MakeSigningKey,
): Promise<ZoneKey> {
  const hint = `make one with: wgsig keygen zone ${zone} --output ${path}`;
  let bytes: Uint8Array;
  try {
    bytes = await readPrivate(host, path, WHAT, hint);
  } catch (error) {
    // The file of a public key may be read by everybody, and mending that doesn't help.
    if (await isPublic(host, path)) return readNamed(path, PUBLIC, make);
    throw error;
  }
  try {
    return readNamed(path, bytes, make);
  } finally {
    bytes.fill(0);
  }
}

function readNamed(path: string, bytes: Uint8Array, make: MakeSigningKey): ZoneKey {
  try {
    return readZoneKey(bytes, make);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`${WHAT} ${path} ${error.message}`);
  }
}

/** What stands in the file of a public key. */
const PUBLIC = new TextEncoder().encode(" IN DNSKEY ");

async function isPublic(host: Files, path: string): Promise<boolean> {
  try {
    const { bytes } = await host.readFile(path, MAX_SIZE, { regular: true });
    const text = new TextDecoder().decode(bytes);
    bytes.fill(0);
    return /\sDNSKEY\s/.test(text);
  } catch {
    // Whoever reads it says why.
    return false;
  }
}
