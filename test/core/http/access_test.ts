/** Who may read what a program says of itself. */

import { assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { isLoopback, parseToken, refusal } from "../../../lib/core/http/access.ts";
import { test } from "../../testing.ts";

const TOKEN = "0123456789abcdef:+/=";
const BYTES = new TextEncoder().encode(TOKEN);

function basic(user: string, password: string): string {
  return `Basic ${encodeBase64(new TextEncoder().encode(`${user}:${password}`))}`;
}

test("HTTP access: without a token, names that may be anybody's are refused", () => {
  const own = [
    ...["127.0.0.1", "127.0.0.1:9586", "[::1]:9586", "[::1]", "192.0.2.7:1", "localhost"],
    ...["LOCALHOST:9586", "a.localhost", "localhost."],
  ];
  for (const host of [...own, undefined]) {
    assertEquals(refusal({ host, authorization: undefined }, undefined), undefined, host);
  }
  const others = [
    ...["example.com", "example.com:9586", "localhost.example.com", "127.0.0.1.example.com"],
    ...["", "a b", "127.1", "0x7f.1", "[::1", "notlocalhost", "127.0.0.1:99999"],
  ];
  for (const host of others) {
    assertEquals(refusal({ host, authorization: undefined }, undefined), 421, host);
    // A browser doesn't know the token for a name that somebody else has made.
    assertEquals(refusal({ host, authorization: `Bearer ${TOKEN}` }, BYTES), undefined, host);
  }
});

test("HTTP access: the token is a bearer's, or a password of any user", () => {
  const ask = (authorization: string | undefined) =>
    refusal({ host: "127.0.0.1", authorization }, BYTES);
  for (
    const good of [`Bearer ${TOKEN}`, `bearer  ${TOKEN}`, basic("", TOKEN), basic("me", TOKEN)]
  ) {
    assertEquals(ask(good), undefined, good);
  }
  const bad = [
    ...[undefined, "", "Bearer", "Bearer ", TOKEN, `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`],
    ...[`Bearer x${TOKEN.slice(1)}`, `Digest ${TOKEN}`, basic("me", ""), basic(TOKEN, "x")],
    ...[`Basic ${TOKEN}`, "Basic !!!", `Basic ${encodeBase64(BYTES.subarray(0, 16))}`],
  ];
  for (const each of bad) assertEquals(ask(each), 401, each);
});

test("HTTP access: a token is one line that can't be guessed", () => {
  assertEquals(parseToken(new TextEncoder().encode(`${TOKEN}\n`)), BYTES);
  for (
    const text of ["", "short", "a".repeat(257), "two words of a token", "a".repeat(20) + "\nb"]
  ) {
    assertEquals(parseToken(new TextEncoder().encode(text)), undefined, text);
  }
});

test("HTTP access: which addresses only this host can reach", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
    assertEquals(isLoopback(host), true, host);
  }
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "128.0.0.1", "fe80::1", "localhost", ""]) {
    assertEquals(isLoopback(host), false, host);
  }
});
