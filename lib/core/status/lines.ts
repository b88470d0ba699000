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
  return clip(text, width).padEnd(width);
}

/** Columns that are flush right, with a space before each at least. */
export function flushRight(texts: readonly string[], widths: readonly number[]): string {
  return texts.map((text, i) => ` ${clip(text, widths[i]! - 1).padStart(widths[i]! - 1)}`).join("");
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Without what a terminal would take for a command. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

/** Lines with two spaces before them. A word that is too long for one has a line of its own. */
export function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  let line = " ";
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > WIDTH && line !== " ") {
      lines.push(line);
      line = "   ";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
