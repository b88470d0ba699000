/**
 * Makes the parts of BearSSL that a binary needs.
 *
 * BearSSL rather than another library: 8 to 20 kB are linked (libsodium: 47 to 61, most of it tables
 * of Ed25519), it has HMAC-SHA256 with kept states (Monocypher has no SHA-256), it is written for
 * processors whose time for a multiplication depends on what is multiplied, and one file of it is
 * in three releases of Debian.
 *
 * @module
 */

import { libraryObjects } from "./objects.ts";
import { BEARSSL } from "./sources.ts";
import type { Toolchain } from "./toolchain.ts";

/** The files of BearSSL with the primitives, and what they call. */
const PARTS = [
  "codec/ccopy",
  "codec/dec32be",
  "codec/enc32be",
  "ec/ec_c25519_m31",
  "hash/sha2small",
  "mac/hmac",
  "symcipher/chacha20_ct",
  "symcipher/poly1305_ctmul32",
].map((part) => `src/${part}`);
const HEADERS = ["-Iinc", "-Isrc"];
/** Multiplications whose operands always have their highest bit set: they all take as long. */
const EVEN_MULTIPLY = ["-DBR_CT_MUL15=1", "-DBR_CT_MUL31=1"];

/**
 * The object files for a target.
 *
 * @param unevenMultiply As {@linkcode RouterTarget.unevenMultiply} has it.
 */
export async function cryptoObjects(
  tools: Pick<Toolchain, "cc" | "version" | "flags">,
  include: readonly string[],
  name: string,
  unevenMultiply: boolean,
): Promise<string[]> {
  const flags = [...HEADERS, ...(unevenMultiply ? EVEN_MULTIPLY : [])];
  const library = { source: BEARSSL, parts: PARTS, flags };
  return await libraryObjects(library, tools, include, `crypto-${name}`);
}
