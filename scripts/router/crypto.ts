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

import { cached } from "./cache.ts";
import { runAll } from "./commands.ts";
import { BEARSSL, sourceDigest, sourceFolder } from "./sources.ts";
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
];
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
  const source = await sourceFolder(BEARSSL);
  const flags = [...tools.flags, "-w", ...(unevenMultiply ? EVEN_MULTIPLY : [])];
  const objects = PARTS.map((part) => `${part.slice(part.indexOf("/") + 1)}.o`);
  const inputs = [await sourceDigest(BEARSSL), PARTS, tools.version, flags, include];
  const folder = await cached(`crypto-${name}`, inputs, async (folder) => {
    await runAll(PARTS.map((part, i) => ({
      argv: [
        tools.cc,
        ...flags,
        ...include,
        "-Iinc",
        "-Isrc",
        "-c",
        `src/${part}.c`,
        "-o",
        `${folder}/${objects[i]}`,
      ],
      cwd: source,
    })));
  });
  return objects.map((object) => `${folder}/${object}`);
}
