/**
 * `wgsig keygen tsig`: a TSIG key, which a zone and those who ask it have in common; drawn, or made of
 * a group's secret, so that everyone in the group has it.
 *
 * @module
 */

import { parseZone } from "../lib/core/zone/name.ts";
import { deriveTsigSecret, formatTsigKey } from "../lib/core/zone/tsig_key.ts";
import { KEYGEN_FLAGS } from "../lib/core/settings/commands.ts";
import { resolve } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { readSecret } from "../lib/service/files/files.ts";
import { writeKeyFile } from "../lib/service/files/key_files.ts";
import { outputFile } from "../lib/service/files/output.ts";
import { encodeName } from "../lib/wire/dns/name.ts";
import type { Arguments } from "./arguments.ts";

/** Size of a secret that is drawn: as long as the MAC (RFC 2104, section 3). */
const SECRET_SIZE = 32;
const USAGE = "use: wgsig keygen tsig NAME, or: wgsig keygen tsig ZONE --secret FILE";

/** Runs `wgsig keygen tsig`. */
export async function runKeygenTsig(host: Host, args: Arguments): Promise<ExitStatus> {
  const { output, secret: file } = resolve(KEYGEN_FLAGS, args);
  const [, given] = args.operands;
  if (given === undefined) throw new UserError(`which key? ${USAGE}`);
  const name = file === undefined ? nameOf(given) : zoneOf(given);
  const secret = new Uint8Array(SECRET_SIZE);
  if (file === undefined) host.random(secret);
  else {
    const group = await readSecret(host, file, "peer");
    const derived = deriveTsigSecret(name, group, host.primitives);
    secret.set(derived);
    derived.fill(0);
    group.fill(0);
  }
  const bytes = new TextEncoder().encode(formatTsigKey(name, secret));
  secret.fill(0);
  const path = outputFile(output);
  if (path === undefined) host.out.writeBytes(bytes);
  else await writeKeyFile(host, path, bytes);
  bytes.fill(0);
  return EXIT.ok;
}

function nameOf(given: string): Uint8Array {
  try {
    if (given !== ".") return encodeName(given);
  } catch {
    // It is none, which is said below.
  }
  throw new UserError(
    `"${given}" can't name a key: expected a name such as ops.wg.example.com; ${USAGE}`,
  );
}

function zoneOf(given: string): Uint8Array {
  const zone = parseZone(given);
  if (zone !== undefined) return nameOf(zone);
  throw new UserError(`"${given}" is no name of a DNS zone, such as wg.example.com; ${USAGE}`);
}
