import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatKey, parseKey, parseKeyFile, parseSecret } from "../../../lib/core/net/peer_key.ts";
import { key32 } from "../../support/arbitraries.ts";
import { hex, unhex } from "../../support/bytes.ts";
import { serverVectors } from "../../support/vectors.ts";
import { test } from "../../testing.ts";

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const KEY = "ht5HylAGWR0EQTx66W+IuX0andEuovl8Qi0p+dPTCNU=";
const KEY_HEX = "86de47ca5006591d04413c7ae96f88b97d1a9dd12ea2f97c422d29f9d3d308d5";

const ascii = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const secretHex = (bytes: Uint8Array) => {
  const secret = parseSecret(bytes);
  return secret && hex(secret);
};

test("a key is read as wg prints it", () => {
  const key = parseKey(KEY);
  assertEquals(key && hex(key), KEY_HEX);
  assertEquals(formatKey(unhex(KEY_HEX)), KEY);
});

test("every key is written and read back the same", () => {
  fc.assert(fc.property(key32, (key) => {
    const text = formatKey(key);
    assertEquals(text.length, 44);
    const read = parseKey(text);
    assertEquals(read && hex(read), hex(key));
  }));
});

test("the last digit may carry no bits beyond the 256th: each key has one text, as wg has it", () => {
  for (const [value, digit] of [...BASE64].entries()) {
    const key = parseKey(`${"A".repeat(42)}${digit}=`);
    assertEquals(key !== undefined, value % 4 === 0, digit);
    if (key !== undefined) assertEquals(key[31], value / 4);
  }
});

test("a text that is read is the only one of its key", () => {
  const text = fc.string({ unit: fc.constantFrom(...BASE64), minLength: 43, maxLength: 43 });
  fc.assert(fc.property(text, (digits) => {
    const key = parseKey(`${digits}=`);
    if (key !== undefined) assertEquals(formatKey(key), `${digits}=`);
  }));
});

test("what is not exactly 44 characters of base64 is no key", () => {
  const wrong = [
    "",
    "=",
    KEY.slice(0, 43),
    `${KEY}=`,
    `${KEY}\n`,
    ` ${KEY}`,
    `${KEY} `,
    KEY.slice(1),
    `A${KEY}`,
    `${KEY.slice(0, 42)}==`,
    `${KEY.slice(0, 43)}A`,
    KEY.replace("+", "-"),
    KEY.replace("+", "_"),
    KEY.replace("+", "\u{1f511}"),
    `=${KEY.slice(0, 43)}`,
    KEY_HEX,
  ];
  for (const text of wrong) assertEquals(parseKey(text), undefined, JSON.stringify(text));
});

test("a secret of 32 raw bytes is taken as it is, and copied", () => {
  fc.assert(fc.property(key32, (bytes) => {
    assertEquals(secretHex(bytes), hex(bytes));
  }));
  const bytes = new Uint8Array(32);
  const secret = parseSecret(bytes);
  bytes.fill(1);
  assertEquals(secret && hex(secret), "00".repeat(32));
});

test("32 bytes are raw even where they are letters or digits", () => {
  const letters = ascii("0123456789abcdef0123456789abcdef");
  assertEquals(secretHex(letters), hex(letters));
});

const around = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r\n"), maxLength: 5 });

test("a secret may be written in base64 or hex, with spaces and newlines around it", () => {
  fc.assert(fc.property(key32, around, around, (key, before, after) => {
    for (const text of [formatKey(key), hex(key), hex(key).toUpperCase()]) {
      assertEquals(secretHex(ascii(before + text + after)), hex(key));
    }
  }));
});

test("a key's file may have spaces and newlines around the key, and a byte order mark", () => {
  fc.assert(fc.property(key32, around, around, (key, before, after) => {
    for (const mark of ["", "\xef\xbb\xbf"]) {
      const read = parseKeyFile(ascii(mark + before + formatKey(key) + after));
      assertEquals(read && hex(read), hex(key));
    }
  }));
});

test("two keys in one file are none, whatever is between them", () => {
  fc.assert(fc.property(key32, key32, around, (a, b, between) => {
    const keys = ascii(`${formatKey(a)}${between}${formatKey(b)}\n`);
    assertEquals([parseKeyFile(keys), parseSecret(keys)], [undefined, undefined]);
    assertEquals(parseSecret(ascii(`${hex(a)}${between}${hex(b)}\n`)), undefined);
  }));
});

test("the recorded secret is read in all its forms", () => {
  const { secret } = serverVectors;
  assertEquals(secretHex(secret), hex(secret));
  assertEquals(secretHex(ascii("QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=\n")), hex(secret));
});

test("anything else is no secret", () => {
  const wrong = [
    "",
    "\n",
    KEY.slice(0, 43),
    `${KEY}\n\n${KEY}`,
    `${KEY}\0`,
    `${KEY} x`,
    `${KEY_HEX.slice(0, 32)}\n${KEY_HEX.slice(32)}`,
    KEY_HEX.slice(1),
    `${KEY_HEX}0`,
    `${KEY_HEX.slice(1)}g`,
    `0x${KEY_HEX}`,
    "x".repeat(31),
    "x".repeat(33),
    "x".repeat(66),
    "x".repeat(100_000),
  ];
  for (const text of wrong) {
    assertEquals(parseSecret(ascii(text)), undefined, JSON.stringify(text.slice(0, 70)));
  }
});

test("bytes of any other size are never taken for a raw secret", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    const secret = parseSecret(bytes);
    assert(secret === undefined || bytes.length === 32);
  }));
});

test("a secret that an editor saved with a byte order mark is the same secret", () => {
  const base64 = `${"A".repeat(42)}E=`;
  const expected = parseSecret(ascii(base64))!;
  assertEquals(expected.length, 32);
  const hexadecimal = `${"00".repeat(31)}01`;
  for (const text of [`${base64}\n`, `${base64}\r\n`, hexadecimal]) {
    const marked = new Uint8Array([0xef, 0xbb, 0xbf, ...ascii(text)]);
    assertEquals(parseSecret(marked), expected, text);
    assertEquals(parseSecret(new Uint8Array([0xef, 0xbb, ...ascii(text)])), undefined, text);
  }
});
