/**
 * Loads what speaks HTTP where somebody wants it: a router has no memory for it otherwise.
 *
 * @module
 */

import type { SiteConfig, SiteHost, StatusSite, ToldProgram } from "./site.ts";

/**
 * Begins to say how a program is doing; undefined where nobody wants that.
 *
 * @throws {UserError} It can't listen there.
 */
export async function openSite(
  host: SiteHost,
  program: ToldProgram,
  config: SiteConfig | undefined,
): Promise<StatusSite | undefined> {
  if (config === undefined) return undefined;
  const { StatusSite } = await import("./site.ts");
  const site = new StatusSite(host, program, config);
  await site.open();
  return site;
}
