/**
 * The files that a user names: settings, secrets, keys, lists of peers.
 *
 * @module
 */

import { parseKey, parseKeyFile, parseSecret } from "../../core/net/peer_key.ts";
import { DEFAULT_SETTINGS_FILE } from "../../core/settings/common_options.ts";
import { parseSettings, type Settings } from "../../core/settings/settings.ts";
import type { FileContent, Files, Input } from "../../host/files.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { System } from "../../host/host.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";

const MAX_SETTINGS_SIZE = 4 * 1024 * 1024;
const MAX_LIST_SIZE = 16 * 1024 * 1024;
const MAX_SECRET_SIZE = 4096;
/** Bits that let others than the owner in, and that let them write. */
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
const READ_BY_OTHERS = 0o044;
const ROOT = 0;
/** The user `nobody`; and whoever has no number in this user namespace. */
const NOBODY = 65_534;
/** Which numbers this user namespace has; and how many there are outside of any. */
const USER_MAP = "/proc/self/uid_map";
const MAX_USER_MAP = 65_536;
const ALL_USERS = 0xffff_ffff;
/** A key or a secret in base64 or hex, where the name of its file should be. */
const IS_SECRET = /[A-Za-z0-9+/]{43}=$|(?:^|\/)[0-9A-Fa-f]{64}$/;
/** The name that stands for standard input. */
const STANDARD_INPUT = "-";

/** Settings, and the file that they come from. */
export interface LoadedSettings {
  readonly settings: Settings;
  /** Undefined where there is no settings file. */
  readonly path: string | undefined;
}

/**
 * Reads the settings file: the one that was named, else `$WGSIG_CONFIG`, else the first there is
 * of `$XDG_CONFIG_HOME/wgsig/wgsig.toml` and `/etc/wgsig/wgsig.toml`, else none.
 */
export async function loadSettings(
  host: System & Files,
  named: string | undefined,
): Promise<LoadedSettings> {
  const required = named ?? (host.env("WGSIG_CONFIG") || undefined);
  if (required !== undefined) return await readSettings(host, required);
  const home = host.env("HOME");
  const configHome = host.env("XDG_CONFIG_HOME") || (home ? `${home}/.config` : undefined);
  const own = configHome === undefined ? [] : [`${configHome}/wgsig/wgsig.toml`];
  for (const path of [...own, DEFAULT_SETTINGS_FILE]) {
    try {
      return await readSettings(host, path, true);
    } catch (error) {
      if (errorCode(error) !== "ENOENT" && errorCode(error) !== "ENOTDIR") throw error;
    }
  }
  return { settings: {}, path: undefined };
}

/**
 * Reads the settings file again and again: once there was one, it has to stay. Else the usual settings
 * would take the place of those in a file that was removed by mistake.
 */
export function settingsReader(
  host: System & Files,
  named: string | undefined,
): () => Promise<LoadedSettings> {
  let before: string | undefined;
  return async () => {
    const loaded = await loadSettings(host, named);
    // Another file may have come that is looked for earlier.
    if (before !== undefined && loaded.path !== before) await readSettings(host, before);
    before = loaded.path;
    return loaded;
  };
}

async function readSettings(
  host: System & Files,
  path: string,
  optional = false,
): Promise<LoadedSettings> {
  const what = "settings file";
  const { bytes } = await readTrusted(host, path, MAX_SETTINGS_SIZE, what, { optional });
  try {
    return { settings: parseSettings(decode(bytes), path), path };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // The parser quotes lines: what is in a file that was taken for settings may be secret.
    // And it says twice where an error was, where a character that nothing begins with is met.
    const why = error.message.replace(/ on line '.*$/s, "").replaceAll("\n", " ")
      .replace(/^(Parse error on line \d+, column \d+: )+/, "$1");
    throw new UserError(`${path}: ${why}`);
  }
}

/** Who lacks a group secret: the registry, which makes it, or a peer, which has to get that one. */
export type SecretHolder = "registry" | "peer";

/** Reads a group secret: 32 bytes. */
export async function readSecret(
  host: System & Files & Input,
  path: string,
  holder: SecretHolder,
): Promise<Uint8Array> {
  const bytes = await readPrivate(
    host,
    path,
    "secret file",
    holder === "registry"
      ? `make one with: wgsig keygen secret --output ${path}`
      : "copy the group's: the file that the registry has",
    "secret",
  );
  const secret = parseSecret(bytes);
  if (secret !== undefined) return secret;
  throw new UserError(
    `secret file ${path} has ${bytes.length} bytes that are no secret: ` +
      `expected 32 raw bytes, or their base64 or hex`,
  );
}

/** Reads a file with one WireGuard key in base64, for the owner's eyes only: 32 bytes. */
export async function readPrivateKey(
  host: System & Files & Input,
  path: string,
  what = "private key file",
  make = "private",
): Promise<Uint8Array> {
  const bytes = await readPrivate(
    host,
    path,
    what,
    `make one with: wgsig keygen ${make} --output ${path}`,
  );
  const key = parseKeyFile(bytes);
  if (key !== undefined) return key;
  throw new UserError(`${what} ${path}: expected one WireGuard key (44 characters of base64)`);
}

/**
 * Reads a public key: the key itself in base64, or a file that holds it. A private key in such a file
 * would be sent, logged and shown to the group: it is refused.
 */
export async function readPublicKey(host: System & Files, keyOrPath: string): Promise<Uint8Array> {
  const given = parseKey(keyOrPath);
  if (given !== undefined) return given;
  const { bytes, mode } = await readTrusted(host, keyOrPath, MAX_SECRET_SIZE, "public key file", {
    hint: "; give a public key (44 characters of base64) or a file with one",
  });
  const key = parseKeyFile(bytes);
  if (key !== undefined && isHidden(mode) && isClamped(key)) {
    throw new UserError(
      `${keyOrPath} seems to be a private key, which must not be told to anyone: name it with ` +
        `--private-key, or make the public key with: wgsig keygen public < ${keyOrPath}`,
    );
  }
  if (key !== undefined) return key;
  throw new UserError(
    `public key file ${keyOrPath}: expected one WireGuard key (44 characters of base64)`,
  );
}

/** Reads an allow-list: one public key a line, then anything; `#` begins a comment. */
export async function readAllowList(host: System & Files, path: string): Promise<Uint8Array[]> {
  const { bytes } = await readTrusted(host, path, MAX_LIST_SIZE, "allow-list");
  const keys: Uint8Array[] = [];
  decode(bytes).split("\n").forEach((line, i) => {
    const word = line.trim().split(/[\s#]/, 1)[0] ?? "";
    if (word === "") return;
    const key = parseKey(word);
    if (key === undefined) {
      throw new UserError(
        `allow-list ${path}, line ${i + 1}: expected a WireGuard public key ` +
          `(44 characters of base64)`,
      );
    }
    keys.push(key);
  });
  return keys;
}

/** Makes a folder, and says which it is where a file is in its place. */
export async function makeFolder(host: Pick<Files, "makeFolder">, path: string): Promise<void> {
  try {
    await host.makeFolder(path);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    throw new UserError(`${path} is a file; a folder is needed there`, EXIT.failed);
  }
}

/** Reads what is short from standard input. The bytes are the caller's: it can be read again. */
export async function readInput(host: Input, what: string): Promise<Uint8Array> {
  try {
    return (await host.readInput(MAX_SECRET_SIZE)).slice();
  } catch (error) {
    throw new UserError(`cannot read ${what} from standard input: ${explain(error)}`);
  }
}

/** Reads a file that nobody but its owner may read. */
export async function readPrivate(
  host: System & Files & Input,
  path: string,
  what: string,
  hint: string,
  flag?: string,
): Promise<Uint8Array> {
  if (path === STANDARD_INPUT) return await readInput(host, what);
  if (IS_SECRET.test(path)) {
    throw new UserError(
      `expected the name of a ${what}, got what belongs into it; write that to a file`,
    );
  }
  const file = await read(host, path, MAX_SECRET_SIZE, what, { hint: `; ${hint}` });
  const { bytes, mode } = file;
  if (!hasOwner(host, path)) return bytes;
  const elsewhere = flag === undefined
    ? ""
    : `, or where that can't be done, add: --${flag} - < ${path}`;
  if (mode !== undefined && (mode & OTHERS) !== 0) {
    const open = (mode & READ_BY_OTHERS) !== 0
      ? "can be read by others"
      : "is not its owner's alone";
    throw new UserError(
      `${what} ${path} ${open} (mode ${mode.toString(8).padStart(4, "0")}); ` +
        `mend it with: chmod 600 ${path}${elsewhere}`,
    );
  }
  await checkOwner(host, path, what, file, "read and change");
  return bytes;
}

/**
 * Reads a file that only its owner may change: whoever can change it has commands run, or decides who
 * takes part.
 *
 * @param how See {@linkcode read}.
 */
async function readTrusted(
  host: System & Files,
  path: string,
  limit: number,
  what: string,
  how: ReadHow = {},
): Promise<FileContent> {
  const file = await read(host, path, limit, what, how);
  if (!hasOwner(host, path)) return file;
  const { mode } = file;
  if (mode !== undefined && (mode & OTHERS_WRITE) !== 0) {
    throw new UserError(
      `${what} ${path} can be changed by others (mode ${mode.toString(8).padStart(4, "0")}); ` +
        `mend it with: chmod go-w ${path}`,
    );
  }
  await checkOwner(host, path, what, file, "change");
  return file;
}

/** Whether mode and owner of a file say who can read and change it. */
function hasOwner(host: System, path: string): boolean {
  return !host.target.startsWith("win32") && !isCredential(host, path);
}

/** Refuses a file of another user. @param can What that user can do with it. */
async function checkOwner(
  host: System & Files,
  path: string,
  what: string,
  { owner }: FileContent,
  can: string,
): Promise<void> {
  if (owner === undefined || owner === ROOT || owner === host.user) return;
  if (owner === NOBODY && await isUnnamed(host)) return;
  throw new UserError(
    `${what} ${path} belongs to another user (${owner}), who can ${can} it; ` +
      `mend it with: chown ${host.user ?? ROOT} ${path}`,
  );
}

/**
 * Whether `nobody` may stand for whoever has no number in this user namespace: root outside of a
 * container, say.
 */
async function isUnnamed(host: Files): Promise<boolean> {
  try {
    const { bytes } = await host.readFile(USER_MAP, MAX_USER_MAP);
    let users = 0;
    for (const line of decode(bytes).trim().split("\n")) {
      users += Number(line.trim().split(/\s+/)[2]);
    }
    return users < ALL_USERS;
  } catch {
    // A system without user namespaces.
    return false;
  }
}

/** Whether systemd made the file for this service alone, with a mode and an owner of its own. */
function isCredential(host: System, path: string): boolean {
  const folder = host.env("CREDENTIALS_DIRECTORY");
  return folder !== undefined && folder !== "" && path.startsWith(`${folder}/`) &&
    !path.includes("/../");
}

/** How a file is read. */
interface ReadHow {
  /** What is said where there is none. */
  readonly hint?: string;
  /** Let the host's error through where there is none. */
  readonly optional?: boolean;
}

async function read(
  host: System & Files,
  path: string,
  limit: number,
  what: string,
  { hint = "", optional = false }: ReadHow,
): Promise<FileContent> {
  try {
    return await host.readFile(path, limit);
  } catch (error) {
    const missing = errorCode(error) === "ENOENT";
    if (optional && (missing || errorCode(error) === "ENOTDIR")) throw error;
    throw new UserError(
      `cannot read ${what} ${path}: ${explain(error)}${missing ? hint : asRoot(host, error)}`,
    );
  }
}

/** What to do where a file is another user's. */
export function asRoot({ user }: Pick<System, "user">, error: unknown): string {
  const isRefused = errorCode(error) === "EACCES" || errorCode(error) === "EPERM";
  return isRefused && user !== ROOT ? "; run this as root" : "";
}

/** Whether only the owner of a file can read it. */
function isHidden(mode: number | undefined): boolean {
  return mode !== undefined && (mode & OTHERS) === 0;
}

/** Whether a key has the bits that every X25519 private key of WireGuard has (RFC 7748, section 5). */
export function isClamped(key: Uint8Array): boolean {
  return (key[0]! & 7) === 0 && (key[31]! & 0xc0) === 0x40;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
