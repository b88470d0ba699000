/**
 * Which file a name stands for.
 *
 * @module
 */

import type { Files } from "../../host/files.ts";

/** What tells a file from all others, whatever it is called; undefined where there is none. */
export async function fileOf(
  host: Pick<Files, "identify">,
  path: string,
): Promise<string | undefined> {
  try {
    return await host.identify(path);
  } catch {
    return undefined;
  }
}
