/**
 * A WireGuard interface, read and changed through `wg`: the kernel's, or any userspace one that `wg`
 * knows. What is changed is changed for one peer at a time, and nothing else of it is touched.
 *
 * @module
 */

import type { Device } from "../core/net/device.ts";
import { formatHostPort, type HostPort } from "../core/net/host_port.ts";
import { parseKey } from "../core/net/peer_key.ts";
import { EXIT, UserError } from "../core/settings/user_error.ts";
import { errorCode, explain } from "../host/error.ts";
import type { Processes } from "../host/processes.ts";
import { parseAllowedIps, parseDump, parsePeer } from "../core/net/wg_dump.ts";

const INTERFACE_NAME = /^[\w=+.][\w=+.-]{0,14}$/;
/** The last where neither the kernel knows WireGuard, nor a program of that interface runs yet. */
const NO_DEVICE = /No such device|does not exist|No such file or directory|Protocol not supported/;
/** A userspace WireGuard that hangs makes wg hang. */
const TIMEOUT = 10;
/** The exit status of a program that took too long; see `RunOptions`. */
const TIMED_OUT = 124;
/** The most bytes of arguments of one call; Linux takes 2 MiB with the environment. */
const MAX_ARGUMENTS = 65_536;
const NO_PERMISSION = /Operation not permitted|Permission denied/;

/** What is set on a peer; what is undefined stays as it is. */
export interface PeerChange {
  readonly endpoint?: HostPort | undefined;
  /** Seconds; 0 is off. */
  readonly persistentKeepalive?: number | undefined;
  readonly allowedIps?: readonly string[] | undefined;
}

/** The interface, or undefined where there is none of that name. */
export async function readDevice(host: Processes, name: string): Promise<Device | undefined> {
  const text = await readDump(host, name);
  return text === undefined ? undefined : parseDump(text);
}

/** The same as `wg` prints it, for {@linkcode parseDump}. */
export async function readDump(host: Processes, name: string): Promise<string | undefined> {
  return await show(host, name, "dump");
}

/**
 * The private key of an interface, 32 bytes, which the caller wipes; undefined where there is no
 * interface of that name, or its program tells none.
 */
export async function readPrivateKey(
  host: Processes,
  name: string,
): Promise<Uint8Array | undefined> {
  return parseKey((await show(host, name, "private-key") ?? "").trim());
}

/**
 * The AllowedIPs of some peers, those that there are; undefined where there is no interface. Its cost
 * hardly grows with the number of others.
 */
export async function readAllowedIps(
  host: Processes,
  name: string,
  publicKeys: ReadonlySet<string>,
): Promise<Map<string, string[]> | undefined> {
  const text = await show(host, name, "allowed-ips");
  return text === undefined ? undefined : parseAllowedIps(text, publicKeys);
}

async function show(host: Processes, name: string, what: string): Promise<string | undefined> {
  checkInterfaceName(name);
  const { code, out, err } = await runWg(host, ["show", name, what]);
  if (code === 0) return out;
  if (NO_DEVICE.test(err)) return undefined;
  throw failure(`cannot read WireGuard interface ${name}`, err);
}

/**
 * The public key of an interface, 32 bytes.
 *
 * @param named Where its program doesn't tell it, as boringtun: the one that the settings name.
 */
export async function interfaceKey(
  host: Processes,
  name: string,
  named: () => Promise<Uint8Array | undefined> = () => Promise.resolve(undefined),
): Promise<Uint8Array> {
  const device = await readDevice(host, name);
  if (device === undefined) {
    throw new UserError(
      `there is no WireGuard interface ${name}; bring it up first, or name another`,
      EXIT.failed,
    );
  }
  const key = device.publicKey === undefined ? await named() : parseKey(device.publicKey);
  if (key === undefined) {
    throw new UserError(
      `WireGuard interface ${name} has no key; set one with: wg set ${name} private-key FILE; or ` +
        `where its program doesn't tell it (boringtun), name private-key-file or public-key in ` +
        `[sync.${name}] of the settings`,
      EXIT.failed,
    );
  }
  return key;
}

/** The public keys of all interfaces, in base64, as far as they can be read. */
export async function interfaceKeys(host: Processes): Promise<string[]> {
  try {
    const { out } = await runWg(host, ["show", "all", "public-key"]);
    return out.split("\n").flatMap((line) => line.split("\t")[1] ?? []);
  } catch {
    // Without wg there is no interface to know.
    return [];
  }
}

/** Whether a change failed because the interface is gone. */
export function isNoDevice(error: unknown): boolean {
  return error instanceof UserError && NO_DEVICE.test(error.message);
}

/** Changes a peer, or adds it. */
export async function setPeer(
  host: Processes,
  name: string,
  publicKey: string,
  changed: PeerChange,
): Promise<void> {
  await change(host, name, peerSettings(publicKey, changed));
}

function peerSettings(
  publicKey: string,
  { endpoint, persistentKeepalive, allowedIps }: PeerChange,
): string[] {
  return [
    "peer",
    publicKey,
    ...(endpoint === undefined ? [] : ["endpoint", formatHostPort(endpoint)]),
    ...(persistentKeepalive === undefined
      ? []
      : ["persistent-keepalive", `${persistentKeepalive}`]),
    ...(allowedIps === undefined ? [] : ["allowed-ips", allowedIps.join(",")]),
  ];
}

/**
 * Removes a peer, and adds it as it was but for what is changed: boringtun can't change a peer, and
 * loses a thread over the attempt. Both at once is more than it understands.
 */
export async function replacePeer(
  host: Processes,
  name: string,
  publicKey: string,
  changed: PeerChange,
): Promise<void> {
  const dump = await readDump(host, name);
  const line = dump?.split("\n").find((each) => each.startsWith(`${publicKey}\t`));
  if (line === undefined) return await setPeer(host, name, publicKey, changed);
  const before = parsePeer(line);
  const presharedKey = line.split("\t")[1] ?? "";
  const add = async (after: PeerChange) => {
    const settings = peerSettings(publicKey, after);
    if (parseKey(presharedKey) === undefined) return await change(host, name, settings);
    await change(host, name, [...settings, "preshared-key", "/dev/stdin"], `${presharedKey}\n`);
  };
  await change(host, name, ["peer", publicKey, "remove"]);
  try {
    await add({
      endpoint: changed.endpoint ?? before.endpoint,
      allowedIps: changed.allowedIps ?? before.allowedIps,
      persistentKeepalive: changed.persistentKeepalive ?? before.persistentKeepalive,
    });
  } catch (error) {
    await add(before);
    throw error;
  }
}

/** Takes a peer away, if there is one. */
export async function removePeer(host: Processes, name: string, publicKey: string): Promise<void> {
  await change(host, name, ["peer", publicKey, "remove"]);
}

/**
 * Gives peers their AllowedIPs, in as few calls as their number allows: an address that goes from one
 * to another leaves the one first where that comes first. Who is not there is added.
 *
 * @param peers By public key, all AllowedIPs that each is to have.
 */
export async function setAllowedIps(
  host: Processes,
  name: string,
  peers: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  let settings: string[] = [];
  let size = 0;
  for (const [publicKey, allowedIps] of peers) {
    const more = ["peer", publicKey, "allowed-ips", allowedIps.join(",")];
    const moreSize = more.reduce((sum, { length }) => sum + length + 1, 0);
    if (size > 0 && size + moreSize > MAX_ARGUMENTS) {
      await change(host, name, settings);
      settings = [];
      size = 0;
    }
    settings.push(...more);
    size += moreSize;
  }
  if (size > 0) await change(host, name, settings);
}

/**
 * Makes WireGuard send a peer something at once, by switching its keepalives off and on.
 *
 * @param persistentKeepalive What is set, in seconds; not 0.
 */
export async function nudgePeer(
  host: Processes,
  name: string,
  publicKey: string,
  persistentKeepalive: number,
): Promise<void> {
  const settings = [0, persistentKeepalive].flatMap((seconds) => [
    "peer",
    publicKey,
    "persistent-keepalive",
    `${seconds}`,
  ]);
  await change(host, name, settings);
}

/** Gives the interface another UDP port; 0 lets the system choose one. */
export async function setListenPort(host: Processes, name: string, port: number): Promise<void> {
  await change(host, name, ["listen-port", `${port}`]);
}

/** @param input What a setting reads from standard input. */
async function change(
  host: Processes,
  name: string,
  settings: readonly string[],
  input?: string,
): Promise<void> {
  checkInterfaceName(name);
  const { code, err } = await runWg(host, ["set", name, ...settings], input);
  if (code !== 0) throw failure(`cannot change WireGuard interface ${name}`, err);
}

/**
 * Checks the name of an interface.
 *
 * @throws {UserError} Where it is none.
 */
export function checkInterfaceName(name: string): void {
  // wg takes "all" and "interfaces" for words of its own.
  if (INTERFACE_NAME.test(name) && name !== "all" && name !== "interfaces") return;
  throw new UserError(`"${name}" is no name of a network interface; expected one such as wg0`);
}

function failure(what: string, err: string): UserError {
  const why = err.trim().split("\n").at(-1) ?? "";
  const hint = NO_PERMISSION.test(why) ? "; run this as root, or with CAP_NET_ADMIN" : "";
  return new UserError(`${what}: ${why}${hint}`, EXIT.failed);
}

async function runWg(host: Processes, args: readonly string[], input?: string) {
  try {
    const given = input === undefined ? {} : { input };
    const result = await host.run(["wg", ...args], { timeout: TIMEOUT, ...given });
    if (result.code !== TIMED_OUT || result.err !== "") return result;
    return { ...result, err: `wg did not end within ${TIMEOUT} s` };
  } catch (error) {
    const hint = errorCode(error) === "ENOENT" ? "; install wireguard-tools" : "";
    throw new UserError(`cannot run wg: ${explain(error)}${hint}`, EXIT.failed);
  }
}
