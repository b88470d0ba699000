import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatHostPort, parseHostPort } from "../../../lib/core/net/host_port.ts";
import { test } from "../../testing.ts";

const DEFAULT = 1223;

test("a host with a port is read, with a default or without", () => {
  const texts: readonly (readonly [string, string, number])[] = [
    ["example.org:51820", "example.org", 51820],
    ["example-1.org.:1", "example-1.org.", 1],
    ["192.0.2.1:65535", "192.0.2.1", 65535],
    ["0.0.0.0:0", "0.0.0.0", 0],
    ["localhost:01223", "localhost", 1223],
    ["[::]:1223", "::", 1223],
    ["[::1]:53", "::1", 53],
    ["[2001:DB8::a]:1", "2001:DB8::a", 1],
    ["[::ffff:192.0.2.1]:1", "::ffff:192.0.2.1", 1],
    ["[fe80::1%eth0]:1223", "fe80::1%eth0", 1223],
    ["[fe80::1%wg-0.5_x]:1223", "fe80::1%wg-0.5_x", 1223],
  ];
  for (const [text, host, port] of texts) {
    assertEquals(parseHostPort(text), { host, port }, text);
    assertEquals(parseHostPort(text, DEFAULT), { host, port }, text);
  }
});

test("a host alone has the default port, and is nothing where there is none", () => {
  const texts: readonly (readonly [string, string])[] = [
    ["example.org", "example.org"],
    ["192.0.2.1", "192.0.2.1"],
    ["[::1]", "::1"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["fe80::1%eth0", "fe80::1%eth0"],
  ];
  for (const [text, host] of texts) {
    assertEquals(parseHostPort(text, DEFAULT), { host, port: DEFAULT }, text);
    assertEquals(parseHostPort(text), undefined, text);
  }
});

test("what has another form is none", () => {
  const wrong = [
    "",
    ":",
    ":53",
    "host:",
    "host:x",
    "host:-1",
    "host:+1",
    "host:1.5",
    "host:0x10",
    "host:53 ",
    " host:53",
    "host:53\n",
    "ho st:53",
    "host\n:53",
    "host:53:54",
    "host/24",
    "host:53/udp",
    "http://host:53",
    "[::1",
    "::1]",
    "[::1]53",
    "[::1]:",
    "[::1]:x",
    "[]:53",
    "[]",
    "[host]:53",
    "[[::1]]:53",
    "[::1%]:53",
    "[::1%a b]:53",
    "x[::1]:53",
  ];
  for (const text of wrong) {
    assertEquals(parseHostPort(text), undefined, JSON.stringify(text));
    assertEquals(parseHostPort(text, DEFAULT), undefined, JSON.stringify(text));
  }
});

test("a port has 16 bits", () => {
  assertEquals(parseHostPort("host:65535")?.port, 65_535);
  for (const port of ["65536", "99999", "100000", "000001", "4294967296"]) {
    assertEquals(parseHostPort(`host:${port}`, DEFAULT), undefined, port);
    assertEquals(parseHostPort(`[::1]:${port}`, DEFAULT), undefined, port);
  }
});

test("a host is written with its port, in brackets where it has colons", () => {
  assertEquals(formatHostPort({ host: "example.org", port: 1223 }), "example.org:1223");
  assertEquals(formatHostPort({ host: "192.0.2.1", port: 0 }), "192.0.2.1:0");
  assertEquals(formatHostPort({ host: "::1", port: 1223 }), "[::1]:1223");
  assertEquals(formatHostPort({ host: "fe80::1%eth0", port: 1 }), "[fe80::1%eth0]:1");
});

test("what is written is read back the same", () => {
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
  fc.assert(fc.property(host, fc.nat({ max: 65_535 }), (host, port) => {
    assertEquals(parseHostPort(formatHostPort({ host, port })), { host, port });
    assertEquals(parseHostPort(host, port), { host, port });
  }));
});

test("no text makes it throw, and what is read has a host without spaces and a port", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(..."019af:.[]%/- \n") }),
  );
  fc.assert(
    fc.property(text, fc.option(fc.constant(DEFAULT), { nil: undefined }), (text, port) => {
      const read = parseHostPort(text, port);
      if (read === undefined) return;
      assert(/^[^\s/[\]]+$/.test(read.host), read.host);
      assert(Number.isInteger(read.port) && read.port >= 0 && read.port <= 65_535);
    }),
    { numRuns: 500 },
  );
});
