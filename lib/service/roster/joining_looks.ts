/**
 * What is looked at before a link is used: programs, files, folders and ports that could be in the way.
 *
 * @module
 */

import { parseSettings, type Settings } from "../../core/settings/settings.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";
import type { Processes } from "../../host/processes.ts";
import type { System } from "../../host/host.ts";
import type { Udp } from "../../host/udp.ts";
import { readIndex } from "../../wireguard/addresses.ts";
import { asRoot, makeFolder } from "../files/files.ts";

const OWNER_ONLY = 0o600;
const USUAL_PORT = 51_820;
const NAME_OF_PROBE = ".wgsig-join";
/** So long a program may take that says how it is used, in seconds. */
const LOOK_TIMEOUT = 60;
/** The most bytes of settings that are there before. */
const MAX_SETTINGS = 65_536;

/** Whether there is a program. */
export async function hasProgram(host: Processes, program: string): Promise<boolean> {
  try {
    await host.run([program, "--help"], { timeout: LOOK_TIMEOUT });
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Refuses where a program is missing that brings an interface up. */
export async function checkTools(host: Processes, isQuick: boolean): Promise<void> {
  const needed = isQuick ? ["wg"] : ["wg", "ip"];
  for (const each of needed) {
    if (await hasProgram(host, each)) continue;
    const hint = each === "wg" ? "install wireguard-tools" : "install iproute2";
    throw new UserError(`--up needs ${each}, which isn't there; ${hint}`, EXIT.failed);
  }
}

/** Refuses where there is an interface of that name. */
export async function checkInterface(host: Processes, name: string): Promise<void> {
  const isThere = await readIndex(host, name).then((index) => index !== undefined, () => false);
  if (!isThere) return;
  throw new UserError(
    `there is an interface ${name} already; if this host has joined, go on with: wgsig sync ${name}; ` +
      "else name another: wgsig join - wg1 (which reads the link from standard input), or take it " +
      "down first",
    EXIT.failed,
  );
}

/** Whether there is something of that name. */
export async function isThere(host: Files & System, path: string): Promise<boolean> {
  try {
    await host.identify(path);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw new UserError(
      `cannot look for ${path}: ${explain(error)}${asRoot(host, error)}`,
      EXIT.failed,
    );
  }
}

/** Refuses where there is something of that name. */
export async function refuseFile(host: Files & System, path: string): Promise<void> {
  if (!await isThere(host, path)) return;
  const hint = "name another interface behind the link, or where a join was cut short, remove it " +
    "and run the same command again";
  throw new UserError(`${path} is there already, and is left as it is; ${hint}`, EXIT.failed);
}

/**
 * Settings that are there, and say nothing of `sync` (a package's examples, those of a registry on
 * this host), are gone on with.
 *
 * @returns Their text; undefined where there are none.
 */
export async function formerSettings(
  host: Files & System,
  path: string,
  name: string,
): Promise<string | undefined> {
  if (!await isThere(host, path)) return undefined;
  let text = "";
  try {
    const { bytes } = await host.readFile(path, MAX_SETTINGS, { regular: true });
    text = new TextDecoder().decode(bytes);
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${explain(error)}`, EXIT.failed);
  }
  const { sync } = readSettings(text, path);
  if (sync !== undefined) {
    const names = [...sync.keys()].map((each) => `[sync.${each}]`).join(", ") || "[sync]";
    const joined = sync.has(name)
      ? `if this host has joined, go on with: wgsig sync ${name}; else `
      : "";
    throw new UserError(
      `${path} has ${names} already, and is left as it is; ${joined}name another file with ` +
        "--config, and give the same to sync",
      EXIT.failed,
    );
  }
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

/** The first name for the group's secret that is free. */
export async function freeSecret(
  host: Files & System,
  folder: string,
  name: string,
): Promise<string> {
  const names = [`${folder}/secret`, `${folder}/${name}.secret`];
  for (const path of names) if (!await isThere(host, path)) return path;
  throw new UserError(
    `${names.join(" and ")} are there already, and are left as they are; name another interface ` +
      "behind the link",
    EXIT.failed,
  );
}

/** Makes it, and tries to write into it. */
export async function checkFolder(host: Files & System, folder: string): Promise<void> {
  const probe = `${folder}/${NAME_OF_PROBE}`;
  try {
    if (!await isThere(host, folder)) await makeFolder(host, folder);
    await host.writeFile(probe, new Uint8Array(0), { mode: OWNER_ONLY });
    await host.removeFile(probe);
  } catch (error) {
    throw new UserError(
      `cannot write into ${folder}: ${said(error)}${asRoot(host, error)}`,
      EXIT.failed,
    );
  }
}

/** The UDP port for the interface: the one that is wanted; else the usual one, or another. */
export async function freePort(host: Udp, port: number | undefined): Promise<number> {
  const free = await tryPort(host, port ?? USUAL_PORT);
  if (free !== undefined) return free;
  if (port === undefined) return await tryPort(host, 0) ?? 0;
  throw new UserError(
    `UDP port ${port} is in use; name another with --port, or leave that out`,
    EXIT.failed,
  );
}

async function tryPort(host: Udp, port: number): Promise<number | undefined> {
  try {
    const socket = await host.udp({ address: "0.0.0.0", port, onBatch() {}, onSendError() {} });
    const free = socket.port;
    socket.close();
    return free;
  } catch (error) {
    if (errorCode(error) === "EADDRINUSE") return undefined;
    throw new UserError(`cannot use UDP port ${port}: ${explain(error)}`, EXIT.failed);
  }
}

function readSettings(text: string, path: string): Settings {
  try {
    return parseSettings(text, path);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`${path}: ${error.message}`);
  }
}

/** What went wrong, in words. */
export function said(error: unknown): string {
  return error instanceof UserError ? error.message : explain(error);
}
