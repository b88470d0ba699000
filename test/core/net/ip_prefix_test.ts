import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { normalizePrefix, PrefixSet } from "../../../lib/core/net/ip_prefix.ts";
import { addressBytes } from "../../support/dns.ts";
import { test } from "../../testing.ts";

function contains(prefixes: readonly string[], address: string): boolean {
  return new PrefixSet(prefixes).contains(addressBytes(address), 0);
}

test("a prefix is written with its length and without host bits", () => {
  const forms = {
    "10.9.8.7/24": "10.9.8.0/24",
    "10.9.8.7": "10.9.8.7/32",
    "10.9.8.7/32": "10.9.8.7/32",
    "10.9.8.255/25": "10.9.8.128/25",
    "255.255.255.255/0": "0.0.0.0/0",
    "FD00:AA::1/64": "fd00:aa::/64",
    "fd00::1": "fd00::1/128",
    "ffff::/3": "e000::/3",
    "::/0": "::/0",
    "2001:db8::/32": "2001:db8::/32",
  };
  for (const [text, form] of Object.entries(forms)) {
    assertEquals(normalizePrefix(text), form);
    assertEquals(normalizePrefix(form), form);
  }
});

test("what is no prefix is refused", () => {
  for (
    const text of ["", "x", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "/8"]
  ) {
    assertThrows(() => normalizePrefix(text), SyntaxError);
    assertThrows(() => new PrefixSet(["10.0.0.0/8", text]), SyntaxError);
  }
});

test("a set holds the addresses of each of its prefixes, and no other", () => {
  const prefixes = ["10.0.0.0/9", "192.0.2.7", "fd00:aa::/63"];
  for (const each of ["10.0.0.0", "10.127.255.255", "192.0.2.7", "fd00:aa::1", "fd00:aa:0:1::"]) {
    assert(contains(prefixes, each), each);
  }
  for (const each of ["10.128.0.0", "9.255.255.255", "192.0.2.6", "fd00:aa:0:2::", "::10.0.0.1"]) {
    assert(!contains(prefixes, each), each);
  }
  assert(!contains([], "10.0.0.1"));
});

test("everything of IPv4 is nothing of IPv6, and the other way round", () => {
  assert(contains(["0.0.0.0/0"], "203.0.113.1"));
  assert(!contains(["0.0.0.0/0"], "2001:db8::1"));
  assert(contains(["::/0"], "2001:db8::1"));
  assert(!contains(["::/0"], "203.0.113.1"));
});

test("a set agrees with addresses as numbers", () => {
  const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
  const text = (address: number) =>
    [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
  fc.assert(fc.property(uint32, uint32, fc.integer({ min: 0, max: 32 }), (a, flips, length) => {
    // An address near the prefix: it differs from some bit on.
    const b = (a ^ (flips >>> (flips & 31))) >>> 0;
    const size = 2 ** (32 - length);
    assertEquals(
      contains([`${text(a)}/${length}`], text(b)),
      Math.floor(a / size) === Math.floor(b / size),
    );
  }));
});
