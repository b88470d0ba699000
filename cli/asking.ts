/**
 * What `query` and `config` share: whom to ask, as whom, with which secret.
 *
 * @module
 */

import { x25519 } from "@noble/curves/ed25519.js";
import { parseServerName, type ServerName } from "../lib/core/ask/server_name.ts";
import {
  clientEncryption,
  DEFAULT_SECRET_FILE,
  groupNumber,
  type PeerSettings,
  type SyncSettings,
} from "../lib/core/settings/settings.ts";
import { duration, integer } from "../lib/core/settings/reader.ts";
import type { Host } from "../lib/host/host.ts";
import {
  besideSettings,
  type LoadedSettings,
  readPrivateKey,
  readPublicKey,
  readSecret,
} from "../lib/service/files/files.ts";
import type { QueryConfig } from "../lib/service/query/query.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import { interfaceKey } from "../lib/wireguard/device.ts";
import type { Arguments } from "./options.ts";

const DEFAULT_MAX_AGE = 86_400;
const DEFAULT_TIMEOUT = 10;
const MAX_PORT = 0xffff;

/** The settings of the interface that is meant: the one that is named, or the only one. */
export function interfaceSettings(
  loaded: LoadedSettings,
  name: string | undefined,
): SyncSettings {
  const sections = loaded.settings.sync ?? new Map<string, SyncSettings>();
  if (name !== undefined) return sections.get(name) ?? {};
  return sections.size === 1 ? [...sections.values()][0]! : {};
}

/** The private key that the flags or the settings name, 32 bytes. */
export async function ownPrivateKey(
  host: Host,
  args: Arguments,
  settings: SyncSettings,
  loaded: LoadedSettings,
): Promise<Uint8Array | undefined> {
  const configured = settings["private-key-file"];
  const path = args.text("private-key") ?? (configured && besideSettings(configured, loaded));
  return path === undefined ? undefined : await readPrivateKey(host, path);
}

/** The own public key for `query`: a private key in the settings stands in where nothing is named. */
export async function askersKey(
  host: Host,
  args: Arguments,
  settings: SyncSettings,
  loaded: LoadedSettings,
  device: string | undefined,
): Promise<Uint8Array> {
  const privateKey = device === undefined && !args.has("key")
    ? await ownPrivateKey(host, args, settings, loaded)
    : undefined;
  return await ownPublicKey(host, args, settings, loaded, privateKey, device);
}

/**
 * The own public key: of `--key`, of the private key, of the settings, of the interface.
 */
export async function ownPublicKey(
  host: Host,
  args: Arguments,
  settings: SyncSettings,
  loaded: LoadedSettings,
  privateKey: Uint8Array | undefined,
  device: string | undefined,
): Promise<Uint8Array> {
  const given = args.text("key");
  if (given !== undefined) return await readPublicKey(host, given);
  if (args.has("interface") && device !== undefined) return await interfaceKey(host, device);
  if (privateKey !== undefined) return x25519.getPublicKey(privateKey);
  if (settings["public-key"] !== undefined) {
    return await readPublicKey(host, settings["public-key"]);
  }
  if (device !== undefined) return await interfaceKey(host, device);
  if ((loaded.settings.sync?.size ?? 0) > 1 && device === undefined) {
    const names = [...loaded.settings.sync!.keys()].join(", ");
    throw new UserError(`the settings have several interfaces (${names}); name one of them`);
  }
  throw new UserError(
    "which peer is this? Give its public key with --key KEY, or public-key in [sync.NAME] " +
      "of the settings",
  );
}

/** Whether one of the servers wants to know who asks. */
export function needsKey(servers: readonly ServerName[]): boolean {
  return servers.some(({ scheme }) => scheme !== "dns");
}

/** Whether flags or settings say who asks. */
export function namesKey(
  args: Arguments,
  settings: SyncSettings,
  device: string | undefined,
): boolean {
  return args.has("key") || args.has("private-key") || device !== undefined ||
    settings["private-key-file"] !== undefined || settings["public-key"] !== undefined;
}

/** What every question needs, whoever asks it. */
export type QuestionConfig = Pick<
  QueryConfig,
  "servers" | "secret" | "group" | "encrypt" | "maxAge" | "timeout"
>;

/** Puts the question of `query` and `config` together. */
export function queryConfig(
  args: Arguments,
  loaded: LoadedSettings,
  settings: SyncSettings,
  question: QuestionConfig,
  id: Uint8Array | undefined,
): QueryConfig {
  return {
    ...question,
    known: [...peersByKey(loaded).keys()],
    id,
    port: args.number("port", integer(0, MAX_PORT)) ?? settings.port ?? 0,
    anyPort: !args.has("port"),
    register: !args.has("no-register"),
  };
}

/**
 * Whom to ask: who is named, else the servers of the settings.
 *
 * @param mayBeNone Whether there is something to do without one.
 */
export function askedServers(
  { servers = [] }: SyncSettings,
  named: readonly string[] | undefined,
  mayBeNone = false,
): readonly ServerName[] {
  const asked = named !== undefined && named.length > 0 ? named.map(serverName) : servers;
  if (asked.length > 0 || mayBeNone) return asked;
  throw new UserError(
    "which server? Name one (HOST or HOST:PORT), or set servers in [sync.NAME] of the settings",
  );
}

/** How to ask, and with which secret. */
export async function questionConfig(
  host: Host,
  args: Arguments,
  loaded: LoadedSettings,
  settings: SyncSettings,
  servers: readonly ServerName[],
): Promise<QuestionConfig> {
  const configured = settings["secret-file"];
  const secretFile = args.text("secret") ??
    (configured === undefined ? DEFAULT_SECRET_FILE : besideSettings(configured, loaded));
  return {
    servers,
    secret: servers.some(({ scheme }) => scheme === "wgsig")
      ? await readSecret(host, secretFile)
      : undefined,
    group: args.number("group", groupNumber) ?? settings.group ?? 0,
    encrypt: (args.read("encryption", clientEncryption) ?? settings.encryption) !== "off",
    maxAge: args.read("max-age", duration) ?? settings["max-age"] ?? DEFAULT_MAX_AGE,
    timeout: args.read("timeout", duration) ?? settings.timeout ?? DEFAULT_TIMEOUT,
  };
}

/** The settings of peers, by public key. */
export function peersByKey(loaded: LoadedSettings): Map<string, PeerSettings> {
  const peers = new Map<string, PeerSettings>();
  (loaded.settings.peer ?? []).forEach((peer, i) => {
    const key = peer["public-key"];
    if (key === undefined) {
      throw new UserError(`${loaded.path}: peer[${i}]: public-key is missing`);
    }
    if (peers.has(key)) throw new UserError(`${loaded.path}: peer[${i}]: ${key} is there twice`);
    peers.set(key, peer);
  });
  return peers;
}

function serverName(text: string): ServerName {
  const server = parseServerName(text);
  if (server !== undefined) return server;
  throw new UserError(
    `"${text}" is no server; expected HOST, HOST:PORT, [IPV6]:PORT, dns://HOST[:PORT]/ZONE or ` +
      "punch://HOST[:PORT]",
  );
}
