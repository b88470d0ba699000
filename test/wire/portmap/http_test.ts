import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeHttpQuestion, readHttpAnswer } from "../../../lib/wire/portmap/http.ts";
import { test } from "../../testing.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function read(text: string, isEnded = false) {
  return readHttpAnswer(bytes(text), isEnded);
}

test("HTTP: a question has its length in bytes, and one without a body has none", () => {
  const get = encodeHttpQuestion({ method: "GET", host: "192.0.2.1:80", path: "/a" });
  assertEquals(
    new TextDecoder().decode(get),
    "GET /a HTTP/1.1\r\nHost: 192.0.2.1:80\r\nConnection: close\r\n\r\n",
  );
  const post = encodeHttpQuestion({
    method: "POST",
    host: "h",
    path: "/",
    headers: { "X-A": "1" },
    body: "ä",
  });
  assertEquals(
    new TextDecoder().decode(post),
    "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nä",
  );
});

test("HTTP: an answer is whole at its length, at its last chunk, or at the end", () => {
  const length = "HTTP/1.1 200 OK\r\ncontent-LENGTH:  3 \r\n\r\nabcde";
  assertEquals(read(length), { status: 200, body: "abc" });
  assertEquals(read(length.slice(0, -3)), undefined);
  assertEquals(read(length.slice(0, -3), true), undefined);
  const chunks = "HTTP/1.1 500 \r\nTransfer-Encoding: Chunked\r\n\r\n" +
    "3\r\nabc\r\n00a;x=y\r\n0123456789\r\n0\r\n\r\n";
  assertEquals(read(chunks), { status: 500, body: "abc0123456789" });
  assertEquals(read(chunks.slice(0, -2)), undefined);
  assertEquals(read(chunks.slice(0, -7), true), undefined);
  const rest = "HTTP/1.0 200 OK\r\n\r\nabc";
  assertEquals(read(rest), undefined);
  assertEquals(read(rest, true), { status: 200, body: "abc" });
});

test("HTTP: what is none says nothing", () => {
  for (
    const text of [
      "",
      "HTTP/1.1 200 OK\r\n",
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      `HTTP/1.1 200 OK\r\nX: ${"x".repeat(9000)}\r\n\r\n`,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\na\r\n0\r\n\r\n",
    ]
  ) assertEquals(read(text, true), undefined, text.slice(0, 60));
});

test("HTTP: a body is read as it was sent, in chunks or not, and never before it is there", () => {
  const body = fc.string({ minLength: 1, maxLength: 300 });
  fc.assert(fc.property(body, fc.integer({ min: 1, max: 50 }), fc.nat(), (body, size, cut) => {
    const content = bytes(body);
    const parts: number[] = [...bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")];
    for (let at = 0; at < content.length; at += size) {
      const part = content.subarray(at, at + size);
      parts.push(...bytes(`${part.length.toString(16)}\r\n`), ...part, ...bytes("\r\n"));
    }
    parts.push(...bytes("0\r\n\r\n"));
    const whole = Uint8Array.from(parts);
    assertEquals(readHttpAnswer(whole, false)?.body, body);
    const early = readHttpAnswer(whole.subarray(0, cut % (whole.length - 5)), true);
    assertEquals(early, undefined);
  }));
});

test("HTTP: any bytes are an answer or none", () => {
  const head = bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (random, isEnded) => {
    readHttpAnswer(random, isEnded);
    readHttpAnswer(Uint8Array.from([...head, ...random]), isEnded);
  }));
});
