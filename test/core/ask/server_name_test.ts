import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatServerName, parseServerName } from "../../../lib/core/ask/server_name.ts";
import { test } from "../../testing.ts";

test("a registry is a host, with or without a port", () => {
  const registry = (host: string, port = 1223) => ({ scheme: "wgsig", host, port }) as const;
  assertEquals(parseServerName("vps.example"), registry("vps.example"));
  assertEquals(parseServerName("vps.example:5"), registry("vps.example", 5));
  assertEquals(parseServerName("wgsig://vps.example:5"), registry("vps.example", 5));
  assertEquals(parseServerName("[2001:db8::1]:5"), registry("2001:db8::1", 5));
  assertEquals(parseServerName("2001:db8::1"), registry("2001:db8::1"));
});

test("a name server comes with the zone that it is asked for", () => {
  const zone = "wg.example";
  const server = (host: string, port = 53) => ({ scheme: "dns", host, port, zone }) as const;
  assertEquals(parseServerName("dns://ns.example/wg.example"), server("ns.example"));
  assertEquals(parseServerName("dns://ns.example:5353/WG.Example."), server("ns.example", 5353));
  assertEquals(parseServerName("dns://[2001:db8::1]:5/wg.example"), server("2001:db8::1", 5));
  assertEquals(parseServerName("dns://192.0.2.1/wg.example"), server("192.0.2.1"));
});

test("what is no server is none", () => {
  const wrong = [
    "",
    "dns://",
    "dns://ns.example",
    "dns://ns.example/",
    "dns://ns.example/a..b",
    "dns://ns.example/a/b",
    "dns:///wg.example",
    "dns://ns.example:0/wg.example",
    "vps.example/wg.example",
    "wgsig://vps.example/x",
    "https://vps.example",
    "vps.example:0",
    "vps.example:65536",
    "a b",
    "vps.example\n",
  ];
  for (const text of wrong) assertEquals(parseServerName(text), undefined, text);
});

test("names are read again as they are written, and nothing makes the reader fail", () => {
  fc.assert(fc.property(
    fc.constantFrom("vps.example", "192.0.2.1", "2001:db8::1"),
    fc.integer({ min: 1, max: 65535 }),
    fc.boolean(),
    (host, port, isZone) => {
      const server = isZone
        ? { scheme: "dns", host, port, zone: "wg.example" } as const
        : { scheme: "wgsig", host, port } as const;
      assertEquals(parseServerName(formatServerName(server)), server);
    },
  ));
  fc.assert(fc.property(fc.string(), (text) => void parseServerName(text)));
  fc.assert(fc.property(fc.string(), (text) => void parseServerName(`dns://${text}`)));
});
