import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encodeLeaseReply,
  encodeLeaseRequest,
  LeaseReader,
  MAX_LINE_SIZE,
  parseLeaseNumber,
} from "../../../lib/wire/lease/message.ts";
import { test } from "../../testing.ts";

const NONE = { leaseStart: 0, leaseTime: 0, routes: [], peers: [] };

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** What a reader finds in pieces of a stream: `key=value`, `.` for an end, `!` for damage. */
function found(pieces: readonly Uint8Array[]): string[] {
  const reader = new LeaseReader();
  const all: string[] = [];
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const before = at;
      at = reader.read(piece, at);
      assert(at > before && at <= piece.length);
      if (reader.found === "field") all.push(`${reader.key}=${reader.value}`);
      if (reader.found === "end") all.push(".");
      if (reader.found !== "damage") continue;
      all.push("!");
      assertEquals(at, piece.length);
      return all;
    }
  }
  return all;
}

function inPieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((at) => at % (bytes.length + 1)), bytes.length]
    .sort((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

test("requests are written as the C client writes them", () => {
  assertEquals(
    text(encodeLeaseRequest({ ipv4: "0.0.0.0", ipv6: "::" })),
    "request_ip=1\nip=0.0.0.0/32\nip=::/128\nleasestart=0\nleasetime=0\n\n",
  );
  assertEquals(
    text(encodeLeaseRequest({ ipv4: "192.168.4.2", ipv6: "2001:db8:1234::a" })),
    "request_ip=1\nip=192.168.4.2/32\nip=2001:db8:1234::a/128\nleasestart=0\nleasetime=0\n\n",
  );
  assertEquals(text(encodeLeaseRequest({})), "request_ip=1\n\n");
  assertEquals(
    text(encodeLeaseRequest({ ipv6: "::", want: "routes" })),
    "request_ip=1\nip=::/128\nleasestart=0\nleasetime=0\nwant=routes\n\n",
  );
});

test("replies are written as the C server writes them", () => {
  const both = { ipv4: "192.168.4.2", ipv6: "2001:db8:1234::a" };
  assertEquals(
    text(encodeLeaseReply({
      ...NONE,
      ...both,
      leaseStart: 1795291448,
      leaseTime: 20,
      errno: 0,
    })),
    "ip=192.168.4.2/32\nip=2001:db8:1234::a/128\nleasestart=1795291448\nleasetime=20\nerrno=0\n\n",
  );
  assertEquals(
    text(encodeLeaseReply({
      ...NONE,
      ipv4: "192.168.4.9",
      leaseStart: 1795291554,
      leaseTime: 3600,
      errno: 3,
    })),
    "ip=192.168.4.9/32\nleasestart=1795291554\nleasetime=3600\n" +
      "errno=3\nerrmsg=Chosen IP(s) unavailable\n\n",
  );
  const bare = [0, 1, 2, 3] as const;
  assertEquals(bare.map((errno) => text(encodeLeaseReply({ ...NONE, errno }))), [
    "errno=0\n\n",
    "errno=1\nerrmsg=Invalid request\n\n",
    "errno=2\nerrmsg=Unsupported protocol\n\n",
    "errno=3\nerrmsg=Chosen IP(s) unavailable\n\n",
  ]);
});

test("routes and peers come last", () => {
  const reply = encodeLeaseReply({
    ...NONE,
    ipv4: "10.0.0.2",
    leaseStart: 1,
    leaseTime: 2,
    errno: 3,
    routes: ["10.9.0.0/16", "::/0"],
    peers: ["a b", "c"],
  });
  assertEquals(
    text(reply),
    "ip=10.0.0.2/32\nleasestart=1\nleasetime=2\nerrno=3\nerrmsg=Chosen IP(s) unavailable\n" +
      "route=10.9.0.0/16\nroute=::/0\npeer=a b\npeer=c\n\n",
  );
});

test("what is no line is not written", () => {
  const withPeer = (peer: string) => encodeLeaseReply({ ...NONE, errno: 0, peers: [peer] });
  for (const bad of ["a\nb", "a\0", "\u00e9", "\u2026", "\r", "\x7f"]) {
    assertThrows(() => withPeer(bad), RangeError);
    assertThrows(() => encodeLeaseRequest({ want: bad }), RangeError);
  }
  const fits = "x".repeat(MAX_LINE_SIZE - "peer=\n".length);
  assertEquals(withPeer(fits).length, "errno=0\n".length + MAX_LINE_SIZE + 1);
  assertThrows(() => withPeer(`${fits}x`), RangeError);
});

test("a stream is taken apart into lines and ends", () => {
  const cases: readonly (readonly [string, string[]])[] = [
    ["", []],
    ["request_ip=1", []],
    ["request_ip=1\n", ["request_ip=1"]],
    ["request_ip=1\n\n", ["request_ip=1", "."]],
    ["a=1\n\nb=2\n\n\n", ["a=1", ".", "b=2", ".", "."]],
    ["a=\n", ["a="]],
    ["a==b=\n", ["a==b="]],
    [" a = b \r\n", [" a = b \r"]],
    ["\xe9=\xff\n", ["\xe9=\xff"]],
    ["=1\n", ["!"]],
    ["a=1\n=\n", ["a=1", "!"]],
    ["foo\nb=1\n", ["!"]],
    ["\r\n", ["!"]],
    ["a=1\n\0", ["a=1", "!"]],
    ["a=\0", ["!"]],
    ["\n", ["."]],
  ];
  for (const [stream, expected] of cases) assertEquals(found([ascii(stream)]), expected, stream);
});

test("a line has at most 4096 bytes with its LF", () => {
  const fits = `key=${"x".repeat(MAX_LINE_SIZE - 5)}`;
  assertEquals(fits.length, 4095);
  assertEquals(found([ascii(`${fits}\n\n`)]), [fits, "."]);
  assertEquals(found([ascii(fits)]), []);
  // No LF is waited for.
  assertEquals(found([ascii(`${fits}x`)]), ["!"]);
  assertEquals(found([ascii(`${fits}x\n\n`)]), ["!"]);
  // A long line before does not count.
  assertEquals(found([ascii(`${fits}\n${fits}\n`)]), [fits, fits]);
});

test("after damage, nothing is read", () => {
  const reader = new LeaseReader();
  const first = ascii("bad\na=1\n\n");
  assertEquals(reader.read(first, 0), first.length);
  assertEquals(reader.found, "damage");
  assertEquals(reader.read(ascii("a=1\n"), 0), 4);
  assertEquals(reader.found, "damage");
});

const byte = fc.constantFrom(..."ab=\n\n\0\xff", "=", "=");
const soup = fc.string({ unit: byte, maxLength: 60 });
const line = fc.tuple(
  fc.constantFrom("ip", "errno", "k"),
  fc.string({ unit: "grapheme-ascii", maxLength: 9 }),
)
  .map((parts) => `${parts.join("=")}\n`);
const cuts = fc.array(fc.nat({ max: 10_000 }), { maxLength: 12 });

test("pieces make no difference", () => {
  const lines = fc.array(fc.oneof(line, fc.constant("\n")), { maxLength: 12 })
    .map((all) => all.join(""));
  fc.assert(fc.property(fc.oneof(soup, lines), cuts, (stream, places) => {
    const bytes = ascii(stream);
    const whole = found([bytes]);
    assertEquals(found(inPieces(bytes, places)), whole);
    assertEquals(found(Array.from(bytes, (each) => Uint8Array.of(each))), whole);
  }));
});

test("a stream is what its lines say, or damaged where the first wrong one stands", () => {
  fc.assert(fc.property(soup, (stream) => {
    const expected: string[] = [];
    for (const part of stream.split("\n").slice(0, -1)) {
      if (part === "") expected.push(".");
      else if (part.includes("\0") || part.indexOf("=") <= 0) {
        expected.push("!");
        break;
      } else expected.push(part);
    }
    if (expected.at(-1) !== "!" && stream.split("\n").at(-1)!.includes("\0")) expected.push("!");
    assertEquals(found([ascii(stream)]), expected);
  }));
});

test("numbers are decimal, and at most 4294967295", () => {
  const good: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["1", 1],
    ["3600", 3600],
    ["4294967295", 0xffff_ffff],
    ["007", 7],
    [`${"0".repeat(4000)}4294967295`, 0xffff_ffff],
  ];
  for (const [value, number] of good) assertEquals(parseLeaseNumber(value), number, value);
  const bad = ["", "-1", "+1", " 1", "1 ", "1\r", "0x1", "1e3", "1.0", "4294967296", "99999999999"];
  for (const value of bad) assertEquals(parseLeaseNumber(value), -1, value);
});
