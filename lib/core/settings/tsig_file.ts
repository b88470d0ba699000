/**
 * How a client names the files of its TSIG keys.
 *
 * @module
 */

import { parseZone } from "../zone/name.ts";
import { many } from "./option.ts";
import { besideFile, type Reader, text } from "./reader.ts";

/** The file of a TSIG key, and which servers it is for. */
export interface TsigFile {
  /** The zone that is asked with it; undefined for all that have no key of their own. */
  readonly zone: string | undefined;
  readonly file: string;
}

/** `[ALGORITHM:]NAME:SECRET`, as dig's -y takes it. */
const IS_KEY = /^[^/:]+(?::[^/:]+)?:[A-Za-z0-9+/]{22,}={0,2}$/;

/** `FILE`, or `ZONE=FILE`: a file that has such a name itself is written with a folder before it. */
const tsigFile: Reader<TsigFile> = (value, path, settings) => {
  const given = text(value, path);
  const [, name = "", rest = given] = /^([^/=]+)=(.+)$/s.exec(given) ?? [];
  const zone = parseZone(name);
  const file = zone === undefined ? given : rest;
  if (IS_KEY.test(given) || IS_KEY.test(file)) {
    // Such a value is not shown.
    throw new SyntaxError(
      `${path}: expected FILE or ZONE=FILE, got what belongs into the file; write that to one`,
    );
  }
  return { zone, file: besideFile(file, settings) };
};

/** Several of them. */
export const tsigFiles = many(tsigFile, "FILE");
