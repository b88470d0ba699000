import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  formatLeaseAddress,
  formatLeaseCidr,
  type LeaseAddress,
  linkLocalIdentity,
  parseLeaseAddress,
  parseLeaseIp,
  parseLeasePrefix,
  readLeaseAddress,
  writeLeaseAddress,
} from "../../../lib/core/lease/address.ts";
import { written } from "../../support/bytes.ts";
import { placed } from "../../support/bytes.ts";
import { place } from "../../support/arbitraries.ts";
import { test } from "../../testing.ts";

const address: fc.Arbitrary<LeaseAddress> = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((value) => ({ family: 4, value }) as const),
  fc.bigInt({ min: 1n << 64n, max: (1n << 128n) - 1n })
    .map((value) => ({ family: 6, value }) as const),
);

test("addresses are read as they are written, as text and as bytes", () => {
  fc.assert(fc.property(address, place, (address, where) => {
    const text = formatLeaseAddress(address);
    assertEquals(parseLeaseAddress(text), address);
    assertEquals(parseLeaseIp(formatLeaseCidr(address)), address);
    const bytes = written(16, where, (buffer, at) => writeLeaseAddress(address, buffer, at));
    assertEquals(readLeaseAddress(placed(bytes, where), where.at), address);
  }));
});

test("known addresses", () => {
  const cases: readonly (readonly [string, LeaseAddress, string])[] = [
    ["0.0.0.0", { family: 4, value: 0n }, "0.0.0.0/32"],
    ["192.168.4.2", { family: 4, value: 0xc0a8_0402n }, "192.168.4.2/32"],
    ["::", { family: 6, value: 0n }, "::/128"],
    ["2001:DB8::a", { family: 6, value: 0x2001_0db8n << 96n | 10n }, "2001:db8::a/128"],
  ];
  for (const [text, expected, cidr] of cases) {
    assertEquals(parseLeaseAddress(text), expected);
    assertEquals(formatLeaseCidr(expected), cidr);
  }
  // With a colon it is IPv6, whatever the bytes are.
  assertEquals(parseLeaseAddress("::ffff:10.0.0.1")?.family, 6);
});

test("a prefix length is passed over, other things are not", () => {
  const host = parseLeaseAddress("10.0.0.1");
  for (const text of ["10.0.0.1", "10.0.0.1/0", "10.0.0.1/32", "10.0.0.1/999"]) {
    assertEquals(parseLeaseIp(text), host, text);
  }
  const bad = [
    "",
    "/32",
    "10.0.0.1/",
    "10.0.0.1/1000",
    "10.0.0.1/a",
    "10.0.0.1/-1",
    "10.0.0.1/3/2",
    "10.0.0",
    "10.0.0.256",
    "010.0.0.1",
    " 10.0.0.1",
    "10.0.0.1\r",
    "fe80::1%wg0",
    "1::2::3",
    ":",
    "12345::",
    "localhost",
  ];
  for (const text of bad) assertEquals(parseLeaseIp(text), undefined, text);
});

test("prefixes are ranges", () => {
  assertEquals(parseLeasePrefix("10.0.3.9/24"), {
    family: 4,
    length: 24,
    first: 0x0a00_0300n,
    last: 0x0a00_03ffn,
  });
  assertEquals(parseLeasePrefix("10.0.0.7").length, 32);
  const all = parseLeasePrefix("::/0");
  assertEquals([all.first, all.last], [0n, (1n << 128n) - 1n]);
  for (const bad of ["", "10.0.0.0/33", "fd00::/129", "x/8"]) {
    assertThrows(() => parseLeasePrefix(bad), SyntaxError);
  }
});

test("a whole link-local address is an identity, and nothing else is", () => {
  for (const text of ["fe80::2", "fe80::2/128", "FE80:0::2%wg0", "fe80:0:0:0:0:0:0:2"]) {
    assertEquals(linkLocalIdentity(text), "fe80::2", text);
  }
  assertEquals(linkLocalIdentity("febf::1"), "febf::1");
  // The low 64 bits alone are nobody's.
  assertEquals(linkLocalIdentity("fe80:0:0:1::2"), "fe80:0:0:1::2");
  const others = [
    "fe80::2/64",
    "fe80::/10",
    "fe80::2/127",
    "fec0::2",
    "fe7f::2",
    "2001:db8::2",
    "::ffff:254.128.0.2",
    "::2",
    "10.0.0.2",
    "10.0.0.2/32",
    "fe80::2%",
    "",
  ];
  for (const text of others) assertEquals(linkLocalIdentity(text), undefined, text);
});
