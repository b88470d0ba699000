/**
 * Programs with another wall clock than the machine's: libfaketime.
 *
 * @module
 */

import { assert } from "@std/assert";

/** The environment of a program whose wall clock is off by that much, such as "-20s". */
export async function otherClock(off: string): Promise<Record<string, string>> {
  const { stdout } = await new Deno.Command("dpkg", { args: ["-L", "libfaketime"] }).output();
  const library = /^.*\/libfaketime\.so\.1$/m.exec(new TextDecoder().decode(stdout))?.[0];
  assert(library !== undefined);
  return { LD_PRELOAD: library, FAKETIME: off, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
}
