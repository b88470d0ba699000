/**
 * `wgsig keygen`: secrets and keys, as `wg genkey`, `wg pubkey` and `wg genpsk` make them.
 *
 * @module
 */

import { x25519 } from "@noble/curves/ed25519.js";
import { formatKey, KEY_SIZE, parseKeyFile } from "../lib/core/net/peer_key.ts";
import { errorCode, explain } from "../lib/host/error.ts";
import type { Host } from "../lib/host/host.ts";
import type { Random } from "../lib/host/random.ts";
import { readInput } from "../lib/service/files/files.ts";
import { outputFile } from "../lib/service/files/output.ts";
import { makeOwnFolder } from "../lib/service/files/own_folders.ts";
import { KEYGEN_FLAGS } from "../lib/core/settings/commands.ts";
import { resolve } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import type { Arguments } from "./arguments.ts";

const KINDS = ["secret", "private", "public", "psk"] as const;
const OWNER_ONLY = 0o600;

/** Runs `wgsig keygen`. */
export async function runKeygen(host: Host, args: Arguments): Promise<ExitStatus> {
  const given = args.operands[0] ?? "secret";
  const kind = KINDS.find((known) => known === given);
  if (kind === undefined) {
    throw new UserError(`unknown kind of key "${given}"; it is one of: ${KINDS.join(", ")}`);
  }
  const key = kind === "public" ? await publicKeyOfInput(host) : randomKey(host, kind);
  const { raw, output } = resolve(KEYGEN_FLAGS, args);
  const path = outputFile(output);
  if (raw && path === undefined && host.out.isTerminal) {
    throw new UserError("--raw would write 32 bytes to the terminal; add --output FILE");
  }
  const bytes = raw ? key : new TextEncoder().encode(`${formatKey(key)}\n`);
  if (path === undefined) {
    host.out.writeBytes(bytes);
    return EXIT.ok;
  }
  try {
    await makeOwnFolder(host, path);
    await host.writeFile(path, bytes, { mode: OWNER_ONLY, exclusive: true });
  } catch (error) {
    const hint = errorCode(error) === "ENOENT" ? "; make its folder first" : "";
    throw new UserError(`cannot write ${path}: ${explain(error)}${hint}`, EXIT.failed);
  }
  return EXIT.ok;
}

/** Draws a key: 32 bytes. */
export function randomKey(host: Random, kind: "secret" | "private" | "psk"): Uint8Array {
  const key = new Uint8Array(KEY_SIZE);
  host.random(key);
  if (kind === "private") {
    // RFC 7748, section 5, as `wg genkey` stores it.
    key[0] = key[0]! & 248;
    key[31] = (key[31]! & 127) | 64;
  }
  return key;
}

async function publicKeyOfInput(host: Host): Promise<Uint8Array> {
  const privateKey = parseKeyFile(await readInput(host, "private key"));
  if (privateKey === undefined) {
    throw new UserError(
      "standard input holds no private key (44 characters of base64); " +
        "use: wgsig keygen public < FILE",
    );
  }
  return x25519.getPublicKey(privateKey);
}
