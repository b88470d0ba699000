/**
 * The registry's own key pair, that peers prove their keys for: its file, made where there is none.
 *
 * @module
 */

import { formatKey, KEY_SIZE } from "../../core/net/peer_key.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Files, Input } from "../../host/files.ts";
import type { Cryptography, System } from "../../host/host.ts";
import type { Random } from "../../host/random.ts";
import { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import { readPrivateKey } from "../files/files.ts";
import { fileOf } from "../files/identity.ts";
import { makeOwnFolder } from "../files/own_folders.ts";
import type { ServeConfig } from "./config.ts";
import { areSameBytes } from "../../wire/bytes/wire_buffer.ts";
import type { GroupFiles } from "./groups.ts";

const OWNER_ONLY = 0o600;
const WHAT = "the registry's key file";
/** What the file's name has more than that of the state file, where nothing else is said. */
const BESIDE_STATE = ".key";

/** A key pair, and where it is from. */
export interface ServerKey {
  readonly key: ExchangeKey;
  /** Its file; undefined where it ends with the process. */
  readonly file: string | undefined;
  /** What is to be written to the file, where there is none yet; whoever writes it wipes it. */
  readonly made: Uint8Array | undefined;
}

/** What the log says of a key pair: its public half. */
export function publicKeyOf({ key }: ServerKey): string {
  return formatKey(key.publicKey.bytes);
}

/**
 * Reads the key pair, or draws it where there is no file; none where no group is served.
 *
 * @param files Of the groups: a secret of theirs, which every member has, is no key of the registry.
 * @throws {UserError} The file is no key's, or others can read it; or other registries have to have the
 *   same one, and there is none.
 */
export async function openServerKey(
  host: System & Files & Input & Random & Cryptography,
  { groups, key, state, store }: ServeConfig,
  files: readonly GroupFiles[],
): Promise<ServerKey | undefined> {
  if (groups.length === 0) return undefined;
  const file = key ?? (state === undefined ? undefined : `${state}${BESIDE_STATE}`);
  const isNew = file === undefined || await fileOf(host, file) === undefined;
  if (store !== undefined && (key === undefined || isNew)) throw noCommonKey(key);
  const bytes = isNew ? drawKey(host) : await readPrivateKey(host, file, WHAT);
  try {
    checkOwn(bytes, files, file);
    const key = new ExchangeKey(bytes, host.primitives);
    const made = isNew && file !== undefined ? textOf(bytes) : undefined;
    return { key, file, made };
  } finally {
    bytes.fill(0);
  }
}

/** What one registry has written to a store, another one believes by their common key. */
function noCommonKey(file: string | undefined): UserError {
  const missing = file === undefined ? "none is named" : `there is no ${file}`;
  return new UserError(
    `registries that share a store have one key in common, and ${missing}: make it once with ` +
      `wgsig keygen private --output ${file ?? "FILE"}, copy it to each of them, and name it ` +
      "with --key",
  );
}

/** Whoever has the private half can pretend to be the registry. */
function checkOwn(key: Uint8Array, groups: readonly GroupFiles[], file = ""): void {
  for (const { id, secrets } of groups) {
    if (!secrets.some((secret) => areSameBytes(secret, key))) continue;
    throw new UserError(
      `${WHAT} ${file} holds the secret of group ${id}, which every member has; name another file ` +
        "with --key, and one is made",
    );
  }
}

/** Makes the file of a key pair that was drawn. Returns whether it did. */
export async function keepServerKey(host: Files, { file, made }: ServerKey): Promise<boolean> {
  if (file === undefined || made === undefined) return false;
  try {
    await makeOwnFolder(host, file);
    await host.writeFile(file, made, { mode: OWNER_ONLY, exclusive: true });
    return true;
  } catch (error) {
    const hint = errorCode(error) === "ENOENT" ? "make its folder first" : "mend that";
    throw new UserError(
      `cannot write ${WHAT} ${file}: ${explain(error)}; ${hint}, or name another one with --key`,
      EXIT.failed,
    );
  } finally {
    made.fill(0);
  }
}

function textOf(key: Uint8Array): Uint8Array {
  return new TextEncoder().encode(`${formatKey(key)}\n`);
}

/** A private key, as `wg genkey` makes it (RFC 7748, section 5). */
function drawKey(host: Random): Uint8Array {
  const key = new Uint8Array(KEY_SIZE);
  host.random(key);
  key[0] = key[0]! & 248;
  key[31] = (key[31]! & 127) | 64;
  return key;
}
