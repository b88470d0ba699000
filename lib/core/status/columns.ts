/**
 * Lines for a person: of at most 80 columns.
 *
 * @module
 */

const WIDTH = 80;

/** Texts in columns of these widths, flush right, with a space between them at least. */
export function flushRight(texts: readonly string[], widths: readonly number[]): string {
  return texts.map((text, i) => ` ${clip(text, widths[i]! - 1).padStart(widths[i]! - 1)}`).join("");
}

/** A text of at most so many characters. */
export function clip(text: string, width: number): string {
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
