/**
 * Whose a configuration file is: the first line of one that `wgsig config --output` has made says so,
 * with a checksum of what follows, so that changes of its owner are seen.
 *
 * ```
 * # Made by wgsig config (checksum 5f3a9c01)
 * [Interface]
 * …
 * ```
 *
 * @module
 */

import { crc32 } from "../../wire/bytes/crc32.ts";

const MARK = /^# Made by wgsig config \(checksum ([0-9a-f]{8})\)\n/;
/** How its JSON begins, which has no comments, and neither keys nor commands that could be lost. */
const JSON_START = '{\n  "schema": 1,\n  "interface": {';
const PRIVATE_KEY = /^\s*PrivateKey\s*=\s*(\S+)/gim;

/** A configuration with the line that says who made it. JSON is left as it is. */
export function marked(text: string): string {
  if (text.startsWith(JSON_START)) return text;
  return `# Made by wgsig config (checksum ${checksum(text)})\n${text}`;
}

/**
 * Whether nothing is lost where one file takes the place of another: that was made by this program,
 * nobody has changed it since, and its private key is in the new one as well.
 */
export function mayReplace(former: string, text: string): boolean {
  if (former === "" || former.startsWith(JSON_START)) return true;
  const [mark, sum] = MARK.exec(former) ?? [];
  if (mark === undefined || sum !== checksum(former.slice(mark.length))) return false;
  const kept = new Set(privateKeys(text));
  return privateKeys(former).every((key) => kept.has(key));
}

function privateKeys(text: string): string[] {
  return [...text.matchAll(PRIVATE_KEY)].map(([, key = ""]) => key);
}

function checksum(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return crc32(bytes, 0, bytes.length).toString(16).padStart(8, "0");
}
