/**
 * The text of a TSIG key's file, and keys that are derived.
 *
 * It is written as BIND has it, so that `dig -k`, `nsupdate -k` and `named` take the same file, and read
 * as well in the one line of `dig -y`, which is what `kdig -k` takes:
 *
 * ```
 * key "NAME" { algorithm hmac-sha256; secret "BASE64"; };
 * [hmac-sha256:]NAME:BASE64
 * ```
 *
 * @module
 */

import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { deriveKey } from "../../wire/crypto/hkdf.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { encodeName, formatName } from "../../wire/dns/name.ts";
import { TSIG_SECRET_SIZE } from "../../wire/dns/tsig.ts";

/** The only algorithm. */
const ALGORITHM = "hmac-sha256";
/** Spaces and comments; a text in quotes; a brace or semicolon; a word. */
const TOKEN = /(?:\s|\/\/.*|#.*|\/\*[^]*?\*\/)+|"([^"]*)"|([{};])|([^\s"{};]+)/y;
/** An algorithm that may be shown: it is no secret that stands in the wrong place. */
const IS_ALGORITHM = /^hmac-[a-z0-9-]{3,14}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const FORM = 'expected key "NAME" { algorithm hmac-sha256; secret "BASE64"; };, or NAME:BASE64';
/** Size of a secret that is made here, in bytes. */
const MADE_SIZE = 32;
/** What a key is for that is derived from a group's secret; the key's name follows. */
const INFO = Uint8Array.from("wgsig tsig 1", (letter) => letter.charCodeAt(0));

/** A key as a file has it. */
export interface TsigKeyText {
  /** Its name, in lower case, without the last dot. */
  readonly name: string;
  /** 16 to 64 bytes. Whoever has it wipes it. */
  readonly secret: Uint8Array;
}

/**
 * Reads the one key in a file's bytes.
 *
 * @throws {SyntaxError} Saying what is wrong, without a word of what is there that could be secret.
 */
export function parseTsigKey(bytes: Uint8Array): TsigKeyText {
  const tokens = tokensOf(new TextDecoder().decode(bytes));
  const line = tokens.length === 1 ? tokens[0] : undefined;
  if (line !== undefined) return lineKey(line.text);
  return clauseKey(tokens);
}

/** Whether a text is a key in its one line, and so none that may be shown. */
export function isTsigKey(text: string): boolean {
  try {
    parseTsigKey(new TextEncoder().encode(text)).secret.fill(0);
    return true;
  } catch {
    return false;
  }
}

/** The text of a key's file. @param name As encodeName makes it. */
export function formatTsigKey(name: Uint8Array, secret: Uint8Array): string {
  return `key "${formatName(name)}" {\n\talgorithm ${ALGORITHM};\n\tsecret "${
    encodeBase64(secret)
  }";\n};\n`;
}

/**
 * The secret of the key of a zone that everyone in a group has: 32 bytes, HKDF-SHA256 of the group's
 * secret for the key's name, which is `group-N.ZONE` or that of the zone.
 *
 * @param name The key's, as encodeName makes it.
 */
export function deriveTsigSecret(
  name: Uint8Array,
  groupSecret: Uint8Array,
  primitives: Primitives,
): Uint8Array {
  const info = new Uint8Array(INFO.length + name.length);
  info.set(INFO);
  info.set(name, INFO.length);
  const secret = new Uint8Array(MADE_SIZE);
  deriveKey({ secret: groupSecret, info }, secret, primitives);
  return secret;
}

interface Token {
  readonly text: string;
  /** Whether it is a brace or a semicolon. */
  readonly isMark: boolean;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const form = new RegExp(TOKEN);
  const whole = text.replace(/^\ufeff/, "");
  while (form.lastIndex < whole.length) {
    const found = form.exec(whole);
    if (found === null) throw new SyntaxError(FORM);
    const [, quoted, mark, word] = found;
    const token = quoted ?? mark ?? word;
    if (token !== undefined) tokens.push({ text: token, isMark: mark !== undefined });
  }
  return tokens;
}

function lineKey(line: string): TsigKeyText {
  const parts = line.split(":");
  const [secret, name, algorithm = ALGORITHM] = parts.toReversed();
  if (secret === undefined || name === undefined || parts.length > 3) throw new SyntaxError(FORM);
  return keyOf(name, algorithm, secret);
}

function clauseKey(tokens: readonly Token[]): TsigKeyText {
  let at = 0;
  const next = (): string => tokens[at++]?.text ?? "";
  const mark = (wanted: string) => {
    const token = tokens[at++];
    if (token?.isMark !== true || token.text !== wanted) throw new SyntaxError(FORM);
  };
  if (next().toLowerCase() !== "key") throw new SyntaxError(FORM);
  const name = next();
  mark("{");
  const found = new Map<string, string>();
  while (tokens[at]?.text !== "}") {
    const what = next().toLowerCase();
    if ((what !== "algorithm" && what !== "secret") || found.has(what)) throw new SyntaxError(FORM);
    found.set(what, next());
    mark(";");
  }
  mark("}");
  if (at < tokens.length) mark(";");
  if (tokens[at]?.text.toLowerCase() === "key") {
    throw new SyntaxError("there is more than one key; give each a file of its own");
  }
  const algorithm = found.get("algorithm");
  const secret = found.get("secret");
  if (at < tokens.length || algorithm === undefined || secret === undefined) {
    throw new SyntaxError(FORM);
  }
  return keyOf(name, algorithm, secret);
}

function keyOf(name: string, algorithm: string, base64: string): TsigKeyText {
  const named = algorithm.toLowerCase().replace(/\.$/, "");
  if (named !== ALGORITHM) {
    if (!IS_ALGORITHM.test(named)) throw new SyntaxError(FORM);
    throw new SyntaxError(`it is for ${named}, and only ${ALGORITHM} is known here`);
  }
  if (name === ".") throw new SyntaxError("the key has no name");
  let canonical: string;
  try {
    canonical = formatName(encodeName(name));
  } catch {
    throw new SyntaxError("the key's name is no domain name");
  }
  const digits = base64.replace(/\s+/g, "");
  if (!BASE64.test(digits)) throw new SyntaxError("its secret is no base64");
  const secret = decodeBase64(digits);
  const { least, most } = TSIG_SECRET_SIZE;
  if (secret.length >= least && secret.length <= most) return { name: canonical, secret };
  const { length } = secret;
  secret.fill(0);
  throw new SyntaxError(`its secret has ${length} bytes; ${least} to ${most} are needed`);
}
