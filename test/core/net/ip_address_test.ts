import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatAddress,
  formatIpv4,
  isIpv4,
  parseAddress,
  parseIpv4,
  readIpv4,
  writeIpv4,
} from "../../../lib/core/net/ip_address.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { bytesOf, place, uint16, uint32 } from "../../support/arbitraries.ts";
import { hex, ODD_PLACE, placed, written } from "../../support/bytes.ts";
import { bigEndian } from "../../support/twins.ts";
import { test } from "../../testing.ts";

/** The 16 bytes of a text in hex, or undefined where it is no address. */
function parsed(text: string): string | undefined {
  const { at } = ODD_PLACE;
  const buffer = placed(new Uint8Array(16).fill(0xee), ODD_PLACE);
  const before = buffer.bytes.slice();
  const isAddress = parseAddress(text, buffer, at);
  assertEquals(buffer.bytes.slice(0, at), before.slice(0, at), "bytes before were touched");
  assertEquals(buffer.bytes.slice(at + 16), before.slice(at + 16), "bytes after were touched");
  return isAddress ? hex(buffer.bytes.slice(at, at + 16)) : undefined;
}

/** The text of an address that is read from another text. */
function canonical(text: string): string | undefined {
  const buffer = new WireBuffer(20);
  return parseAddress(text, buffer, 4) ? formatAddress(buffer, 4) : undefined;
}

/** A slow twin: an IPv6 address, with the groups from `gap` on, for `gapLength`, left out. */
function ipv6Text(groups: readonly number[], gap: number, gapLength: number): string {
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  return gapLength === 0
    ? text(groups)
    : `${text(groups.slice(0, gap))}::${text(groups.slice(gap + gapLength))}`;
}

const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xff), uint16), {
  minLength: 8,
  maxLength: 8,
});

test("every IPv4 address is written and read back the same", () => {
  fc.assert(fc.property(uint32, (address) => {
    const parts = bigEndian(address, 4);
    assertEquals(formatIpv4(address), parts.join("."));
    assertEquals(parseIpv4(parts.join(".")), address);
    assertEquals(parseIpv4(`some text ${parts.join(".")}`, 10), address);
  }));
});

test("what is not four parts of 0 to 255 without leading zeros is no IPv4 address", () => {
  const wrong = [
    "",
    ".",
    "...",
    "1",
    "1.2",
    "1.2.3",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    "1.2.3.4.",
    "1.2.3.4.5",
    "1.2.3.256",
    "256.1.1.1",
    "1.2.3.1000",
    "99999999999.1.1.1",
    "01.2.3.4",
    "1.2.3.04",
    "00.0.0.0",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.-4",
    "+1.2.3.4",
    "1.2.3.0x4",
    "1.2.3.a",
    "1.2.3.4\n",
    "١.2.3.4",
  ];
  for (const text of wrong) assertEquals(parseIpv4(text), -1, JSON.stringify(text));
  for (const text of ["0.0.0.0", "255.255.255.255", "10.0.100.9"]) {
    assertEquals(formatIpv4(parseIpv4(text)), text);
  }
});

test("an IPv4 address lies in 16 bytes as ::ffff:a.b.c.d, and is found there", () => {
  fc.assert(fc.property(uint32, place, (address, where) => {
    const bytes = written(16, where, (buffer, at) => writeIpv4(buffer, at, address));
    assertEquals(
      hex(bytes),
      `${"00".repeat(10)}ffff${hex(Uint8Array.from(bigEndian(address, 4)))}`,
    );
    const buffer = placed(bytes, where);
    assert(isIpv4(buffer, where.at));
    assertEquals(readIpv4(buffer, where.at), address);
    assertEquals(formatAddress(buffer, where.at), formatIpv4(address));
    assertEquals(parsed(formatIpv4(address)), hex(bytes));
    assertEquals(parsed(`::ffff:${formatIpv4(address)}`), hex(bytes));
  }));
});

test("what differs from ::ffff:0:0/96 in one bit is no IPv4 address", () => {
  for (let bit = 0; bit < 96; bit++) {
    const bytes = Uint8Array.from([...new Uint8Array(10), 0xff, 0xff, 1, 2, 3, 4]);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert(!isIpv4(placed(bytes, ODD_PLACE), ODD_PLACE.at), `bit ${bit}`);
  }
});

test("every address is written and read back the same", () => {
  const address = fc.oneof(
    bytesOf(16),
    groups.map((groups) => Uint8Array.from(groups.flatMap((group) => bigEndian(group, 2)))),
  );
  fc.assert(fc.property(address, place, (bytes, where) => {
    assertEquals(parsed(formatAddress(placed(bytes, where), where.at)), hex(bytes));
  }));
});

test("an IPv6 address is read with its zeros left out anywhere, in either case, with a scope", () => {
  fc.assert(fc.property(groups, fc.nat(7), fc.nat(8), (groups, gap, length) => {
    let run = 0;
    while (run < length && groups[gap + run] === 0) run++;
    const text = ipv6Text(groups, gap, run);
    const bytes = hex(Uint8Array.from(groups.flatMap((group) => bigEndian(group, 2))));
    assertEquals(parsed(text), bytes, text);
    assertEquals(parsed(text.toUpperCase()), bytes);
    assertEquals(parsed(`${text}%eth0`), bytes);
    const padded = groups.map((group) => group.toString(16).padStart(4, "0")).join(":");
    assertEquals(parsed(padded), bytes);
  }));
});

test("the last two groups may be written as an IPv4 address", () => {
  fc.assert(fc.property(groups, fc.nat(4), (groups, gap) => {
    const last = formatIpv4(groups[6]! * 0x1_0000 + groups[7]!);
    const bytes = (of: readonly number[]) =>
      hex(Uint8Array.from(of.flatMap((group) => bigEndian(group, 2))));
    const text = ipv6Text(groups.slice(0, 6), 0, 0);
    assertEquals(parsed(`${text}:${last}`), bytes(groups));
    const shortened = groups.map((group, i) => i >= gap && i < 6 ? 0 : group);
    const start = ipv6Text(groups.slice(0, gap), 0, 0);
    assertEquals(parsed(`${start}::${last}`), bytes(shortened));
  }));
});

test("addresses are written as RFC 5952 has it", () => {
  const examples: [text: string, canonical: string][] = [
    // Section 4.1 to 4.3: no leading zeros, the zeros shortened as much as possible, lower case.
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8::0:1", "2001:db8::1"],
    ["2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:0001", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"],
    // 4.2.2: a single group of zeros is not left out.
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    // 4.2.3: the longest run, of equal ones the first.
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0db8:0:0:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["fe80::1%eth0", "fe80::1"],
    // 5: an IPv4-mapped address is an IPv4 one here.
    ["::ffff:c000:0201", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
    // And others with IPv4 in them stay IPv6.
    ["::192.0.2.1", "::c000:201"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ];
  for (const [text, expected] of examples) assertEquals(canonical(text), expected, text);
});

test("bad text is no address, and nothing around its place is touched", () => {
  const wrong = [
    "",
    " ",
    ":",
    ":::",
    "::::",
    "%",
    "%eth0",
    "1",
    "1:2",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "1:2:3:4:5:6:7:8:",
    ":1:2:3:4:5:6:7:8",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "1:2:3:4::5:6:7:8",
    "1::2::3",
    "1:::2",
    "12345::",
    "::00001",
    "::g",
    "::-1",
    "::1 ",
    " ::1",
    "[::1]",
    "::1/64",
    "::1.2.3",
    "::1.2.3.4.5",
    "::1.2.3.256",
    "::01.2.3.4",
    "::1.2.3.4:5",
    "::1.2.3.4::",
    "1.2.3.4::",
    "1.2.3.4:5::",
    "::a.2.3.4",
    "::ffff:1.2.3.4.",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1:2:3:4:5:6:7::1.2.3.4",
    "1.2.3.4%eth0",
    "1.2.3.4.5",
    "256.1.1.1",
    "localhost",
    "1:%eth0",
    "１::",
  ];
  for (const text of wrong) assertEquals(parsed(text), undefined, JSON.stringify(text));
});

test("any text is read without an error, and touches nothing around its place", () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."0123456789abcdefF:.%g :::") }),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(text, (text) => {
      const bytes = parsed(text);
      if (bytes !== undefined) assertEquals(parsed(canonical(text)!), bytes);
    }),
    { numRuns: 2000 },
  );
});

test("an IPv4 address as a number has its first part in the highest byte", () => {
  const buffer = new WireBuffer(16);
  assert(parseAddress("198.51.100.1", buffer, 0));
  assertEquals(readIpv4(buffer, 0), 0xc6336401);
});
