/**
 * `wgsig keygen`: secrets and keys, as `wg genkey`, `wg pubkey` and `wg genpsk` make them; those of
 * zones are made by parts of their own.
 *
 * @module
 */

import { x25519 } from "@noble/curves/ed25519.js";
import { formatKey, KEY_SIZE, parseKeyFile } from "../lib/core/net/peer_key.ts";
import type { Host } from "../lib/host/host.ts";
import type { Random } from "../lib/host/random.ts";
import { readInput } from "../lib/service/files/files.ts";
import { writeKeyFile } from "../lib/service/files/key_files.ts";
import { outputFile } from "../lib/service/files/output.ts";
import { KEYGEN_FLAGS } from "../lib/core/settings/commands.ts";
import { isGiven, resolve } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import type { Arguments } from "./arguments.ts";

const KINDS = ["secret", "private", "public", "psk"] as const;
/** What is made for a zone, and has its name behind. */
const ZONE_KINDS = ["tsig", "zone", "ds"] as const;

/** What has flags of its own. */
const USES = {
  algorithm: "wgsig keygen zone ZONE",
  secret: "wgsig keygen tsig ZONE",
  format: "wgsig keygen ds ZONE < FILE",
} as const;
const OWN_FLAGS = { tsig: ["secret"], zone: ["algorithm"], ds: ["format"] } as const;

/** Runs `wgsig keygen`. */
export async function runKeygen(host: Host, args: Arguments): Promise<ExitStatus> {
  const given = args.operands[0] ?? "secret";
  const ofZone = ZONE_KINDS.find((known) => known === given);
  if (ofZone !== undefined) return await runOfZone(host, ofZone, args);
  const kind = KINDS.find((known) => known === given);
  if (kind === undefined) {
    const known = [...KINDS, ...ZONE_KINDS].join(", ");
    throw new UserError(`unknown kind of key "${given}"; it is one of: ${known}`);
  }
  const [, extra] = args.operands;
  if (extra !== undefined) {
    throw new UserError(`unexpected argument "${extra}"; see: wgsig keygen --help`);
  }
  refuseOthers(args, []);
  const key = kind === "public" ? await publicKeyOfInput(host) : randomKey(host, kind);
  const { raw, output } = resolve(KEYGEN_FLAGS, args);
  const path = outputFile(output);
  if (raw && path === undefined && host.out.isTerminal) {
    throw new UserError("--raw would write 32 bytes to the terminal; add --output FILE");
  }
  const bytes = raw ? key : new TextEncoder().encode(`${formatKey(key)}\n`);
  if (path === undefined) host.out.writeBytes(bytes);
  else await writeKeyFile(host, path, bytes);
  return EXIT.ok;
}

async function runOfZone(
  host: Host,
  kind: typeof ZONE_KINDS[number],
  args: Arguments,
): Promise<ExitStatus> {
  if (isGiven(args, KEYGEN_FLAGS.raw)) {
    throw new UserError(`--raw is for secrets and WireGuard's keys, and not for keygen ${kind}`);
  }
  if (kind === "ds" && isGiven(args, KEYGEN_FLAGS.algorithm, KEYGEN_FLAGS.output)) {
    throw new UserError("keygen ds makes no key: it takes neither --algorithm nor --output");
  }
  refuseOthers(args, OWN_FLAGS[kind]);
  if (kind === "tsig") {
    return await (await import("./keygen_tsig.ts")).runKeygenTsig(host, args);
  }
  if (host.signing === undefined) {
    throw new UserError(
      "this program for small routers doesn't sign zones; make the key with wgsig's larger binary",
      EXIT.failed,
    );
  }
  const { runKeygenDs, runKeygenZone } = await import("./keygen_zone.ts");
  return await (kind === "zone" ? runKeygenZone : runKeygenDs)(host, args, host.signing);
}

/** Refuses flags that other kinds of keys have. */
function refuseOthers(args: Arguments, own: readonly (keyof typeof USES)[]): void {
  for (const flag of ["algorithm", "secret", "format"] as const) {
    if (own.includes(flag) || !isGiven(args, KEYGEN_FLAGS[flag])) continue;
    throw new UserError(`--${flag} is for: ${USES[flag]}`);
  }
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
