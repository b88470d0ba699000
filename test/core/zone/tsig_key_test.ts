import { assert, assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import {
  deriveTsigSecret,
  formatTsigKey,
  isTsigKey,
  parseTsigKey,
} from "../../../lib/core/zone/tsig_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { encodeName } from "../../../lib/wire/dns/name.ts";
import { key32 } from "../../support/arbitraries.ts";
import { nameBytes } from "../../support/dns.ts";
import { test } from "../../testing.ts";

const SECRET = Uint8Array.from({ length: 32 }, (_, i) => 250 - i);
const BASE64 = encodeBase64(SECRET);
const KEY = { name: "ops.example.com", secret: SECRET };

function parsed(text: string): unknown {
  return parseTsigKey(new TextEncoder().encode(text));
}

function refusal(text: string): string {
  try {
    parsed(text);
  } catch (error) {
    assert(error instanceof SyntaxError);
    return error.message;
  }
  throw new Error(`${text} is a key`);
}

test("what is written is read again, whatever the secret", () => {
  const secret = fc.uint8Array({ minLength: 16, maxLength: 64 });
  fc.assert(fc.property(secret, (bytes) => {
    const text = formatTsigKey(encodeName("Ops.Example.com."), bytes);
    assertEquals(parsed(text), { name: "ops.example.com", secret: bytes });
  }));
});

test("a key is written as tsig-keygen does", () => {
  assertEquals(
    formatTsigKey(encodeName("ops"), SECRET),
    `key "ops" {\n\talgorithm hmac-sha256;\n\tsecret "${BASE64}";\n};\n`,
  );
});

test("BIND's clause is read in every form that BIND takes", () => {
  for (
    const text of [
      `key "ops.example.com" { algorithm hmac-sha256; secret "${BASE64}"; };`,
      `key ops.example.com. {algorithm HMAC-SHA256.;secret ${BASE64};};`,
      `\ufeff# one\n// two\nKEY "Ops.Example.COM" /* three\n */ {\r\n  secret "${BASE64}"; # four\n` +
      `  algorithm "hmac-sha256";\n}`,
      `key "ops.example.com" { algorithm hmac-sha256; secret "${BASE64.slice(0, 9)}\n  ${
        BASE64.slice(9)
      }"; };`,
    ]
  ) assertEquals(parsed(text), KEY, text);
});

test("the line of dig -y is read", () => {
  for (
    const text of [
      `hmac-sha256:ops.example.com:${BASE64}`,
      `ops.example.com:${BASE64}\n`,
      `# for dig\n HMAC-SHA256:OPS.example.com.:${BASE64}  \r\n`,
    ]
  ) {
    assertEquals(parsed(text), KEY, text);
    assert(isTsigKey(text));
  }
});

test("what is no key is refused, and none of it is said", () => {
  const clause = (inside: string) => `key "ops" { ${inside} };`;
  const both = `algorithm hmac-sha256; secret "${BASE64}";`;
  for (
    const text of [
      "",
      BASE64,
      `:${BASE64}`,
      `a:hmac-sha256:ops:${BASE64}`,
      `${BASE64}:ops`,
      `hmac-sha256:${BASE64}:ops`,
      `${BASE64}:ops:${BASE64}`,
      `ops:${BASE64.slice(1)}`,
      `ops:${BASE64.replace("=", "!")}`,
      `.:${BASE64}`,
      `o p s:${BASE64}`,
      `o%s:${BASE64}`,
      clause(`algorithm hmac-sha256; algorithm hmac-sha256; secret "${BASE64}";`),
      clause(`algorithm hmac-sha256;`),
      clause(`secret "${BASE64}";`),
      clause(`${both} ${BASE64} x;`),
      clause(`algorithm hmac-sha256 secret "${BASE64}";`),
      clause(`algorithm ${BASE64}; secret "${BASE64}";`),
      `key "ops" ${both}`,
      `key "ops" { ${both}`,
      `key { ${both} };`,
      `server 192.0.2.1 { ${both} };`,
      clause(both) + BASE64,
      clause(both) + " options { };",
      clause(both).replace(/"(?=;)/, ""),
      "key",
    ]
  ) {
    const why = refusal(text);
    assert(!why.includes(BASE64.slice(5, 20)), why);
    assert(!why.includes("\n"), why);
    assert(!isTsigKey(text), text);
  }
});

test("what can be mended is named", () => {
  const clause = (algorithm: string, secret = BASE64) =>
    `key "ops" { algorithm ${algorithm}; secret "${secret}"; };\n`;
  assertEquals(
    refusal(clause("hmac-md5")),
    "it is for hmac-md5, and only hmac-sha256 is known here",
  );
  assertEquals(
    refusal(`HMAC-SHA512:ops:${BASE64}`),
    "it is for hmac-sha512, and only hmac-sha256 is known here",
  );
  assertEquals(
    refusal(clause("hmac-sha256") + clause("hmac-sha256")),
    "there is more than one key; give each a file of its own",
  );
  const sizes = [0, 15, 65].map((size) =>
    refusal(clause("hmac-sha256", encodeBase64(new Uint8Array(size))))
  );
  assertEquals(
    sizes,
    [0, 15, 65].map((size) => `its secret has ${size} bytes; 16 to 64 are needed`),
  );
  assertEquals(refusal(`a..b:${BASE64}`), "the key's name is no domain name");
  assertEquals(refusal(clause("hmac-sha256", "a")), "its secret is no base64");
});

test("any text is a key or refused", () => {
  const word = fc.constantFrom("key", '"ops"', "{", "}", ";", "algorithm", "hmac-sha256", "secret");
  const text = fc.array(
    fc.oneof(word, fc.constantFrom(BASE64, "/*", "*/", "#", "\n"), fc.string()),
  );
  fc.assert(fc.property(text, (words) => {
    try {
      const { secret, name } = parseTsigKey(new TextEncoder().encode(words.join(" ")));
      assert(secret.length >= 16 && secret.length <= 64 && name.length > 0);
    } catch (error) {
      assert(error instanceof SyntaxError, String(error));
    }
  }));
});

test("the key of a group's secret is HKDF's, another one for every name and every secret", () => {
  fc.assert(fc.property(key32, fc.constantFrom("wg.example.com", "a"), (secret, zone) => {
    const info = Uint8Array.from([...new TextEncoder().encode("wgsig tsig 1"), ...nameBytes(zone)]);
    const wanted = Uint8Array.from(hkdf(sha256, secret, undefined, info, 32));
    assertEquals(deriveTsigSecret(encodeName(zone), secret, PORTABLE), wanted);
  }));
});
