/**
 * Reads what another program has sent as JSON, which may be of another release: each of these throws a
 * `TypeError` where it is something else.
 *
 * @module
 */

/** The fields of a value, of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Its fields. */
export function fieldsOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null) throw new TypeError("no object");
  return Object.fromEntries(Object.entries(value));
}

/** A text. */
export function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("no text");
  return value;
}

/** A number. */
export function number(value: unknown): number {
  if (typeof value !== "number") throw new TypeError("no number");
  return value;
}

/** True or false. */
export function flag(value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError("no boolean");
  return value;
}

/** The same, or null. */
export function maybe<T>(read: (value: unknown) => T, value: unknown): T | null {
  return value === null ? null : read(value);
}

/** A list of the same. */
export function list<T>(read: (value: unknown) => T, value: unknown): readonly T[] {
  if (!Array.isArray(value)) throw new TypeError("no list");
  return value.map((each: unknown) => read(each));
}

/** Values of one form, by name. */
export function byName<T>(
  read: (value: unknown) => T,
  value: unknown,
): Readonly<Record<string, T>> {
  return Object.fromEntries(
    Object.entries(fieldsOf(value)).map(([name, each]) => [name, read(each)]),
  );
}

/** One of these words. */
export function oneOf<T extends string>(words: readonly T[], value: unknown): T {
  const word = words.find((each) => each === value);
  if (word === undefined) throw new TypeError("another word");
  return word;
}
