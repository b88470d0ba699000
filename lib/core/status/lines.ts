/**
 * What tables for a terminal are made of: lines of at most 80 columns.
 *
 * @module
 */

/** The most columns of a line. */
export const WIDTH = 80;
/** Characters of a key that tell it from others. */
const SHORT_KEY = 16;
const MS = 1000;
const KIB = 1024;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** SGR parameters: ECMA-48, 8.3.117. */
const STYLES = { bold: "1", good: "32", bad: "31", dim: "2" } as const;

/** How something looks. */
export type Style = keyof typeof STYLES;

/** Makes a text look so. */
export type Paint = (text: string, style: Style) => string;

/** What paints. @param isColoured Whether there may be colours. */
export function painter(isColoured: boolean): Paint {
  return isColoured ? (text, style) => `\x1b[${STYLES[style]}m${text}\x1b[0m` : (text) => text;
}

/** Who a peer is, as people tell peers apart. */
export function nameOf(
  { name, publicKey }: { readonly name: string | null; readonly publicKey: string },
): string {
  return plain(name ?? `${publicKey.slice(0, SHORT_KEY)}…`);
}

/** Seconds, as people read them. */
export function milliseconds(seconds: number): string {
  const ms = seconds * MS;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Bytes, as people read them. */
export function formatSize(bytes: number): string {
  let unit = 0;
  let size = bytes;
  while (size >= KIB && unit < UNITS.length - 1) {
    size /= KIB;
    unit++;
  }
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${size.toFixed(digits)} ${UNITS[unit]}`;
}

/** A number and what it counts. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A column that is flush left, and cut where it is too long. */
export function column(text: string, width: number): string {
  const shown = clip(text, width);
  return `${shown}${" ".repeat(Math.max(0, width - columnsOf(shown)))}`;
}

/** Columns that are flush right, with a space before each at least. */
export function flushRight(texts: readonly string[], widths: readonly number[]): string {
  return texts.map((text, i) => ` ${clip(text, widths[i]! - 1).padStart(widths[i]! - 1)}`).join("");
}

/** What a terminal shows two columns wide: East Asian characters (Unicode's UAX 11), and pictures; */
const WIDE =
  /[\u1100-\u115f\u231a-\u231b\u23e9-\u23f3\u2614-\u2615\u2648-\u2653\u26a1\u26aa-\u26ab\u26bd-\u26be\u26c4-\u26c5\u26ce\u26d4\u26ea\u26f2-\u26f5\u26fa\u26fd\u2705\u270a-\u270b\u2728\u274c\u274e\u2753-\u2757\u2795-\u2797\u27b0\u27bf\u2b1b-\u2b1c\u2b50\u2b55\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{1b2ff}\u{1f000}-\u{1fbff}\u{20000}-\u{3fffd}]/u;
/** and what it puts over the character before. */
const NO_COLUMN = /[\p{Mn}\p{Me}\u200b-\u200d\ufe00-\ufe0f]/u;
const ASCII = /^[ -~]*$/;

/** How many columns of a terminal a text takes. */
export function columnsOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += columnsOfOne(character);
  return columns;
}

function columnsOfOne(character: string): number {
  return WIDE.test(character) ? 2 : NO_COLUMN.test(character) ? 0 : 1;
}

function clip(text: string, width: number): string {
  if (columnsOf(text) <= width) return text;
  let shown = "";
  let columns = 0;
  for (const character of text) {
    columns += columnsOfOne(character);
    if (columns >= width) break;
    shown += character;
  }
  return `${shown}…`;
}

/** Without what a terminal would take for a command, and what turns the text around it. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Surrogate}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "?");
}

/** Lines with two spaces before them. A word that is too long for one has a line of its own. */
export function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  let line = " ";
  for (const word of text.split(" ")) {
    if (columnsOf(line) + 1 + columnsOf(word) > WIDTH && line !== " ") {
      lines.push(line);
      line = "   ";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
