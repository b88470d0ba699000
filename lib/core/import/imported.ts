/**
 * What is made of the configuration of another program: settings, and what they can't say.
 *
 * @module
 */

/** What could not be carried over, or was changed on the way. It never has a value that may be secret. */
export interface Note {
  /** Of the file, from 1 on. */
  readonly line: number;
  /** One line. */
  readonly text: string;
}

/** A file for its owner alone. */
export interface KeyFile {
  readonly path: string;
  /** A key in base64, and a newline. */
  readonly text: string;
}

/** Settings. */
export interface Imported {
  /** A settings file's text, without secrets. */
  readonly toml: string;
  /** What a person should know of all of it, */
  readonly remarks: readonly string[];
  /** and of its lines, in their order. */
  readonly notes: readonly Note[];
  /** Files that the settings name, to be written where there is none. */
  readonly keys: readonly KeyFile[];
}

/** Notes as comments of a settings file. */
export function comments(notes: readonly Note[]): string[] {
  return notes.map(({ line, text }) => `#   line ${line}: ${text}`);
}

/** Without what ends a line, turns the text around it, or is none of a text's: halves of characters. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu,
    "",
  );
}

/** Names that are each there once. */
export class Names {
  readonly #taken = new Set<string>();
  /** By name: the next number that may be free. */
  readonly #next = new Map<string, number>();

  /** Takes a name, or the first that is free of those that `numbered` makes, from 2 on. */
  take(name: string, numbered: (i: number) => string): string {
    let own = name;
    let i = this.#next.get(name) ?? 2;
    while (this.#taken.has(own)) own = numbered(i++);
    this.#next.set(name, i);
    this.#taken.add(own);
    return own;
  }
}
