/**
 * The files of the keys that a zone is signed with. Only a server with signed zones loads it.
 *
 * @module
 */

import { algorithmText, readZoneKey } from "../../../core/zone/server/key_file.ts";
import { MAX_ZONE_KEYS } from "../../../core/zone/server/signer.ts";
import type { ZoneKey } from "../../../core/zone/server/zone_key.ts";
import { UserError } from "../../../core/settings/user_error.ts";
import type { Clock } from "../../../host/clock.ts";
import type { Files, Input } from "../../../host/files.ts";
import type { System } from "../../../host/host.ts";
import type { MakeSigningKey, SigningAlgorithm, SigningKey } from "../../../wire/crypto/signing.ts";
import { areSameBytes } from "../../../wire/bytes/wire_buffer.ts";
import { readPrivate } from "../../files/files.ts";
import type { ServedZone } from "./zones.ts";

const WHAT = "zone key file";
/** The most bytes of a file that is looked at to say what it is. */
const MAX_SIZE = 4096;
/** It is tried for so long how fast a key signs, in seconds, */
const TRIAL = 0.02;
/** or so often; the first half doesn't count: engines become faster. */
const TRIALS = 64;
/** What is signed on trial. */
const TRIAL_SIZE = 256;

/** What a zone is signed with. */
export interface SigningKeys {
  readonly keys: readonly ZoneKey[];
  /** How long a signature takes here, in seconds, with the slowest of these. */
  readonly secondsPerSignature: number;
}

/** Reads the keys of zones, and tries them: one that can't sign is found before anything is changed. */
export class SigningKeyFiles {
  readonly #host: System & Files & Input & Clock;
  readonly #make: MakeSigningKey;
  /** How long a signature takes, by algorithm. */
  readonly #seconds = new Map<SigningAlgorithm, number>();

  constructor(host: System & Files & Input & Clock, make: MakeSigningKey) {
    this.#host = host;
    this.#make = make;
  }

  /** Reads those of a zone. @throws {UserError} One isn't to be had, or is no key of a zone. */
  async read(
    { name, dnssecKeys: paths }: Pick<ServedZone, "name" | "dnssecKeys">,
  ): Promise<SigningKeys> {
    const fail = (why: string): never => {
      throw new UserError(`DNS zone ${name}: ${why}`);
    };
    if (paths.length > MAX_ZONE_KEYS) {
      fail(`it has ${paths.length} keys to be signed with; name ${MAX_ZONE_KEYS} at most`);
    }
    const keys: ZoneKey[] = [];
    let secondsPerSignature = 0;
    for (const [i, path] of paths.entries()) {
      if (paths.indexOf(path) < i) fail(`${WHAT} ${path} is named twice; leave one of them out`);
      const key = await readKey(this.#host, name, path, this.#make);
      const same = keys.findIndex(({ tag, algorithm }) =>
        tag === key.tag && algorithm === key.algorithm
      );
      if (same >= 0) {
        const files = `${WHAT}s ${paths[same]} and ${path}`;
        if (areSameBytes(keys[same]!.dnskey, key.dnskey)) {
          fail(`${files} hold the same key; leave one of them out`);
        }
        // Resolvers would take one for the other, and may count that as an attack (CVE-2023-50387).
        fail(`${files} hold keys with the same tag ${key.tag}; make another in the place of one`);
      }
      secondsPerSignature = Math.max(secondsPerSignature, this.#try(path, key));
      keys.push(key);
    }
    return { keys, secondsPerSignature };
  }

  #try(path: string, { algorithm, signing }: ZoneKey): number {
    const known = this.#seconds.get(algorithm);
    if (known !== undefined) return known;
    try {
      const seconds = secondsWith(this.#host, signing);
      this.#seconds.set(algorithm, seconds);
      return seconds;
    } catch {
      throw new UserError(
        `${WHAT} ${path} is of algorithm ${algorithmText(algorithm)}, with which this system ` +
          "doesn't sign; use one of another (wgsig keygen zone --algorithm)",
      );
    }
  }
}

/** How long a signature takes, in seconds. */
function secondsWith(host: Clock, signing: SigningKey): number {
  const message = new Uint8Array(TRIAL_SIZE);
  const start = host.now().mono;
  let halfway = start;
  let now = start;
  let counted = 0;
  for (let i = 0; i < TRIALS && now - start < TRIAL; i++) {
    signing.sign(message);
    now = host.now().mono;
    if (i >= TRIALS / 2 || now - start > TRIAL / 2) counted++;
    else halfway = now;
  }
  return (now - halfway) / Math.max(counted, 1);
}

async function readKey(
  host: System & Files & Input,
  zone: string,
  path: string,
  make: MakeSigningKey,
): Promise<ZoneKey> {
  const hint = `make one with: wgsig keygen zone ${zone} --output ${path}`;
  let bytes: Uint8Array;
  try {
    bytes = await readPrivate(host, path, WHAT, hint);
  } catch (error) {
    // The file of a public key may be read by everybody, and mending that doesn't help.
    if (await isPublic(host, path)) return readNamed(path, PUBLIC, make);
    throw error;
  }
  try {
    return readNamed(path, bytes, make);
  } finally {
    bytes.fill(0);
  }
}

function readNamed(path: string, bytes: Uint8Array, make: MakeSigningKey): ZoneKey {
  try {
    return readZoneKey(bytes, make);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`${WHAT} ${path} ${error.message}`);
  }
}

/** What stands in the file of a public key. */
const PUBLIC = new TextEncoder().encode(" IN DNSKEY ");

async function isPublic(host: Files, path: string): Promise<boolean> {
  try {
    const { bytes } = await host.readFile(path, MAX_SIZE, { regular: true });
    const text = new TextDecoder().decode(bytes);
    bytes.fill(0);
    return /\sDNSKEY\s/.test(text);
  } catch {
    // Whoever reads it says why.
    return false;
  }
}
