import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import fc from "fast-check";
import {
  formatKeyFile,
  parseKeyFile,
  readZoneKey,
} from "../../../../lib/core/zone/server/key_file.ts";
import { portableSigning } from "../../../../lib/wire/crypto/portable_signing.ts";
import {
  checkPrivateKey,
  ECDSA_P256,
  ED25519,
  type SigningAlgorithm,
} from "../../../../lib/wire/crypto/signing.ts";
import { dnskeyText } from "../../../../lib/wire/dns/dnssec.ts";
import { bytesOf } from "../../../support/arbitraries.ts";
import { KEY_VECTORS } from "../../../support/dnssec_vectors.ts";
import { test } from "../../../testing.ts";

const MAKE_ONE = "; make one with: wgsig keygen zone ZONE --output FILE";
const KEY = "GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=";
const encode = (text: string) => new TextEncoder().encode(text);
const algorithms = fc.constantFrom<SigningAlgorithm>(ECDSA_P256, ED25519);

function messageOf(text: string | Uint8Array): string {
  try {
    readZoneKey(typeof text === "string" ? encode(text) : text, portableSigning);
  } catch (error) {
    assert(error instanceof SyntaxError, String(error));
    return error.message;
  }
  throw new Error(`taken: ${text}`);
}

/** A file of a key, with lines in the place of some of its own. */
function fileOf({ format = "v1.3", algorithm = "13 (ECDSAP256SHA256)", key = KEY, more = "" }) {
  return `Private-key-format: ${format}\nAlgorithm: ${algorithm}\nPrivateKey: ${key}\n${more}`;
}

test("files of BIND, ldns and the RFCs are read", () => {
  for (const { source, file, tag, dnskey } of KEY_VECTORS) {
    const key = readZoneKey(encode(file), portableSigning);
    assertEquals([key.tag, dnskeyText(key.dnskey)], [tag, dnskey], source);
    assertEquals(key.signing.algorithm, key.algorithm, source);
  }
});

test("a file is read as it was written, for every key", () => {
  fc.assert(fc.property(algorithms, bytesOf(32), (algorithm, privateKey) => {
    const text = formatKeyFile(algorithm, privateKey);
    assertEquals(parseKeyFile(encode(text)), { algorithm, privateKey });
  }));
  const { file } = KEY_VECTORS.find(({ file }) => /^[^]*v1\.3\n(?:.*\n){2}/.test(file))!;
  const { algorithm, privateKey } = parseKeyFile(encode(file));
  assert(file.startsWith(formatKeyFile(algorithm, privateKey)), "as dnssec-keygen has it");
});

test("line ends, empty lines, a byte order mark and the order of fields don't matter", () => {
  const wanted = parseKeyFile(encode(fileOf({})));
  for (
    const text of [
      fileOf({}).replaceAll("\n", "\r\n"),
      `\ufeff\n  ${fileOf({}).replaceAll("\n", "\n\n")}`,
      fileOf({}).trimEnd(),
      `private-key-format: v1.2\nPRIVATEKEY:${KEY}\nalgorithm: 13\n`,
      fileOf({ more: "Created: 20260101000000\nDelete: 20260102000000\n; a comment\nPublish:\n" }),
      fileOf({ key: `${KEY.slice(0, 20)} ${KEY.slice(20)}` }),
    ]
  ) {
    assertEquals(parseKeyFile(encode(text)), wanted, text);
  }
});

test("a number of P-256 may lack the zeros that it begins with", () => {
  const short = Uint8Array.of(1, 2, 3);
  const text = (algorithm: string) => fileOf({ algorithm, key: encodeBase64(short) });
  const { privateKey } = parseKeyFile(encode(text("13")));
  assertEquals(privateKey, Uint8Array.of(...new Uint8Array(29), 1, 2, 3));
  assertEquals(
    messageOf(text("15")),
    `has a PrivateKey that isn't 32 bytes in base64, as 15 (ED25519) has them${MAKE_ONE}`,
  );
});

test("what is no key of a zone is told by what it is, and how to mend it", () => {
  const first = `its first line isn't "Private-key-format: v1.3"${MAKE_ONE}`;
  const none = `is no private key of a zone: ${first}`;
  const size =
    `has a PrivateKey that isn't 32 bytes in base64, as 13 (ECDSAP256SHA256) has them${MAKE_ONE}`;
  const signed = "zones are signed with 13 (ECDSAP256SHA256) or 15 (ED25519): make one with: " +
    "wgsig keygen zone ZONE --output FILE";
  const [dnskey, ds] = ["DNSKEY 257 3 13 AA==", "DS 1 13 2 00"].map((data) =>
    `wg.example.com. IN ${data}\n`
  );
  const cases: readonly (readonly [string, string])[] = [
    ["", none],
    [KEY, none],
    [`Algorithm: 13\n${fileOf({})}`, none],
    [fileOf({ format: "v2.0" }), `is of another version than v1${MAKE_ONE}`],
    [fileOf({ format: "1.3" }), none],
    [
      dnskey!,
      "has the public key; name the file with the private one (of BIND's, that which ends in .private)",
    ],
    [ds!, "has a DS; name the file with the private key (of BIND's, that which ends in .private)"],
    [
      "-----BEGIN PRIVATE KEY-----\n",
      `is PEM; expected BIND's private key format (Private-key-format: v1.3)${MAKE_ONE}`,
    ],
    [fileOf({ algorithm: "8 (RSASHA256)" }), `is of algorithm 8 (RSASHA256); ${signed}`],
    [fileOf({ algorithm: "253 (PRIVATEDNS)" }), `is of algorithm 253; ${signed}`],
    [fileOf({ algorithm: "ECDSAP256SHA256" }), `names no Algorithm${MAKE_ONE}`],
    [fileOf({ algorithm: "13x" }), `names no Algorithm${MAKE_ONE}`],
    [fileOf({ algorithm: "1300" }), `names no Algorithm${MAKE_ONE}`],
    ["Private-key-format: v1.3\nPrivateKey: AAAA\n", `names no Algorithm${MAKE_ONE}`],
    [
      "Private-key-format: v1.3\nAlgorithm: 13\nEngine: cGtjczEx\n",
      `has no PrivateKey, which may lie in a device${MAKE_ONE}`,
    ],
    [fileOf({ more: fileOf({}) }), `has two keys, or one field twice${MAKE_ONE}`],
    [fileOf({ key: "" }), size],
    [fileOf({ key: KEY.slice(1) }), size],
    [fileOf({ key: `${KEY.slice(0, 42)}R=` }), size],
    [fileOf({ key: encodeBase64(new Uint8Array(33).fill(1)) }), size],
    [fileOf({ key: "hunter2" }), size],
    [
      fileOf({ key: encodeBase64(new Uint8Array(32)) }),
      `has a PrivateKey that is no private key of 13 (ECDSAP256SHA256)${MAKE_ONE}`,
    ],
    [
      fileOf({ key: encodeBase64(new Uint8Array(32).fill(255)) }),
      `has a PrivateKey that is no private key of 13 (ECDSAP256SHA256)${MAKE_ONE}`,
    ],
    [fileOf({ more: "x".repeat(4096) }), `has more than 4096 bytes${MAKE_ONE}`],
  ];
  for (const [text, message] of cases) assertEquals(messageOf(text), message, text);
});

test("whatever a file has: a key, or one line that shows nothing of it", () => {
  const word = fc.constantFrom(
    ...["Private-key-format: v1.3", "Algorithm: 13", "Algorithm: 15", "PrivateKey: ", "Engine: x"],
    ...[
      KEY,
      "AAAA",
      ":",
      "=",
      "\n",
      "\n",
      "\r\n",
      " ",
      "DNSKEY",
      "-----BEGIN ",
      "\u0000",
      "\ufeff",
    ],
  );
  const built = fc.array(word, { maxLength: 12 }).map((words) => encode(words.join("")));
  const [start, end] = [fc.nat(120), fc.nat(120)];
  const changed = fc.tuple(fc.constantFrom(...KEY_VECTORS), start, end, fc.uint8Array()).map(
    ([{ file }, from, size, bytes]) => {
      const whole = encode(file);
      return Uint8Array.of(...whole.subarray(0, from), ...bytes, ...whole.subarray(from + size));
    },
  );
  const anything = fc.oneof(built, changed, fc.uint8Array({ maxLength: 5000 }));
  fc.assert(
    fc.property(anything, (bytes) => {
      const before = bytes.slice();
      try {
        const { algorithm, privateKey } = parseKeyFile(bytes);
        assertEquals(privateKey.length, 32);
        assert(algorithm === ECDSA_P256 || algorithm === ED25519);
      } catch (error) {
        assert(error instanceof SyntaxError, String(error));
        assert(/^(?:has|is|its|names) [ -~]+$/.test(error.message), error.message);
        assert(!error.message.includes(KEY.slice(0, 8)), error.message);
      }
      assertEquals(bytes, before);
    }),
    { numRuns: 2000 },
  );
});

test("a host's key is asked for only where there is a private key", () => {
  let asked = 0;
  const make: typeof portableSigning = (algorithm, privateKey) => {
    asked++;
    checkPrivateKey(algorithm, privateKey);
    throw new TypeError("no such curve here");
  };
  assertThrows(() => readZoneKey(encode(fileOf({ key: "AA" })), make), SyntaxError);
  assertEquals(asked, 0);
  // What fails for another reason is no fault of the file.
  assertThrows(() => readZoneKey(encode(fileOf({})), make), TypeError);
});
