/**
 * Keeps the declarations of lib/packages.d.ts honest. That they are in force, the type check tells:
 * each `@ts-expect-error` is an error itself where the package is `any`. That they are right, the
 * runs tell.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { decodeBase32, encodeBase32 } from "@std/encoding/base32";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { parse } from "@std/toml/parse";
import { chacha20 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import dnsPacket from "dns-packet";
import type { createClient } from "@redis/client";
import fc from "fast-check";
import encodeQR from "qr";
import { Buffer } from "node:buffer";
import { test } from "./testing.ts";

const BYTES = Uint8Array.of(0, 1, 0xfe, 0xff);

/** The name of the error that `run` throws; not by assertThrows, which is tested here. */
function thrown(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof Error ? error.name : "no error";
  }
  return "nothing";
}

test("@std/assert is typed, and its assertions can fail", async () => {
  // @ts-expect-error the message is a text
  assert(true, 5);
  // @ts-expect-error both have one type
  assertNotEquals(1, "1");
  // @ts-expect-error a text is matched
  assertEquals(thrown(() => assertMatch(5, /6/)), "AssertionError");
  // @ts-expect-error a text is searched
  assertEquals(thrown(() => assertStringIncludes("a", 6)), "AssertionError");
  // @ts-expect-error the caught error is unknown
  const caught: Error = assertThrows(() => decodeHex("x"));
  assert(caught instanceof Error);
  // @ts-expect-error the error comes later
  const promise: Error = assertRejects(() => Promise.reject(new RangeError("far")), RangeError);
  assert(promise instanceof Promise);
  assert(await promise instanceof RangeError);

  assertEquals(thrown(() => assert(false)), "AssertionError");
  assertEquals(thrown(() => assertEquals([1, [2]], [1, [3]])), "AssertionError");
  assertEquals(thrown(() => assertEquals<unknown>({ a: 1 }, { a: 1, b: 2 })), "AssertionError");
  assertEquals(thrown(() => assertEquals<unknown>(BYTES, Uint8Array.of(0))), "AssertionError");
  assertEquals(thrown(() => assertNotEquals({ a: [1] }, { a: [1] })), "AssertionError");
  assertEquals(thrown(() => assertMatch("abc", /x/)), "AssertionError");
  assertEquals(thrown(() => assertStringIncludes("abc", "x")), "AssertionError");
  assertEquals(thrown(() => assertThrows(() => {})), "AssertionError");
  const throwing = () => {
    throw new RangeError("too far");
  };
  assertEquals(thrown(() => assertThrows(throwing, TypeError)), "AssertionError");
  assertEquals(thrown(() => assertThrows(throwing, RangeError, "near")), "AssertionError");
  assertEquals(thrown(() => assertThrows(throwing, RangeError, "far")), "nothing");
  await assertRejects(() => assertRejects(() => Promise.resolve()));
  await assertRejects(() => assertRejects(() => Promise.reject(new Error("a")), RangeError));
});

test("assert narrows the type of what it asserts", () => {
  const value: unknown = JSON.parse('"text"');
  assert(typeof value === "string");
  const text: string = value;
  assertEquals(text, "text");
});

test("@std/cli/parse-args is typed, and gives what it says", () => {
  const options = { string: ["_", "name"], collect: ["name"] };
  const parsed = parseArgs(["--name=5", "6", "--other"], options);
  // @ts-expect-error operands are texts and numbers
  const operands: string[] = parsed._;
  assertEquals(operands, ["6"]);
  // @ts-expect-error the type of an option is not known
  const names: string[] = parsed["name"];
  assertEquals(names, ["5"]);
  assertEquals(parsed["other"], true);
  assertEquals(parsed["missing"], undefined);
  // @ts-expect-error options are named in lists
  assertEquals(thrown(() => parseArgs(["--n"], { boolean: [5] })), "TypeError");
  assertEquals(parseArgs(["7"])._, [7]);
});

test("@std/encoding/base32 is typed, and gives what it says", () => {
  // @ts-expect-error a text, no number
  const text: number = encodeBase32(BYTES);
  assertEquals<unknown>(text, "AAA757Y=");
  // @ts-expect-error bytes, no text
  const bytes: string = decodeBase32("AAA757Y=");
  assertEquals<unknown>(bytes, BYTES);
  assertEquals(encodeBase32("a"), "ME======");
  const whole: Uint8Array<ArrayBuffer> = decodeBase32("ME======");
  assertEquals(whole, new Uint8Array([97]));
  // @ts-expect-error only a text is decoded
  assertEquals(thrown(() => decodeBase32(5)) === "nothing", false);
});

test("@std/encoding/base64 is typed, and gives what it says", () => {
  // @ts-expect-error a text, no number
  const text: number = encodeBase64(BYTES);
  assertEquals<unknown>(text, "AAH+/w==");
  // @ts-expect-error bytes, no text
  const bytes: string = decodeBase64("AAH+/w==");
  assertEquals<unknown>(bytes, BYTES);
  const whole: Uint8Array<ArrayBuffer> = decodeBase64("AAH+/w==");
  assert(whole.buffer instanceof ArrayBuffer);
  assertEquals(encodeBase64(BYTES.buffer), "AAH+/w==");
  assertEquals(encodeBase64("a"), "YQ==");
  // @ts-expect-error only a text is decoded
  assertEquals(thrown(() => decodeBase64(5)) === "nothing", false);
});

test("@std/encoding/hex is typed, and gives what it says", () => {
  // @ts-expect-error a text, no number
  const text: number = encodeHex(BYTES);
  assertEquals<unknown>(text, "0001feff");
  // @ts-expect-error bytes, no text
  const bytes: string = decodeHex("0001FEff");
  assertEquals<unknown>(bytes, BYTES);
  const whole: Uint8Array<ArrayBuffer> = decodeHex("0001feff");
  assert(whole.buffer instanceof ArrayBuffer);
  assertEquals(encodeHex(BYTES.buffer), "0001feff");
  assertEquals(encodeHex("a"), "61");
});

test("@std/toml/parse is typed, and gives what it says", () => {
  const parsed = parse("a = 1\n[b]\nc = 'd'\n");
  assertEquals(parsed, { a: 1, b: { c: "d" } });
  // @ts-expect-error the type of a value is not known
  const one: number = parsed["a"];
  assertEquals(one, 1);
  // @ts-expect-error a table, no list
  const list: unknown[] = parsed;
  assertEquals(Array.isArray(list), false);
  assertEquals(thrown(() => parse("a =")), "SyntaxError");
});

test("dns-packet is typed, and gives what it says", () => {
  const questions = [{ name: "a.example", type: "SRV", class: "IN" }];
  const flags = dnsPacket.RECURSION_DESIRED;
  const answers = [{ type: "A", name: "b", data: "192.0.2.1" }];
  const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [] };
  // @ts-expect-error bytes, no text
  const query: string = dnsPacket.encode({ type: "query", id: 1, flags, questions });
  const header = "000101000001000000000000";
  const question = "0161076578616d706c650000210001";
  assertEquals<unknown>(encodeHex(query), header + question);
  const bytes = dnsPacket.encode({ type: "response", id: 1, flags: 0, questions, answers });
  const additionals = [opt];
  const asked = dnsPacket.encode({ type: "query", id: 1, flags: 0, questions, additionals });
  assertEquals(encodeHex(asked.subarray(27)), "00002904d0000000000000");
  // @ts-expect-error a text, no number
  const name: number = dnsPacket.question.decode(bytes, 12).name;
  assertEquals<unknown>(name, "a.example");
  assertEquals(dnsPacket.question.decode(bytes, 12), questions[0]!);
  const record = dnsPacket.answer.decode(bytes, 27);
  // @ts-expect-error what kind of data it is depends on the type
  const data: string = record.data;
  assertEquals([record.name, record.type, data], ["b", "A", "192.0.2.1"]);
  // @ts-expect-error a type in words
  assertEquals(thrown(() => dnsPacket.encode({ type: 5, questions: [] })) === "", false);
  const plain = Uint8Array.from(bytes);
  // @ts-expect-error a Buffer, not any bytes
  assertEquals(thrown(() => dnsPacket.question.decode(plain, 12)), "TypeError");
  assert(Buffer.isBuffer(bytes));
});

test("@redis/client is typed: a reply is not known, unless a caller says what it is", () => {
  type Client = ReturnType<typeof createClient>;
  // @ts-expect-error a list of texts and Buffers, no text
  const command: Parameters<Client["sendCommand"]>[0] = "PING";
  // @ts-expect-error a number of milliseconds
  const options: Parameters<typeof createClient>[0] = { pingInterval: "5" };
  assertEquals([command, typeof options], ["PING", "object"]);
});

test("packages that bring their types have them in force", () => {
  // @ts-expect-error bytes, no number
  const digest: number = sha256(BYTES);
  // @ts-expect-error bytes, no number
  const mac: number = hmac(sha256, BYTES, BYTES);
  // @ts-expect-error bytes, no number
  const cipher: number = chacha20(new Uint8Array(32), new Uint8Array(12), BYTES);
  // @ts-expect-error bytes, no number
  const publicKey: number = x25519.getPublicKey(new Uint8Array(32).fill(8));
  for (const [bytes, size] of [[digest, 32], [mac, 32], [cipher, 4], [publicKey, 32]]) {
    const made: unknown = bytes;
    assert(made instanceof Uint8Array);
    assertEquals(made.length, size);
  }
  // @ts-expect-error of numbers, not of texts
  const arbitrary: fc.Arbitrary<string> = fc.nat();
  assertEquals(fc.sample(arbitrary, 1).length, 1);
  // @ts-expect-error rows of modules, no text
  const code: string = encodeQR("a", "raw", { border: 1 });
  assertEquals(code.length, 21 + 2);
});
