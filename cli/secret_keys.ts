/**
 * What this host keeps secret is not told to servers as its public key.
 *
 * @module
 */

import { x25519 } from "@noble/curves/ed25519.js";
import { formatKey, parseKey, parseSecret } from "../lib/core/net/peer_key.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import type { Files } from "../lib/host/files.ts";
import type { Processes } from "../lib/host/processes.ts";
import { isClamped, type LoadedSettings } from "../lib/service/files/files.ts";
import { fileOf } from "../lib/service/files/identity.ts";
import { interfaceKeys } from "../lib/wireguard/device.ts";
import { areSameBytes } from "../lib/wire/bytes/wire_buffer.ts";

/** More than a secret can have: what is larger is none. */
const MAX_SIZE = 4096;

/** The options that name secret files. */
interface SecretOptions {
  readonly "secret-file"?: string | undefined;
  readonly "secret-files"?: readonly string[] | undefined;
  readonly "private-key-file"?: string | undefined;
}

/**
 * Refuses what is no public key but a group secret, a preshared key or a private key of this host.
 *
 * @param key What was named, 32 bytes.
 * @param given As it was named: the key's text, or a file. Texts are never shown.
 * @throws {UserError} Saying what it is.
 */
export async function refuseSecretKey(
  host: Files & Processes,
  loaded: LoadedSettings,
  options: SecretOptions,
  key: Uint8Array,
  given: string,
): Promise<void> {
  const file = parseKey(given) === undefined ? await fileOf(host, given) : undefined;
  for (const path of secretFiles(loaded, options)) {
    const isSame = file !== undefined && file === await fileOf(host, path);
    if (isSame || await holds(host, path, key)) {
      throw new UserError(
        `what --key or public-key names is what ${path} holds, which must not be told to anyone: ` +
          `name the public key`,
      );
    }
  }
  const half = formatKey(x25519.getPublicKey(key));
  const isKnown = loaded.settings.peer?.some((peer) => peer["public-key"] === half) ||
    isClamped(key) && (await interfaceKeys(host)).includes(half);
  if (isKnown) {
    throw new UserError(
      `what --key or public-key names is a private key, which must not be told to anyone: that of ` +
        half,
    );
  }
}

/** Refuses a key that is the group secret. @param secret The one in use, 32 bytes. */
export function refuseSecret(key: Uint8Array | undefined, secret: Uint8Array | undefined): void {
  if (key === undefined || secret === undefined || !areSameBytes(key, secret)) return;
  throw new UserError(
    "what --key or public-key names is the group secret, which must not be told to anyone: name " +
      "the public key",
  );
}

function secretFiles({ settings }: LoadedSettings, options: SecretOptions): string[] {
  const { serve, sync = new Map<string, SecretOptions>(), peer = [] } = settings;
  const all = [options, ...sync.values(), ...serve?.group ?? []].flatMap((each: SecretOptions) => [
    each["secret-file"],
    ...each["secret-files"] ?? [],
    each["private-key-file"],
  ]);
  return [...all, serve?.key, ...peer.map((each) => each["preshared-key-file"])]
    .filter((path) => path !== undefined);
}

/** Whether a file holds the key. A pipe is not read: who needs it later would find it empty. */
async function holds(host: Files, path: string, key: Uint8Array): Promise<boolean> {
  try {
    const secret = parseSecret((await host.readFile(path, MAX_SIZE, { regular: true })).bytes);
    return secret !== undefined && areSameBytes(secret, key);
  } catch {
    return false;
  }
}
