import { assert, assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import fc from "fast-check";
import { BASE64_KEY_SIZE, writeBase64 } from "../../../lib/wire/bytes/base64.ts";
import {
  base32Value,
  KEY_LABEL_SIZE,
  readKeyLabel,
  writeKeyLabel,
} from "../../../lib/wire/dns/key_label.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { key32, place } from "../../support/arbitraries.ts";
import { placed, written } from "../../support/bytes.ts";
import { vectorKey, vectorLabel } from "../../support/dns_vectors.ts";
import { decodeBase64 } from "@std/encoding/base64";
import { test } from "../../testing.ts";

const DIGITS = "abcdefghijklmnopqrstuvwxyz234567";
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const bytes = (text: string) => Uint8Array.from(text, (each) => each.charCodeAt(0));

/** Base32 by the book: all bits as text. */
function twinBase32(key: Uint8Array): string {
  const bits = Array.from(key, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.padEnd(260, "0").match(/.{5}/g) ?? [];
  return groups.map((group) => DIGITS[parseInt(group, 2)]).join("") + "====";
}

function read(label: string): Uint8Array | undefined {
  const key = new WireBuffer(32);
  return readKeyLabel(new WireBuffer(bytes(label)), 0, key, 0) ? key.bytes : undefined;
}

test("keys have the labels that wgsd gives them", () => {
  for (const name of ["P1", "P2", "P8", "SELF", "BIG100"]) {
    const key = decodeBase64(vectorKey(name));
    assertEquals(twinBase32(key), vectorLabel(name));
    assertEquals(read(vectorLabel(name)), key);
  }
});

test("a key is written as its label and read back in any case, at any offset", () => {
  fc.assert(fc.property(key32, place, fc.array(fc.boolean()), (key, where, upper) => {
    const from = placed(key, where);
    const label = text(written(KEY_LABEL_SIZE, where, (buffer, at) => {
      writeKeyLabel(from, where.at, buffer, at);
    }));
    assertEquals(label, twinBase32(key));
    const mixed = Array.from(label, (each, i) => upper[i] ? each.toUpperCase() : each).join("");
    const buffer = placed(bytes(mixed), where);
    assertEquals(
      written(32, where, (to, at) => assert(readKeyLabel(buffer, where.at, to, at))),
      key,
    );
  }));
});

test("a key is written in base64", () => {
  fc.assert(fc.property(key32, place, (key, where) => {
    const from = placed(key, where);
    assertEquals(
      text(written(BASE64_KEY_SIZE, where, (to, at) => writeBase64(from, where.at, to, at))),
      encodeBase64(key),
    );
  }));
});

test("a key has one label: bits beyond it, other characters and other padding are none", () => {
  const label = vectorLabel("P1");
  for (let i = 0; i < label.length; i++) {
    for (const other of ["0", "1", "8", "@", "[", "`", "{", "\0", "\xff", i < 52 ? "=" : "a"]) {
      const changed = label.slice(0, i) + other + label.slice(i + 1);
      assertEquals(read(changed), undefined, changed);
    }
  }
  const last = Array.from(DIGITS).filter((digit) =>
    read(label.slice(0, 51) + digit + "====") !== undefined
  );
  assertEquals(last, ["a", "q"]);
});

test("a base32 character has its 5 bits in either case", () => {
  for (let code = 0; code < 256; code++) {
    const value = DIGITS.indexOf(String.fromCharCode(code).toLowerCase());
    assertEquals(base32Value(code), value, `${code}`);
  }
});
