/**
 * What all packages say of themselves.
 *
 * @module
 */

import { VERSION } from "../../cli/version.ts";
import { DENO, output } from "../tools.ts";

/** Name, version and so on, as they stand in packages and in the manual. */
export const RELEASE = {
  name: "wgsig",
  version: VERSION,
  summary: "WireGuard peers find each other",
  description:
    "wgsig keeps track of where WireGuard peers are whose addresses move and who sit behind NAT: " +
    "each peer tells a small server from which address and port it is seen, and asks it where the " +
    "others are. One program is server and client.",
  license: "MIT",
  /** In packages only: nobody's name, so that who builds a package can set their own. */
  maintainer: Deno.env.get("DEBFULLNAME") !== undefined
    ? `${Deno.env.get("DEBFULLNAME")} <${Deno.env.get("DEBEMAIL") ?? "root@localhost"}>`
    : "wgsig <wgsig@localhost.localdomain>",
} as const;

/** Text in lines of at most so many characters; a longer word has a line of its own. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/**
 * The time that everything in a package has: `$SOURCE_DATE_EPOCH`, else that of the last commit
 * (https://reproducible-builds.org/specs/source-date-epoch/), else that of the Deno that builds,
 * for sources that are in no repository.
 *
 * @returns Unix seconds.
 */
export async function sourceDate(): Promise<number> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  if (given !== undefined && /^\d{1,12}$/.test(given)) return Number(given);
  try {
    return Number((await output(["git", "log", "-1", "--format=%ct"])).trim());
  } catch {
    return Math.floor((await Deno.stat(DENO)).mtime!.getTime() / 1000);
  }
}
