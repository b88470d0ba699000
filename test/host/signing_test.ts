/**
 * Signatures of this runtime, and of `@noble/curves`; OpenSSL's program as third opinion.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { nodeSigning } from "../../lib/host/node/signing.ts";
import { joinBytes } from "../../lib/wire/bytes/wire_buffer.ts";
import { portableSigning } from "../../lib/wire/crypto/portable_signing.ts";
import { ECDSA_P256, ED25519 } from "../../lib/wire/crypto/signing.ts";
import { unhex } from "../support/bytes.ts";
import { run, testWith, withFolder } from "../support/program.ts";
import { SIGNING_SCENARIOS } from "./signing_scenarios.ts";

for (const [where, make] of [["Deno", nodeSigning], ["portable", portableSigning]] as const) {
  for (const [name, scenario] of Object.entries(SIGNING_SCENARIOS)) {
    Deno.test(`${where}: ${name}`, () => scenario(make));
  }
}

/** What stands before a public key in SubjectPublicKeyInfo (RFC 5480, RFC 8410). */
const PUBLIC_HEAD = {
  [ECDSA_P256]: "3059301306072a8648ce3d020106082a8648ce3d03010703420004",
  [ED25519]: "302a300506032b6570032100",
};

/** r and s as DER has them (RFC 3279, section 2.2.3). */
function derOf(signature: Uint8Array): Uint8Array {
  const numbers = [signature.subarray(0, 32), signature.subarray(32)].map((number) => {
    const start = number.findIndex((byte) => byte !== 0);
    const bytes = number[start]! > 127
      ? Uint8Array.of(0, ...number.subarray(start))
      : number.subarray(start);
    return Uint8Array.of(2, bytes.length, ...bytes);
  });
  const both = joinBytes(numbers);
  return Uint8Array.of(0x30, both.length, ...both);
}

testWith(["openssl"], "OpenSSL finds the signatures of both right", async () => {
  await withFolder(async (folder) => {
    const message = crypto.getRandomValues(new Uint8Array(300));
    await Deno.writeFile(`${folder}/message`, message);
    for (const make of [nodeSigning, portableSigning]) {
      for (const algorithm of [ECDSA_P256, ED25519] as const) {
        const key = make(algorithm, new Uint8Array(32).fill(0x42));
        const info = joinBytes([unhex(PUBLIC_HEAD[algorithm]), key.publicKey]);
        const pem = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(info).toString("base64")}\n` +
          "-----END PUBLIC KEY-----\n";
        const signature = key.sign(message);
        await Deno.writeTextFile(`${folder}/key`, pem);
        await Deno.writeFile(
          `${folder}/signature`,
          algorithm === ECDSA_P256 ? derOf(signature) : signature,
        );
        const how = algorithm === ECDSA_P256 ? ["-digest", "sha256"] : [];
        const argv = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", ...how];
        const files = ["-in", "message", "-sigfile", "signature"];
        const { code, out } = await run([...argv, ...files], { cwd: folder });
        assertEquals([code, out], [0, "Signature Verified Successfully\n"]);
      }
    }
  });
});
