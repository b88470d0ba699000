/**
 * `wgsig complete interfaces`: what the completions of shells offer, a line each. It is in no help: who
 * presses the tabulator is told names, and never an error.
 *
 * @module
 */

import type { Host } from "../lib/host/host.ts";
import { EXIT, type ExitStatus } from "../lib/core/settings/user_error.ts";
import { loadSettings } from "../lib/service/files/files.ts";
import { statusPlaces } from "../lib/service/status/places.ts";

/** So many are offered. */
const MOST = 1000;
/** A word of a shell, which needs no quotes. */
const WORD = /^[A-Za-z0-9_.@=+-]{1,15}$/;

/** Runs it. */
export async function runComplete(host: Host, what: string | undefined): Promise<ExitStatus> {
  if (what !== "interfaces") return EXIT.ok;
  const found = await Promise.all([
    named(async () => [...(await loadSettings(host, undefined)).settings.sync?.keys() ?? []]),
    named(async () =>
      (await statusPlaces(host)).filter(({ kind }) => kind === "sync").map(({ name }) => name)
    ),
  ]);
  const names = new Set(found.flat().filter((name) => WORD.test(name)));
  for (const name of [...names].toSorted().slice(0, MOST)) host.out.write(`${name}\n`);
  return EXIT.ok;
}

/** None where they can't be found out. */
async function named(find: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await find();
  } catch {
    return [];
  }
}
