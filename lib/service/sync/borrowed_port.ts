/**
 * Borrows the UDP port of a WireGuard interface: WireGuard moves to another one for as long as a
 * question takes (some milliseconds), and then comes back. The mapping of a NAT stays.
 *
 * The port is noted in a file meanwhile. If the program is killed, its next start mends it. Where the
 * file can't be written, the port is borrowed all the same: without that, nobody would hear of it.
 *
 * @module
 */

import { type Clock, pause } from "../../host/clock.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";
import type { Processes } from "../../host/processes.ts";
import { isNoDevice, setListenPort } from "../../wireguard/device.ts";
import { makeFolder } from "../files/files.ts";
import { RUN_FOLDER } from "../files/own_folders.ts";

const MODE = 0o600;
const MAX_NOTE = 16;
const TRIES = 100;
const PAUSE = 0.05;

/** What came of it. */
export interface Borrowed<T> {
  readonly answer: T;
  /** What could not be noted, in words. */
  readonly notKept: string | undefined;
}

/** Runs `ask` while the port is free, and gives it back whatever happens. */
export async function withBorrowedPort<T>(
  host: Clock & Files & Processes,
  name: string,
  port: number,
  ask: () => Promise<T>,
): Promise<Borrowed<T>> {
  const notKept = await writeNote(host, name, port);
  let answer: T;
  try {
    await setListenPort(host, name, 0);
    answer = await ask();
  } finally {
    await giveBack(host, name, port);
    if (notKept === undefined) await removeNote(host, name);
  }
  return { answer, notKept };
}

/** @returns Why it could not be written, in words. */
async function writeNote(host: Files, name: string, port: number): Promise<string | undefined> {
  try {
    await makeFolder(host, RUN_FOLDER);
    await host.writeFile(noteOf(name), new TextEncoder().encode(`${port}\n`), { mode: MODE });
    return undefined;
  } catch (error) {
    return `cannot write ${noteOf(name)}: ${explain(error)}; where sync is killed while it has ` +
      `borrowed port ${port}, WireGuard stays on another`;
  }
}

/** The note of a port that is back where it was says nothing wrong. */
async function removeNote(host: Files, name: string): Promise<void> {
  await host.removeFile(noteOf(name)).catch(() => {});
}

/**
 * Mends an interface whose port was not given back.
 *
 * @returns The port that it has again, or undefined where there was nothing to mend.
 */
export async function mendBorrowedPort(
  host: Clock & Files & Processes,
  name: string,
): Promise<number | undefined> {
  let port = 0;
  try {
    const { bytes } = await host.readFile(noteOf(name), MAX_NOTE);
    port = Number(new TextDecoder().decode(bytes));
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    // One that is too large is no port either.
    if (code !== "EFBIG") throw error;
  }
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) {
    await removeNote(host, name);
    return undefined;
  }
  await giveBack(host, name, port);
  await removeNote(host, name);
  return port;
}

/** Somebody may have taken the port meanwhile: it is asked for until it is free again. */
async function giveBack(
  host: Clock & Files & Processes,
  name: string,
  port: number,
): Promise<void> {
  for (let left = TRIES; left > 0; left--) {
    try {
      await setListenPort(host, name, port);
      break;
    } catch (error) {
      if (left === 1 || isNoDevice(error)) throw error;
      await pause(host, PAUSE);
    }
  }
}

function noteOf(name: string): string {
  return `${RUN_FOLDER}/${name}.port`;
}
