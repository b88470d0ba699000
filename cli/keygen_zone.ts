/**
 * `wgsig keygen zone` and `keygen ds`: the key that a zone is signed with, and what the world has to
 * be told of it.
 *
 * @module
 */

import { algorithmText, formatKeyFile, readZoneKey } from "../lib/core/zone/server/key_file.ts";
import { makeZoneKey, type ZoneKey } from "../lib/core/zone/server/zone_key.ts";
import { parseZone, zoneProblem } from "../lib/core/zone/name.ts";
import { KEYGEN_FLAGS } from "../lib/core/settings/commands.ts";
import { resolve } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import type { Random } from "../lib/host/random.ts";
import { readInput } from "../lib/service/files/files.ts";
import { writeKeyFile } from "../lib/service/files/key_files.ts";
import { outputFile } from "../lib/service/files/output.ts";
import {
  checkPrivateKey,
  ECDSA_P256,
  ED25519,
  type MakeSigningKey,
  PRIVATE_KEY_SIZE,
  type SigningAlgorithm,
} from "../lib/wire/crypto/signing.ts";
import { dnskeyText, dsData, dsText } from "../lib/wire/dns/dnssec.ts";
import { encodeName } from "../lib/wire/dns/name.ts";
import type { Arguments } from "./arguments.ts";

const ALGORITHMS = { ecdsa: ECDSA_P256, ed25519: ED25519 } as const;

/** Runs `wgsig keygen zone ZONE`. */
export async function runKeygenZone(
  host: Host,
  args: Arguments,
  signing: MakeSigningKey,
): Promise<ExitStatus> {
  const zone = zoneOf(args, "zone ZONE --output FILE");
  const { algorithm: name, output } = resolve(KEYGEN_FLAGS, args);
  const algorithm = ALGORITHMS[name];
  const privateKey = drawPrivateKey(host, algorithm);
  const key = makeZoneKey(algorithm, privateKey, signing);
  const bytes = new TextEncoder().encode(formatKeyFile(algorithm, privateKey));
  privateKey.fill(0);
  const path = outputFile(output);
  if (path === undefined) {
    host.out.writeBytes(bytes);
    host.err.write(recordLines(zone, key, "FILE"));
  } else {
    await writeKeyFile(host, path, bytes);
    host.out.write(recordLines(zone, key, path));
  }
  bytes.fill(0);
  return EXIT.ok;
}

/** Runs `wgsig keygen ds ZONE < FILE`. */
export async function runKeygenDs(
  host: Host,
  args: Arguments,
  signing: MakeSigningKey,
): Promise<ExitStatus> {
  const zone = zoneOf(args, "ds ZONE < FILE");
  const { format } = resolve(KEYGEN_FLAGS, args);
  const bytes = await readInput(host, "key of the zone");
  try {
    const key = readZoneKey(bytes, signing);
    host.out.write(format === "bind" ? anchorLines(zone, key) : recordLines(zone, key, "FILE"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`standard input ${error.message}`);
  } finally {
    bytes.fill(0);
  }
  return EXIT.ok;
}

function zoneOf(args: Arguments, usage: string): string {
  const given = args.operands[1];
  if (given === undefined) {
    throw new UserError(`which zone is the key for? Use: wgsig keygen ${usage}`);
  }
  const zone = parseZone(given);
  if (zone !== undefined) return zone;
  const why = zoneProblem(given);
  throw new UserError(
    `"${given}" is no name of a DNS zone, such as wg.example.com` +
      (why === undefined ? "" : `: ${why}`),
  );
}

/** Draws a private key: 32 bytes. */
function drawPrivateKey(host: Random, algorithm: SigningAlgorithm): Uint8Array {
  const key = new Uint8Array(PRIVATE_KEY_SIZE);
  for (;;) {
    host.random(key);
    try {
      checkPrivateKey(algorithm, key);
      return key;
    } catch {
      // One in 2^32 is no number below the order of P-256.
    }
  }
}

/** What is to be done with a key, as a file that takes the records: `;` begins a comment. */
function recordLines(zone: string, { algorithm, tag, dnskey }: ZoneKey, path: string): string {
  const ds = dsText(dsData(encodeName(zone), dnskey));
  const parent = zone.includes(".") ? zone.slice(zone.indexOf(".") + 1) : "the root";
  return [
    `; ${zone}: key ${tag}, ${algorithmText(algorithm)}. Sign with it:`,
    `;   wgsig serve --dns ADDRESS --zone ${zone} --dnssec-key ${path}`,
    "; Resolvers that should trust it at once take these lines as a file: unbound by",
    "; trust-anchor-file: FILE, kresd by trust_anchors.add_file('FILE', true). What delv and named",
    "; take is printed by:",
    `;   wgsig keygen ds ${zone} --format bind < ${path}`,
    `; All others trust it when ${parent} has the DS. Put it there once the zone is signed:`,
    `${zone}. 3600 IN DS ${ds}`,
    "; Where a form asks for the key instead (flags, protocol, algorithm, public key):",
    `${zone}. 300 IN DNSKEY ${dnskeyText(dnskey)}`,
    "",
  ].join("\n");
}

/** A trust anchor as `delv` and `named` read it: `//` begins a comment. */
function anchorLines(zone: string, { algorithm, tag, dnskey }: ZoneKey): string {
  const [, , digestType, digest] = dsText(dsData(encodeName(zone), dnskey)).split(" ");
  return [
    `// ${zone}: key ${tag}, ${
      algorithmText(algorithm)
    }. A file with this is taken by delv -a FILE,`,
    "// and by named where its configuration includes it.",
    `trust-anchors { "${zone}" static-ds ${tag} ${algorithm} ${digestType} "${digest}"; };`,
    "",
  ].join("\n");
}
