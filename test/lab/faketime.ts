/**
 * Another time for one program.
 *
 * @module
 */

import { assert } from "@std/assert";
import { must } from "./namespace.ts";

/** What the program `faketime` preloads; that one would stand between the test and wgsig. */
export async function faketimeLibrary(): Promise<string> {
  const files = await must(["dpkg", "-L", "libfaketime"]);
  const path = /^.*\/libfaketime\.so\.1$/m.exec(files)?.[0];
  assert(path !== undefined, files);
  return path;
}
