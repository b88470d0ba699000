/**
 * The files that a store is reached with: its password, and certificates.
 *
 * @module
 */

import { UserError } from "../../core/settings/user_error.ts";
import { explain } from "../../host/error.ts";
import type { Files, Input } from "../../host/files.ts";
import type { System } from "../../host/host.ts";
import { readPrivate } from "./files.ts";

const MAX_AUTHORITY = 1024 * 1024;
const PASSWORD = "store password file";

/**
 * Reads the password: the first line of the file, without what ends it.
 *
 * @throws {UserError} It can't be read, others can read it, or there is none in it.
 */
async function readStorePassword(
  host: System & Files & Input,
  path: string,
): Promise<string> {
  const bytes = await readPrivate(host, path, PASSWORD, "write the password into it");
  const password = new TextDecoder().decode(bytes).replace(/\r?\n[^]*$/, "");
  bytes.fill(0);
  if (password === "") throw new UserError(`${PASSWORD} ${path} has no password in its first line`);
  return password;
}

/** Reads both, where there are any. @throws {UserError} One of them can't be used. */
export async function readStoreFiles(
  host: System & Files & Input,
  { passwordFile, authorityFile }: {
    readonly passwordFile: string | undefined;
    readonly authorityFile: string | undefined;
  },
): Promise<{ readonly password: string | undefined; readonly authority: string | undefined }> {
  return {
    password: passwordFile && await readStorePassword(host, passwordFile),
    authority: authorityFile && await readAuthority(host, authorityFile),
  };
}

/** Reads certificates in PEM. @throws {UserError} They can't be read, or are none. */
async function readAuthority(host: Files, path: string): Promise<string> {
  let text: string;
  try {
    text = new TextDecoder().decode((await host.readFile(path, MAX_AUTHORITY)).bytes);
  } catch (error) {
    throw new UserError(`cannot read certificates ${path}: ${explain(error)}`);
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new UserError(`${path} has no certificates: expected PEM, which begins with -----BEGIN`);
}
