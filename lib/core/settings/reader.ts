/**
 * Readers that turn what a settings file holds into checked values.
 *
 * A reader gets a value of unknown type and the path of its key, and returns the value with its
 * type, or throws a `SyntaxError` that names the key and says what was expected.
 *
 * @module
 */

import { parseDuration } from "./duration.ts";
import { type HostPort, parseHostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, parseAddress } from "../net/ip_address.ts";
import { addressOf, hasHostBits, isCidr, normalizePrefix } from "../net/ip_prefix.ts";
import { parseKey } from "../net/peer_key.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/**
 * Checks a value.
 *
 * @param path What the value is called in a message.
 * @param file The settings file that it stands in, if any: paths are relative to its folder.
 */
export type Reader<T> = (value: unknown, path: string, file?: string) => T;

/** Refuses a value. */
export function refuse(path: string, expected: string, value: unknown): never {
  // JSON has no infinity; numbers are shown as TOML has them.
  const shown = typeof value === "number" ? String(value) : JSON.stringify(value);
  throw new SyntaxError(`${path}: expected ${expected}, got ${shown}`);
}

/** A string that is not empty. */
export const text: Reader<string> = (value, path) =>
  typeof value === "string" && value !== "" ? value : refuse(path, "a text", value);

/** A boolean. */
export const boolean: Reader<boolean> = (value, path) =>
  typeof value === "boolean" ? value : refuse(path, "true or false", value);

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): Reader<number> {
  return (value, path) =>
    typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
      ? value
      : refuse(path, `a whole number from ${min} to ${max}`, value);
}

/** A duration, in seconds. */
export const duration: Reader<number> = (value, path) => {
  const seconds = typeof value === "number" && value >= 0 && Number.isFinite(value)
    ? value
    : typeof value === "string"
    ? parseDuration(value)
    : undefined;
  return seconds ?? refuse(path, 'a duration such as "30s", "5m" or "2h"', value);
};

/** A duration of at least `min` seconds; `shown` says that in words. */
export function durationFrom(min: number, shown: string): Reader<number> {
  return (value, path) => {
    const seconds = duration(value, path);
    return seconds >= min ? seconds : refuse(path, `a duration of ${shown} or more`, value);
  };
}

/** One of the given words. */
export function choice<T extends string>(...words: readonly T[]): Reader<T> {
  return (value, path) =>
    words.find((word) => word === value) ?? refuse(path, listOf(words), value);
}

/** `"a"`, `"a" or "b"`, `"a", "b" or "c"`. */
function listOf(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}

/** A WireGuard public key, as its base64 text. */
export const publicKey: Reader<string> = (value, path) =>
  typeof value === "string" && parseKey(value) !== undefined
    ? value
    : refuse(path, "a WireGuard public key (44 characters of base64)", value);

/** An IP address with or without a prefix length. */
export const cidr: Reader<string> = (value, path) => {
  if (typeof value === "string" && isCidr(value)) return value;
  return refuse(path, "an IP address with a prefix length, such as 10.0.0.2/32", value);
};

/** A set of IP addresses: a prefix without host bits, or an address. */
export const prefix: Reader<string> = (value, path) => {
  const text = cidr(value, path);
  if (!hasHostBits(text)) return text;
  const expected = `${normalizePrefix(text)}, or ${addressOf(text)} for that address alone`;
  return refuse(path, expected, value);
};

/** A name for people: one line. */
export const label: Reader<string> = (value, path) =>
  typeof value === "string" && isLine(value) ? value : refuse(path, "a name on one line", value);

function isLine(text: string): boolean {
  // deno-lint-ignore no-control-regex -- a control character could begin a line of its own
  return /^[^\x00-\x1f\x7f]+$/.test(text);
}

/** `HOST:PORT`, the port optional where there is a default. */
export function hostPort(defaultPort?: number): Reader<HostPort> {
  return (value, path) =>
    (typeof value === "string" ? parseHostPort(value, defaultPort) : undefined) ??
      refuse(path, defaultPort === undefined ? "ADDRESS:PORT" : "HOST or HOST:PORT", value);
}

/** `ADDRESS` or `ADDRESS:PORT` of this host: an IP address, no name. */
export function addressPort(defaultPort: number): Reader<HostPort> {
  return (value, path) => {
    const parsed = typeof value === "string" ? parseHostPort(value, defaultPort) : undefined;
    if (parsed !== undefined && parseAddress(parsed.host, new WireBuffer(ADDRESS_SIZE), 0)) {
      return parsed;
    }
    return refuse(path, "ADDRESS or ADDRESS:PORT, with an IP address", value);
  };
}

/** The name of a file; in a settings file, it is relative to the folder of that. */
export const fileName: Reader<string> = (value, path, file) => besideFile(text(value, path), file);

/** A path that is relative to the folder of a file. */
export function besideFile(path: string, file: string | undefined): string {
  if (file === undefined || path.startsWith("/")) return path;
  return `${file.slice(0, file.lastIndexOf("/") + 1)}${path}`;
}

/** A text of one kind, or else something of another. */
export function either<A, B>(text: Reader<A>, other: Reader<B>): Reader<A | B> {
  return (value, path, file) =>
    typeof value === "string" ? text(value, path, file) : other(value, path, file);
}

/** A list. */
export function list<T>(item: Reader<T>): Reader<T[]> {
  return (value, path, file) =>
    Array.isArray(value)
      ? value.map((each, i) => item(each, `${path}[${i}]`, file))
      : typeof value === "string" && value !== ""
      ? refuse(path, `a list, such as [${JSON.stringify(value)}]`, value)
      : refuse(path, "a list", value);
}

/** A name is a word of its user's: what is longer doesn't help. */
const MAX_SHOWN_NAME = 64;
/** So much of a key tells it from others. */
const SHOWN_KEY = 8;

/** What an item is called in messages: by its number, */
function numbered(path: string, i: number, _item?: unknown): string {
  return `${path}[${i}]`;
}

/** and by the name or the public key that it has. */
export function itemPath(path: string, i: number, item: unknown): string {
  const at = numbered(path, i);
  if (typeof item !== "object" || item === null) return at;
  const fields: { readonly name?: unknown; readonly "public-key"?: unknown } = item;
  const { name, "public-key": key } = fields;
  if (typeof name === "string" && isLine(name) && name.length <= MAX_SHOWN_NAME) {
    return `${at} (${name})`;
  }
  const isKey = typeof key === "string" && parseKey(key) !== undefined;
  return isKey ? `${at} (${key.slice(0, SHOWN_KEY)}…)` : at;
}

/**
 * `[[key]]`: a list of tables; who writes one alone, as `[key]`, is told how.
 *
 * @param item Reads one.
 * @param called What messages call one.
 */
export function tables<T>(item: Reader<T>, called = numbered): Reader<T[]> {
  return (value, path, file) => {
    if (Array.isArray(value)) {
      return value.map((each, i) => item(each, called(path, i, each), file));
    }
    if (!isTable(value)) return refuse(path, "a list", value);
    const head = path.replace(/\[\d+\]/g, "");
    throw new SyntaxError(
      `${path}: expected a list, got one table: write [[${head}]] in the place of [${head}]`,
    );
  };
}

/** A table's own keys, checked to be one. */
export function entriesOf(value: unknown, path: string): [string, unknown][] {
  return isTable(value) ? Object.entries(value) : refuse(path, "a table", value);
}

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null && isPlain(value);
}

/** Whether an object is nothing more: a list isn't, nor is the date that TOML knows. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A table whose keys are names that the user chooses. */
export function record<T>(item: Reader<T>): Reader<Map<string, T>> {
  return (value, path, file) =>
    new Map(entriesOf(value, path).map(([key, each]) => [key, item(each, `${path}.${key}`, file)]));
}

/**
 * `[key.NAME]`: tables with names that the user chooses; who leaves the name out is told how it is
 * written.
 *
 * @param item Reads one.
 * @param example A name.
 */
export function namedTable<T>(item: Reader<T>, example: string): Reader<Map<string, T>> {
  const read = record<T>((value, path, file) =>
    isTable(value) ? item(value, path, file) : refuse(path, "a table", value)
  );
  return (value, path, file) => {
    try {
      return read(value, path, file);
    } catch (error) {
      const isNamed = isTable(value) && Object.values(value).every(isTable);
      if (isNamed || !(error instanceof SyntaxError)) throw error;
      throw new SyntaxError(
        `${error.message}; what is in [${path}] belongs into [${path}.NAME], such as [${path}.${example}]`,
      );
    }
  };
}

type Shape = Readonly<Record<string, Reader<unknown>>>;
/** What a table of readers reads: every key may be missing. */
export type Read<S extends Shape> = { -readonly [K in keyof S]?: ReturnType<S[K]> };

/**
 * A table of known keys. An unknown one is an error that names the nearest known.
 *
 * @param gone Keys that there were, with what is said to anyone who still has them.
 * @param hint What is said of an unknown key that is near none, in the place of all known ones.
 */
export function table<S extends Shape>(
  shape: S,
  gone: Readonly<Record<string, string>> = {},
  hint: (key: string, path: string) => string | undefined = () => undefined,
): Reader<Read<S>> {
  return (value, path, file) => {
    const result: Record<string, unknown> = {};
    for (const [key, each] of entriesOf(value, path)) {
      const at = path === "" ? key : `${path}.${key}`;
      const reader = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (reader === undefined) {
        if (Object.hasOwn(gone, key)) throw new SyntaxError(`${at} is gone: ${gone[key]}`);
        throw new SyntaxError(unknownName("key", at, key, Object.keys(shape), hint(key, path)));
      }
      result[key] = reader(each, at, file);
    }
    // Each key of `result` was read by the reader of the same key of `shape`.
    return result as Read<S>;
  };
}

/**
 * The message for a name that is not known: with the nearest known one, else with a hint, else with
 * all that are known.
 */
export function unknownName(
  what: string,
  shown: string,
  name: string,
  known: readonly string[],
  hint = `known: ${known.join(", ")}`,
): string {
  const near = known
    .map((each) => ({ each, far: distance(name, each) }))
    .filter(({ each, far }) => far <= Math.max(1, Math.floor(each.length / 3)))
    .sort((a, b) => a.far - b.far)[0];
  const said = near !== undefined ? `did you mean "${near.each}"?` : hint;
  return `unknown ${what} "${shown}" (${said})`;
}

/** How many letters must change to make `b` of `a` (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
