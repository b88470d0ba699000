/**
 * The private key of a zone in a file: BIND's private key format, as `dnssec-keygen` and
 * `ldns-keygen` write it.
 *
 * ```
 * Private-key-format: v1.3
 * Algorithm: 13 (ECDSAP256SHA256)
 * PrivateKey: BASE64
 * ```
 *
 * What else stands in it says when a key is used: that is said by the settings here, and passed over.
 *
 * @module
 */

import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import {
  ECDSA_P256,
  ED25519,
  type MakeSigningKey,
  PRIVATE_KEY_SIZE,
  type SigningAlgorithm,
} from "../../../wire/crypto/signing.ts";
import { makeZoneKey, type ZoneKey } from "./zone_key.ts";

/** The most bytes of a file. */
const MAX_SIZE = 4096;
const FORMAT = "Private-key-format";
const ALGORITHM = "Algorithm";
const PRIVATE_KEY = "PrivateKey";
const MAKE_ONE = "make one with: wgsig keygen zone ZONE --output FILE";
/** DNSSEC's algorithms, as key files name them. */
const NAMES: Readonly<Record<number, string>> = {
  1: "RSAMD5",
  3: "DSA",
  5: "RSASHA1",
  6: "NSEC3DSA",
  7: "NSEC3RSASHA1",
  8: "RSASHA256",
  10: "RSASHA512",
  12: "ECCGOST",
  [ECDSA_P256]: "ECDSAP256SHA256",
  14: "ECDSAP384SHA384",
  [ED25519]: "ED25519",
  16: "ED448",
};

/** What a file says. */
export interface KeyFileContent {
  readonly algorithm: SigningAlgorithm;
  /** 32 bytes, the caller's. */
  readonly privateKey: Uint8Array;
}

/** An algorithm as key files write it: `13 (ECDSAP256SHA256)`. */
export function algorithmText(algorithm: number): string {
  const name = NAMES[algorithm];
  return name === undefined ? String(algorithm) : `${algorithm} (${name})`;
}

/** The text of a key file. */
export function formatKeyFile(algorithm: SigningAlgorithm, privateKey: Uint8Array): string {
  return `${FORMAT}: v1.3\n${ALGORITHM}: ${algorithmText(algorithm)}\n` +
    `${PRIVATE_KEY}: ${encodeBase64(privateKey)}\n`;
}

/**
 * Reads the bytes of a key file.
 *
 * @throws {SyntaxError} It is none, or of another algorithm: what is wrong, to stand behind the
 *   file's name. Nothing of what it has is in the message.
 */
export function parseKeyFile(bytes: Uint8Array): KeyFileContent {
  if (bytes.length > MAX_SIZE) {
    throw new SyntaxError(`has more than ${MAX_SIZE} bytes; ${MAKE_ONE}`);
  }
  const fields = fieldsOf(new TextDecoder().decode(bytes));
  const algorithm = algorithmOf(fields.get(ALGORITHM.toLowerCase()));
  const privateKey = privateKeyOf(fields.get(PRIVATE_KEY.toLowerCase()), algorithm);
  return { algorithm, privateKey };
}

/**
 * Makes the key of a zone of the bytes of a key file, which are not kept.
 *
 * @throws {SyntaxError} As {@linkcode parseKeyFile}.
 */
export function readZoneKey(bytes: Uint8Array, make: MakeSigningKey): ZoneKey {
  const { algorithm, privateKey } = parseKeyFile(bytes);
  try {
    return makeZoneKey(algorithm, privateKey, make);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SyntaxError(
      `has a ${PRIVATE_KEY} that is no private key of ${algorithmText(algorithm)}; ${MAKE_ONE}`,
    );
  } finally {
    privateKey.fill(0);
  }
}

/** The fields by their names in lower case. What is no key file is told by what it seems to be. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "");
  const fields = new Map<string, string>();
  const [first = ""] = lines;
  const version = /^private-key-format:\s*v(\d+)\.\d+$/i.exec(first)?.[1];
  if (version === undefined) throw new SyntaxError(whatElse(text));
  if (version !== "1") throw new SyntaxError(`is of another version than v1; ${MAKE_ONE}`);
  lines.slice(1).forEach((line) => {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    if (fields.has(name)) throw new SyntaxError(`has two keys, or one field twice; ${MAKE_ONE}`);
    // What is no field is passed over like fields that say nothing here.
    if (colon > 0) fields.set(name, line.slice(colon + 1).trim());
  });
  return fields;
}

function whatElse(text: string): string {
  if (/\sDNSKEY\s/.test(text)) {
    return "has the public key; name the file with the private one (of BIND's, that which ends in .private)";
  }
  if (/\sDS\s/.test(text)) {
    return "has a DS; name the file with the private key (of BIND's, that which ends in .private)";
  }
  if (text.includes("-----BEGIN ")) {
    return `is PEM; expected BIND's private key format (${FORMAT}: v1.3); ${MAKE_ONE}`;
  }
  return `is no private key of a zone: its first line isn't "${FORMAT}: v1.3"; ${MAKE_ONE}`;
}

function algorithmOf(value: string | undefined): SigningAlgorithm {
  const digits = /^(\d{1,3})(?:\s|$)/.exec(value ?? "")?.[1];
  if (digits === undefined) throw new SyntaxError(`names no ${ALGORITHM}; ${MAKE_ONE}`);
  const algorithm = Number(digits);
  if (algorithm === ECDSA_P256 || algorithm === ED25519) return algorithm;
  throw new SyntaxError(
    `is of algorithm ${algorithmText(algorithm)}; zones are signed with ` +
      `${algorithmText(ECDSA_P256)} or ${algorithmText(ED25519)}: ${MAKE_ONE}`,
  );
}

function privateKeyOf(value: string | undefined, algorithm: SigningAlgorithm): Uint8Array {
  if (value === undefined) {
    throw new SyntaxError(`has no ${PRIVATE_KEY}, which may lie in a device; ${MAKE_ONE}`);
  }
  const given = decoded(value.replace(/\s/g, ""));
  // A number may be written without the zeros that it begins with.
  const fits = algorithm === ED25519
    ? given?.length === PRIVATE_KEY_SIZE
    : given !== undefined && given.length > 0 && given.length <= PRIVATE_KEY_SIZE;
  if (given === undefined || !fits) {
    given?.fill(0);
    throw new SyntaxError(
      `has a ${PRIVATE_KEY} that isn't ${PRIVATE_KEY_SIZE} bytes in base64, as ` +
        `${algorithmText(algorithm)} has them; ${MAKE_ONE}`,
    );
  }
  const key = new Uint8Array(PRIVATE_KEY_SIZE);
  key.set(given, PRIVATE_KEY_SIZE - given.length);
  given.fill(0);
  return key;
}

/** The bytes of base64; undefined where it is none, or bits are set that belong to no byte. */
function decoded(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined;
  const bytes = decodeBase64(text);
  return encodeBase64(bytes) === text ? bytes : undefined;
}
