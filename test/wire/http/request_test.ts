/** Heads of requests, as browsers, collectors of metrics and others send them. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { bareAnswer, encodeAnswerHead, textAnswer } from "../../../lib/wire/http/answer.ts";
import {
  HeadReader,
  type HeadResult,
  MAX_HEAD,
  MAX_HEADERS,
} from "../../../lib/wire/http/request.ts";
import { test } from "../../testing.ts";

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function read(...pieces: readonly string[]): HeadResult {
  const reader = new HeadReader();
  let result: HeadResult;
  for (const piece of pieces) result ??= reader.push(bytes(piece));
  return result;
}

const GET = "GET /metrics?x=1 HTTP/1.1\r\nHost: [::1]:9586\r\nAuthorization:  Bearer abc \r\n\r\n";
const ASKED = {
  method: "GET",
  path: "/metrics",
  host: "[::1]:9586",
  authorization: "Bearer abc",
} as const;

test("HTTP requests: a head is read, wherever it is torn, and nothing behind it", () => {
  assertEquals(read(GET), ASKED);
  assertEquals(read(`${GET}GET / HTTP/1.1\r\n\r\n`), ASKED);
  for (let at = 0; at <= GET.length; at++) {
    assertEquals(read(GET.slice(0, at), GET.slice(at)), ASKED);
  }
  assertEquals(read(...GET), ASKED);
  for (let at = 0; at < GET.length; at++) assertEquals(read(GET.slice(0, at)), undefined);
});

test("HTTP requests: what is no request that is only read is refused for what it is", () => {
  const cases: readonly (readonly [HeadResult, string])[] = [
    [405, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"],
    [405, "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"],
    [405, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"],
    [413, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"],
    [413, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"],
    [413, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"],
    [400, "GET / HTTP/1.1\r\n\r\n"],
    [400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    [400, "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"],
    [400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"],
    [400, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
    [400, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
    [400, "GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n"],
    [400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"],
    [400, "\r\n\r\n"],
    // What begins a handshake of TLS, at once.
    [400, "\x16\x03\x01\x02"],
    [400, "GET / HTTP/1.1\r\nHost: a\x00"],
    [431, `GET /${"a".repeat(MAX_HEAD)}`],
    [431, `GET / HTTP/1.1\r\nHost: a\r\nA: ${"b".repeat(MAX_HEAD)}\r\n\r\n`],
  ];
  for (const [status, text] of cases) assertEquals(read(text), status, text.slice(0, 80));
  assertEquals(read("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), {
    method: "GET",
    path: "/",
    host: "a",
    authorization: undefined,
  });
  assertEquals(read("HEAD /a#b HTTP/1.0\r\n\r\n"), {
    method: "HEAD",
    path: "/a",
    host: undefined,
    authorization: undefined,
  });
});

test("HTTP requests: the largest head is one, and one byte more is none", () => {
  const start = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
  const head = (size: number) => `${start}${"b".repeat(size - start.length - 4)}\r\n\r\n`;
  assertEquals(typeof read(head(MAX_HEAD)), "object");
  assertEquals(read(head(MAX_HEAD + 1)), 431);
});

test("HTTP requests: spaces that never end, and heads byte by byte, take nobody's time", () => {
  // Where a head takes time of its size's square, one takes up to 2 s, and all of this takes minutes.
  const began = Date.now();
  const start = "GET / HTTP/1.1\r\nHost: a\r\nA: b";
  for (const space of [" ", "\t", "\t "]) {
    const spaces = space.repeat((MAX_HEAD - start.length - 5) / space.length);
    const text = bytes(`${start}${spaces}b\r\n\r\n`);
    for (let i = 0; i < 100; i++) assertEquals(typeof new HeadReader().push(text), "object");
  }
  const long = bytes("a".repeat(MAX_HEAD));
  for (let i = 0; i < 10; i++) {
    const reader = new HeadReader();
    for (let at = 0; at < long.length; at++) reader.push(long.subarray(at, at + 1));
    assertEquals(reader.push(long.subarray(0, 1)), 431);
  }
  assert(Date.now() - began < 15_000);
});

test("HTTP requests: a value is without the spaces around it, and keeps those within", () => {
  const { host, authorization } = read(
    "GET / HTTP/1.1\r\nHost:\t a\t \r\nAuthorization: \xa0Basic \t x\xa0 \r\n\r\n",
  ) as { host: string; authorization: string };
  assertEquals([host, authorization], ["a", "\xa0Basic \t x\xa0"]);
  assertEquals(read("GET / HTTP/1.1\r\nHost:   \r\n\r\n"), {
    method: "GET",
    path: "/",
    host: "",
    authorization: undefined,
  });
});

test("HTTP requests: so many headers, and one more", () => {
  const head = (count: number) => `GET / HTTP/1.0\r\n${"a:\r\n".repeat(count)}\r\n`;
  assertEquals(typeof read(head(MAX_HEADERS)), "object");
  assertEquals(read(head(MAX_HEADERS + 1)), 431);
});

test("HTTP requests: whatever comes, in whatever pieces, the answer is the same and bounded", () => {
  const pieces = fc.oneof(
    fc.constantFrom(
      "GET ",
      "/",
      " HTTP/1.1",
      "\r\n",
      "\r",
      "\n",
      "Host: a",
      ":",
      "\r\n\r\n",
      "\x00",
    ),
    fc.string({ maxLength: 20 }),
    fc.constant("a".repeat(3000)),
  );
  fc.assert(fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
    const whole = parts.join("").replace(/[\u0100-\uffff]/g, "?");
    const atOnce = read(whole);
    assertEquals(read(...whole), atOnce);
    if (whole.length > MAX_HEAD) assert(atOnce !== undefined);
    if (typeof atOnce === "object") assert(/^\/[!-~]*$/.test(atOnce.path));
  }));
});

test("HTTP answers: the head has the body's length in bytes, and that nothing is kept", () => {
  const head = new TextDecoder().decode(encodeAnswerHead(textAnswer(503, "ä")));
  assertEquals(
    head,
    "HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\n" +
      "X-Content-Type-Options: nosniff\r\nConnection: close\r\n" +
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\n",
  );
  assert(
    new TextDecoder().decode(encodeAnswerHead(bareAnswer(405))).includes(
      "\r\nAllow: GET, HEAD\r\n",
    ),
  );
});
