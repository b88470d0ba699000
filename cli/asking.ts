/**
 * What `query` and `config` share: whom to ask, as whom, with which secret.
 *
 * @module
 */

import { x25519 } from "@noble/curves/ed25519.js";
import { formatServerName, type ServerName } from "../lib/core/ask/server_name.ts";
import { PRIVATE_NETWORKS } from "../lib/core/roster/client/private_networks.ts";
import { formatKey } from "../lib/core/net/peer_key.ts";
import {
  CLIENT,
  type PeerSettings,
  type QUERY_FLAGS,
  type SyncSettings,
} from "../lib/core/settings/client_options.ts";
import { isGiven, readTexts, resolve, type Resolved } from "../lib/core/settings/option.ts";
import { namedFiles } from "../lib/core/settings/named_files.ts";
import { itemPath } from "../lib/core/settings/reader.ts";
import { SETTINGS } from "../lib/core/settings/sections.ts";
import type { Host } from "../lib/host/host.ts";
import {
  type LoadedSettings,
  loadSettings,
  readPrivateKey,
  readPublicKey,
  readSecret,
} from "../lib/service/files/files.ts";
import type { QueryConfig } from "../lib/service/query/query.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import { interfaceKey } from "../lib/wireguard/device.ts";
import type { Arguments } from "./arguments.ts";
import { refuseSecret, refuseSecretKey } from "./secret_keys.ts";

/** What flags and settings say of an interface. */
export type ClientOptions = Resolved<typeof CLIENT>;

/** Who asks, as flags and settings say it. */
export interface Asker {
  readonly args: Arguments;
  readonly flags: Pick<Resolved<typeof QUERY_FLAGS>, "config" | "interface" | "no-register">;
  readonly loaded: LoadedSettings;
  readonly options: ClientOptions;
  /** The WireGuard interface that was named. */
  readonly device: string | undefined;
}

/** Reads the settings of who asks. */
export async function readAsker(
  host: Host,
  args: Arguments,
  flags: Asker["flags"],
  device = flags.interface,
): Promise<Asker> {
  const loaded = await loadSettings(host, flags.config);
  const unused = unusedSections(loaded, device);
  if (unused !== undefined) host.err.write(`wgsig: ${unused}\n`);
  const options = resolve(CLIENT, args, interfaceSettings(loaded, device));
  return { args, flags, loaded, options, device };
}

/** What to say where the settings have sections for interfaces, but none for the one that was named. */
export function unusedSections(
  { settings: { sync }, path }: LoadedSettings,
  name: string | undefined,
): string | undefined {
  if (name === undefined || sync === undefined || sync.size === 0 || sync.has(name)) return;
  const names = [...sync.keys()].map((each) => `[sync.${each}]`).join(", ");
  return `${path} has no [sync.${name}], only ${names}; that is not used`;
}

/** The settings of the interface that is meant: the one that is named, or the only one. */
export function interfaceSettings(
  loaded: LoadedSettings,
  name: string | undefined,
): SyncSettings {
  const sections = loaded.settings.sync ?? new Map<string, SyncSettings>();
  if (name !== undefined) return sections.get(name) ?? {};
  return sections.size === 1 ? [...sections.values()][0]! : {};
}

/** The files that arguments and settings name. */
export function filesOf({ loaded: { settings, path }, options }: Asker): string[] {
  const named = [...namedFiles(SETTINGS, settings), ...namedFiles(CLIENT, options)];
  return [...named, options["public-key"], path].filter((each) => each !== undefined);
}

/** A private key and the public key of it, 32 bytes each. */
export interface KeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** The private key that the flags or the settings name, and what it is told by. */
export async function ownKeys(
  host: Host,
  { options }: Pick<Asker, "options">,
): Promise<KeyPair | undefined> {
  const path = options["private-key-file"];
  if (path === undefined) return undefined;
  const privateKey = await readPrivateKey(host, path);
  return { privateKey, publicKey: x25519.getPublicKey(privateKey) };
}

/** The own public key that flags or settings name, by a private key or as it is; else undefined. */
export async function namedKey(
  host: Host,
  asker: Pick<Asker, "loaded" | "options">,
): Promise<Uint8Array | undefined> {
  const keys = await ownKeys(host, asker);
  if (keys !== undefined) return keys.publicKey;
  const key = asker.options["public-key"];
  return key === undefined ? undefined : await publicKeyOf(host, asker, key);
}

/** A public key that was named: the key, or a file with it. What is a secret here is refused. */
async function publicKeyOf(
  host: Host,
  { loaded, options }: Pick<Asker, "loaded" | "options">,
  given: string,
): Promise<Uint8Array> {
  const key = await readPublicKey(host, given);
  await refuseSecretKey(host, loaded, options, key, given);
  return key;
}

/** Who asks. */
export interface OwnKeys {
  /** The own public key, 32 bytes. */
  readonly id: Uint8Array;
  /** The private half, 32 bytes, where it is at hand. */
  readonly privateKey: Uint8Array | undefined;
}

/**
 * The own keys for `query`: a private key stands in where no public key is named. One that the
 * settings name is not looked for where somebody says otherwise who asks.
 */
export async function askersKeys(host: Host, asker: Asker): Promise<OwnKeys> {
  const { args, device } = asker;
  const isNamed = device !== undefined || isGiven(args, CLIENT["public-key"]);
  const keys = isNamed && !isGiven(args, CLIENT["private-key-file"])
    ? undefined
    : await ownKeys(host, asker);
  const id = await ownPublicKey(host, asker, isNamed ? undefined : keys);
  refuseOtherKey(id, keys?.publicKey, asker.options["private-key-file"]);
  return { id, privateKey: keys?.privateKey };
}

/** A file with one's private key and the public key of another would have this host as its peer. */
export function refuseOtherKey(
  id: Uint8Array | undefined,
  publicKey: Uint8Array | undefined,
  path: string | undefined,
): void {
  if (id === undefined || publicKey === undefined) return;
  const [own, other] = [formatKey(publicKey), formatKey(id)];
  if (own === other) return;
  throw new UserError(
    `the private key in ${path} is that of ${own}, not of ${other}, which --key or the interface ` +
      "names; leave one of them out",
  );
}

/**
 * The own public key: of `--key`, of the private key, of the settings, of the interface.
 */
export async function ownPublicKey(
  host: Host,
  asker: Asker,
  keys: KeyPair | undefined,
): Promise<Uint8Array> {
  const { args, flags, loaded, options, device } = asker;
  const key = options["public-key"];
  if (key !== undefined && key === options["private-key-file"]) {
    throw new UserError(`${key} is the private key file: leave --key out`);
  }
  if (key !== undefined && isGiven(args, CLIENT["public-key"])) {
    return await publicKeyOf(host, asker, key);
  }
  if (flags.interface !== undefined && device !== undefined) {
    const named = () =>
      keys === undefined ? namedKey(host, asker) : Promise.resolve(keys.publicKey);
    return await interfaceKey(host, device, named);
  }
  if (keys !== undefined) return keys.publicKey;
  if (key !== undefined) return await publicKeyOf(host, asker, key);
  if (device !== undefined) {
    return await interfaceKey(host, device, () => namedKey(host, asker));
  }
  if ((loaded.settings.sync?.size ?? 0) > 1) {
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
export function namesKey({ options, device }: Asker): boolean {
  return device !== undefined || options["private-key-file"] !== undefined ||
    options["public-key"] !== undefined;
}

/** What every question needs, whoever asks it. */
export type QuestionConfig = Pick<
  QueryConfig,
  "servers" | "secret" | "serverKeys" | "tsigKeys" | "group" | "encrypt" | "maxAge" | "timeout"
>;

/** Puts the question of `query` and `config` together. @param own Who asks. */
export async function queryConfig(
  host: Host,
  { args, flags, loaded, options }: Asker,
  servers: readonly ServerName[],
  { id, privateKey }: { readonly [K in keyof OwnKeys]?: OwnKeys[K] | undefined },
): Promise<QueryConfig> {
  const question = await questionConfig(host, options, servers);
  refuseSecret(id, question.secret);
  return {
    ...question,
    known: [...peersByKey(loaded).keys()],
    id,
    privateKey,
    followsRoster: options["trust-registry"],
    port: options.port,
    anyPort: !isGiven(args, CLIENT.port),
    register: !flags["no-register"],
  };
}

/** Checks that somebody is asked. @param mayBeNone Whether there is something to do without. */
export function askedServers(
  servers: readonly ServerName[],
  mayBeNone = false,
): readonly ServerName[] {
  if (servers.length > 0 || mayBeNone) return servers;
  throw new UserError(
    "which server? Name one (HOST or HOST:PORT), or set servers in [sync.NAME] of the settings",
  );
}

/** Whom `query` asks: its arguments, else the servers of the settings. */
export function queriedServers({ args, options }: Asker): readonly ServerName[] {
  const { operands } = args;
  return askedServers(
    operands.length > 0 ? readTexts(CLIENT.servers.reader, operands, "SERVER") : options.servers,
  );
}

/** How to ask, and with which secret. */
export async function questionConfig(
  host: Host,
  options: ClientOptions,
  servers: readonly ServerName[],
): Promise<QuestionConfig> {
  const { "private-key-file": key, "secret-file": secret } = options;
  if (key !== undefined && key === secret) {
    throw new UserError(`${key} is the group's secret: private-key-file must be another file`);
  }
  return {
    servers,
    secret: servers.some(({ scheme }) => scheme === "wgsig")
      ? await readSecret(host, options["secret-file"], "peer")
      : undefined,
    serverKeys: serverKeysOf(options, servers),
    tsigKeys: options["tsig-files"].length === 0
      ? undefined
      : await (await import("./tsig_keys.ts")).tsigKeysOf(host, options, servers),
    group: options.group,
    encrypt: options.encryption === "on",
    maxAge: options["max-age"],
    timeout: options.timeout,
  };
}

/**
 * The keys that registries must have, by their names. One for a server that nobody asks is a slip of
 * the pen, by which another one would have none.
 */
export function serverKeysOf(
  { servers: settings, "server-key": pinned }: Pick<ClientOptions, "servers" | "server-key">,
  servers: readonly ServerName[],
): Map<string, Uint8Array> {
  const registries = servers.filter(({ scheme }) => scheme === "wgsig").map(formatServerName);
  const known = [...registries, ...settings.map(formatServerName)];
  const keys = new Map<string, Uint8Array>();
  for (const { server, key } of pinned) {
    if (server !== undefined && !known.includes(server)) {
      throw new UserError(`server-key has a key for ${server}, which is none of the servers`);
    }
    const others = registries.filter((name) => pinned.every((each) => each.server !== name));
    for (const name of server === undefined ? others : [server]) {
      if (keys.has(name)) throw new UserError(`server-key has two keys for ${name}: leave one out`);
      keys.set(name, key);
    }
  }
  return keys;
}

/**
 * The networks in which what registries give to peers must lie; undefined where peers are not taken from
 * them. Who takes them has to know whose word that is, and shows who asks.
 *
 * @param section Of the settings, as it is written.
 */
export function trustedRegistry(
  options: ClientOptions,
  { servers, serverKeys }: Pick<QuestionConfig, "servers" | "serverKeys">,
  section: string,
): { readonly networks: readonly string[] } | undefined {
  if (!options["trust-registry"]) return undefined;
  const registries = servers.filter(({ scheme }) => scheme === "wgsig").map(formatServerName);
  if (registries.length === 0) {
    throw new UserError(
      `trust-registry takes peers from a registry, and there is none among the servers of ${section}`,
    );
  }
  const unpinned = registries.find((each) => serverKeys?.has(each) !== true);
  if (unpinned !== undefined) {
    throw new UserError(
      `trust-registry needs the registry's key: set server-key in ${section} to the one that serve's ` +
        `log at ${unpinned} shows`,
    );
  }
  if (options["private-key-file"] === undefined) {
    throw new UserError(
      `trust-registry needs the own private key, which shows the registry who asks: set ` +
        `private-key-file in ${section}`,
    );
  }
  const networks = options["trust-networks"];
  return { networks: networks.length === 0 ? PRIVATE_NETWORKS : networks };
}

/** The settings of peers, by public key. */
export function peersByKey(loaded: LoadedSettings): Map<string, PeerSettings> {
  const peers = new Map<string, PeerSettings>();
  (loaded.settings.peer ?? []).forEach((peer, i) => {
    const key = peer["public-key"];
    const at = `${loaded.path}: ${itemPath("peer", i, peer)}`;
    if (key === undefined) throw new UserError(`${at}: public-key is missing`);
    if (peers.has(key)) throw new UserError(`${at}: ${key} is there twice`);
    peers.set(key, peer);
  });
  return peers;
}
