/**
 * Settings of what people have today: wg-quick's file, or a Corefile with wgsd.
 *
 * @module
 */

import { isCorefile } from "./corefile.ts";
import { importCorefile } from "./corefile_settings.ts";
import type { Imported } from "./imported.ts";
import { isWgQuick } from "./wg_quick.ts";
import { importWgQuick, type WgQuickSource } from "./wg_quick_settings.ts";

/** The most that is read of a file, in bytes. */
export const MAX_IMPORT = 4 * 1024 * 1024;

/** What a file is; undefined where it is nothing that can be imported. */
export type ImportedKind = "wg-quick" | "corefile";

/** Says what a file is by its text. */
export function kindOf(text: string): ImportedKind | undefined {
  if (isWgQuick(text)) return "wg-quick";
  return isCorefile(text) ? "corefile" : undefined;
}

/** Makes settings of a file's text. */
export function importText(kind: ImportedKind, text: string, source: WgQuickSource): Imported {
  return kind === "wg-quick" ? importWgQuick(text, source) : importCorefile(text, source.file);
}
