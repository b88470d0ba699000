/**
 * What `wgsig doctor` says of one thing: a line, and what mends it.
 *
 * @module
 */

/** How a thing is: well, to be looked at, or in the way of peers finding each other. */
export type CheckState = "ok" | "warn" | "bad";

/** What is said of one thing. */
export interface Check {
  /** Which thing, in one word. */
  readonly name: string;
  readonly state: CheckState;
  /** One line, without a full stop. */
  readonly text: string;
  /** A command, or what to do. */
  readonly mend?: string | undefined;
}

/** What was found out, or why nothing was. */
export type Fact<T> = { readonly value: T } | { readonly problem: string };

/** It is well. */
export function ok(name: string, text: string): Check {
  return { name, state: "ok", text };
}

/** It should be looked at. */
export function warn(name: string, text: string, mend?: string): Check {
  return { name, state: "warn", text, ...(mend === undefined ? {} : { mend }) };
}

/** It is in the way. */
export function bad(name: string, text: string, mend?: string): Check {
  return { ...warn(name, text, mend), state: "bad" };
}

/** Many messages end with what mends it, and perhaps with another way. */
const MENDED =
  /^(.*?)[;,:] (?:(?:mend it|make one|set one|make the public key) with: |(?=install ))(.*)$/s;

/** A message as it is said elsewhere: what mends it is taken out of it. */
export function fromMessage(name: string, message: string): Check {
  const [, text = message, mend] = MENDED.exec(message) ?? [];
  return bad(name, text, mend?.replace(/, or where .*$/s, ""));
}

/** The most things that one line names. */
const MAX_NAMED = 3;

/** Some of them, and how many there are besides. */
export function named(things: readonly string[]): string {
  const more = things.length - MAX_NAMED;
  return more > 0 ? `${things.slice(0, MAX_NAMED).join(", ")} and ${more} more` : things.join(", ");
}
