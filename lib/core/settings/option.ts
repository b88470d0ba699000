/**
 * A row of the table of options, and how its value is found.
 *
 * A row says all there is to say of an option: its flag, how its value is read, its default, and one
 * line of help. Its key in the settings file is its name in the table of its section. Arguments, the
 * settings file, help, manual page, completions and the tables in docs/ come from these rows.
 *
 * ```ts
 * import { type Flags, resolve, type Rows, whole } from "./option.ts";
 *
 * const LIMITS = {
 *   "max-peers": {
 *     flag: "max-peers",
 *     reader: whole(1, 100_000),
 *     default: 1000,
 *     help: "peers that a group can have",
 *   },
 * } satisfies Rows;
 * const flags: Flags = { texts: (flag) => flag === "max-peers" ? ["7"] : undefined };
 *
 * resolve(LIMITS, flags, { "max-peers": 5 })["max-peers"]; // 7: of the flag, else the file, else 1000
 * ```
 *
 * @module
 */

import {
  boolean,
  choice,
  integer,
  itemPath,
  list,
  namedTable,
  type Reader,
  table,
  tables,
} from "./reader.ts";
import { UserError } from "./user_error.ts";

/** The name of a command. */
export type CommandName =
  | "serve"
  | "query"
  | "sync"
  | "status"
  | "invite"
  | "join"
  | "registry"
  | "config"
  | "doctor"
  | "keygen";

/** A value as a settings file would have it. */
export type Written = string | number | boolean | readonly string[];

/** Reads the value of an option wherever it may stand. */
export interface OptionReader<T> {
  /** Reads what a settings file, or the row itself as its default, has. */
  readonly inFile: Reader<T>;
  /** Reads what was given with the flag: one text, or several where it repeats. */
  readonly ofFlag: (texts: readonly string[], path: string) => T;
  /**
   * What help calls the value: in brackets where it may be left out, with `|` between the words of a
   * choice. A switch has none.
   */
  readonly value?: string;
  /** Whether the flag may be given several times. */
  readonly repeats?: boolean;
}

/** An option. */
export interface Option<T = unknown> {
  /** Its flag, without dashes. Without one, only the file has it. */
  readonly flag?: string;
  /** The commands of its section that have the flag, or heed the key; without it, all. */
  readonly commands?: readonly CommandName[];
  readonly reader: OptionReader<T>;
  /** Flags without a value, and their help: each stands for the value that is its name. */
  readonly switches?: Readonly<Record<string, string>>;
  /** What holds where neither flag nor file say anything, as the file would have it. */
  readonly default?: Written;
  /** The default in words, where it isn't a value. */
  readonly shown?: string;
  /** One line: small letters, no full stop, no default. */
  readonly help?: string;
}

/** A key that holds tables with rows of their own. */
export interface Nested<T = unknown> {
  readonly nested: Reader<T>;
  readonly rows: Rows;
  /** Says that it holds a list of tables, */
  readonly isList?: boolean;
  /** or tables with names, of which this is one. */
  readonly example?: string;
}

/** An option that there was. */
export interface Gone {
  readonly flag?: string;
  /** What is said to anyone who still has it: why, and what to do instead. */
  readonly gone: string;
}

/** The options of a section by their keys, or those that only flags have by any names. */
export type Rows = Readonly<Record<string, Option | Nested | Gone>>;

type ValueOf<Row> = Row extends { readonly reader: OptionReader<infer T> } ? T
  : Row extends { readonly nested: Reader<infer T> } ? T
  : never;
type Present<R extends Rows> = { [K in keyof R]: R[K] extends Gone ? never : K }[keyof R];

/** What a section of a settings file holds: every key may be missing. */
export type InFile<R extends Rows> = { -readonly [K in Present<R>]?: ValueOf<R[K]> };
/** The values that hold: only what has no default may be undefined. */
export type Resolved<R extends Rows> = {
  readonly [K in Present<R>]: R[K] extends { readonly default: Written } ? ValueOf<R[K]>
    : ValueOf<R[K]> | undefined;
};

/** A command line that was taken apart. */
export interface Flags {
  /** The texts that were given with a flag, none for a switch; undefined where it is not there. */
  texts(flag: string): readonly string[] | undefined;
}

/** A value that is one text on the command line. @param given Reads that, if it is another form. */
export function one<T>(reader: Reader<T>, value: string, given = reader): OptionReader<T> {
  return { inFile: reader, ofFlag: ([text], path) => given(text, path), value };
}

/** The same where the text may be left out, which then means `bare`. */
export function optional<T>(reader: Reader<T>, value: string, bare: Written): OptionReader<T> {
  return one(reader, `[${value}]`, (text, path) => reader(text === "" ? bare : text, path));
}

/** A list; on the command line, the flag is given for each item. */
export function many<T>(item: Reader<T>, value: string, given = item): OptionReader<T[]> {
  return {
    inFile: list(item),
    ofFlag: (texts, path) => texts.map((text) => given(text, path)),
    value,
    repeats: true,
  };
}

/** A list; on the command line, with commas. */
export function commaList<T>(item: Reader<T>, value: string): OptionReader<T[]> {
  return one(
    list(item),
    `${value},...`,
    (text, path) => String(text).split(",").map((each) => item(each.trim(), path)),
  );
}

/** A whole number; on the command line, decimal digits. */
export function whole(min: number, max: number, value = "N"): OptionReader<number> {
  const reader = integer(min, max);
  const isDigits = (text: unknown) => /^\d+$/.test(String(text));
  return one(reader, value, (text, path) => reader(isDigits(text) ? Number(text) : text, path));
}

/** One of the given words. */
export function oneOf<T extends string>(...words: readonly T[]): OptionReader<T> {
  return one(choice(...words), words.join("|"));
}

/** True or false; on the command line, a switch that says true. */
export const toggle: OptionReader<boolean> = { inFile: boolean, ofFlag: () => true };

/** Reads a section of a settings file. */
export function section<R extends Rows>(rows: R): Reader<InFile<R>> {
  const shape: Record<string, Reader<unknown>> = {};
  const gone: Record<string, string> = {};
  for (const [key, row] of Object.entries<Rows[string]>(rows)) {
    if ("gone" in row) gone[key] = row.gone;
    else shape[key] = "nested" in row ? row.nested : row.reader.inFile;
  }
  const read = table(shape, gone, (key, path) => belongsTo(headsWith(rows, path, key)));
  // Each key was read by the reader of the row of that name.
  return (value, path, file) => read(value, path, file) as InFile<R>;
}

/**
 * The heads of the tables below a table that have a key, such as `[serve.dns]` and `[[serve.group]]`.
 *
 * @param path What the table is called in messages.
 */
export function headsWith(rows: Rows, path: string, key: string): string[] {
  const heads: string[] = [];
  // Of an item in a list, there is neither its number nor its name.
  const before = path.replace(/\[\d+\](?: \([^)]*\))?/g, "");
  for (const [name, row] of Object.entries(rows)) {
    if (!("nested" in row)) continue;
    const parts = [before, name, row.example].filter((part) => part !== undefined && part !== "");
    const at = parts.join(".");
    const own = Object.hasOwn(row.rows, key) ? row.rows[key] : undefined;
    if (own !== undefined && !("gone" in own)) heads.push(row.isList ? `[[${at}]]` : `[${at}]`);
    heads.push(...headsWith(row.rows, at, key));
  }
  return heads;
}

/** So many tables that have a key, and no more, say where it was to be. */
const MAX_HEADS = 3;

/** What is said of a key that other tables have; undefined where that wouldn't help. */
export function belongsTo(heads: readonly string[]): string | undefined {
  if (heads.length === 0 || heads.length > MAX_HEADS) return undefined;
  return `it belongs into ${heads.join(" or ")}`;
}

/** `[key]`: a table. */
export function oneTable<R extends Rows>(rows: R): Nested<InFile<R>> {
  return { nested: section(rows), rows };
}

/** `[[key]]`: a list of tables. */
export function tableList<R extends Rows>(rows: R): Nested<InFile<R>[]> {
  return { nested: tables(section(rows), itemPath), rows, isList: true };
}

/** `[key.NAME]`: tables with names that the user chooses. @param example Such a name. */
export function namedTables<R extends Rows>(
  rows: R,
  example = "NAME",
): Nested<Map<string, InFile<R>>> {
  return { nested: namedTable(section(rows), example), rows, example };
}

/** The flags of an option that were given. */
function givenFlags({ flag, switches = {} }: Option, flags: Flags): string[] {
  const names = flag === undefined ? Object.keys(switches) : [flag, ...Object.keys(switches)];
  return names.filter((name) => flags.texts(name) !== undefined);
}

/** Whether one of the options was given on the command line. */
export function isGiven(flags: Flags, ...options: readonly Option[]): boolean {
  return options.some((option) => givenFlags(option, flags).length > 0);
}

/**
 * What the command line says of an option, or undefined if nothing.
 *
 * @throws {UserError} If the value is wrong, or flags are given that exclude each other.
 */
export function givenValue<T>(flags: Flags, option: Option<T>): T | undefined {
  const [name, other] = givenFlags(option, flags);
  if (name === undefined) return undefined;
  if (other !== undefined) {
    throw new UserError(`--${name} and --${other} exclude each other; give one of them`);
  }
  const texts = name === option.flag ? flags.texts(name) ?? [] : [name];
  return readTexts(option.reader, texts, `--${name}`);
}

/**
 * Reads texts of the command line. @param path What they are called in a message.
 *
 * @throws {UserError} If they are wrong.
 */
export function readTexts<T>(
  { ofFlag }: OptionReader<T>,
  texts: readonly string[],
  path: string,
): T {
  try {
    return ofFlag(texts, path);
  } catch (error) {
    throw error instanceof SyntaxError ? new UserError(error.message) : error;
  }
}

/** A command line without flags, for what only the settings file has a say in. */
export const NO_FLAGS: Flags = { texts: () => undefined };

/**
 * The value of each option: what its flag says, else what the file says, else its default.
 *
 * @throws {UserError} If what was given with a flag is wrong.
 */
export function resolve<R extends Rows>(
  rows: R,
  flags: Flags,
  file: InFile<R> = {},
): Resolved<R> {
  const result: Record<string, unknown> = {};
  const inFile: Readonly<Record<string, unknown>> = file;
  for (const [key, row] of Object.entries<Rows[string]>(rows)) {
    if ("gone" in row) continue;
    if ("nested" in row) {
      result[key] = inFile[key];
      continue;
    }
    result[key] = givenValue(flags, row) ?? inFile[key] ??
      (row.default === undefined ? undefined : row.reader.inFile(row.default, key));
  }
  // Each value is what the reader of the row of that name made, of whatever was there.
  return result as Resolved<R>;
}
