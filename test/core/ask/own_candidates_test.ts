import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ownCandidates, type OwnPlaces } from "../../../lib/core/ask/own_candidates.ts";
import { formatHostPort, parseHostPort } from "../../../lib/core/net/host_port.ts";
import { test } from "../../testing.ts";

const PORT = 51820;

/** What is told, as texts. */
function told(places: Partial<Record<keyof Omit<OwnPlaces, "port">, readonly string[]>>): string[] {
  const { addresses = [], inTunnel = [], seen = [], mapped = [] } = places;
  const read = (texts: readonly string[]) => texts.map((text) => parseHostPort(text)!);
  return ownCandidates({ port: PORT, addresses, inTunnel, seen: read(seen), mapped: read(mapped) })
    .map((each) => `${each.kind} ${formatHostPort(each)}`);
}

test("addresses of the host's networks are told, with WireGuard's port", () => {
  assertEquals(
    told({ addresses: ["172.16.0.9", "2001:db8::9", "fd00::9", "192.168.1.9", "10.0.0.9"] }),
    [
      "lan 192.168.1.9:51820",
      "lan 10.0.0.9:51820",
      "lan 172.16.0.9:51820",
      "lan [2001:db8::9]:51820",
      "lan [fd00::9]:51820",
    ],
  );
  assertEquals(told({ addresses: ["100.64.0.9"] }), ["lan 100.64.0.9:51820"]);
});

test("what leads nowhere for others is not told", () => {
  const addresses = ["127.0.0.1", "::1", "169.254.1.2", "fe80::1%eth0", "fe80::2", "::", "0.0.0.0"];
  assertEquals(told({ addresses: [...addresses, "ff02::1", "nonsense", "198.51.100.7"] }), []);
});

test("no address of the tunnel is told, whatever else goes through it", () => {
  const addresses = ["10.9.0.1", "10.8.0.7", "fd00:9::1", "192.168.1.9"];
  const inTunnel = ["10.9.0.1/32", "fd00:9::1", "10.8.0.0/24"];
  const home = ["lan 192.168.1.9:51820"];
  assertEquals(told({ addresses, inTunnel }), home);
  const all = ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1"];
  assertEquals(told({ addresses, inTunnel: [...inTunnel, ...all] }), home);
});

test("what registries see is not told, but its address with WireGuard's port, if that is another", () => {
  const seen = ["198.51.100.7:51820", "[2001:db8::9]:51820"];
  assertEquals(told({ addresses: ["2001:db8::9", "198.51.100.7"], seen }), []);
  assertEquals(told({ seen: ["198.51.100.7:4000", "198.51.100.7:4001", "[2001:db8::9]:7"] }), [
    "declared 198.51.100.7:51820",
    "declared [2001:db8::9]:51820",
  ]);
  // A registry in the same network sees what is no forward of a router.
  assertEquals(told({ addresses: ["192.168.1.9"], seen: ["192.168.1.9:51820"] }), []);
  assertEquals(told({ seen: ["192.168.1.9:4000"] }), []);
});

test("a mapping comes first, once", () => {
  const seen = ["198.51.100.7:4000"];
  assertEquals(told({ addresses: ["10.0.0.9"], seen, mapped: ["198.51.100.7:40000"] }), [
    "mapped 198.51.100.7:40000",
    "declared 198.51.100.7:51820",
    "lan 10.0.0.9:51820",
  ]);
  assertEquals(told({ seen, mapped: ["198.51.100.7:51820"] }), ["mapped 198.51.100.7:51820"]);
  assertEquals(told({ seen, mapped: seen }), ["declared 198.51.100.7:51820"]);
});

test("eight are told at most, none twice and none of the tunnel", () => {
  const byte = fc.nat(255);
  const ipv4 = fc.tuple(fc.constantFrom("10.0", "192.168", "172.16", "127.0", "8.8"), byte, byte)
    .map(([start, a, b]) => `${start}.${a}.${b}`);
  const ipv6 = fc.tuple(fc.constantFrom("fd00::", "2001:db8::", "fe80::"), byte)
    .map(([start, end]) => `${start}${end.toString(16)}`);
  const addresses = fc.array(fc.oneof(ipv4, ipv6), { maxLength: 20 });
  const port = fc.integer({ min: 1, max: 65_535 });
  const seen = fc.array(fc.tuple(ipv4, port).map(([host, port]) => `${host}:${port}`));
  fc.assert(fc.property(addresses, addresses, seen, seen, (addresses, inTunnel, seen, mapped) => {
    const all = told({ addresses, inTunnel, seen, mapped });
    const places = all.map((text) => text.slice(text.indexOf(" ") + 1));
    assert(all.length <= 8);
    assertEquals(new Set(places).size, places.length);
    assert(places.every((place) => !seen.includes(place)));
    const inside = new Set(inTunnel);
    for (const text of all.filter((each) => each.startsWith("lan "))) {
      assert(!inside.has(parseHostPort(text.slice(4))!.host), text);
    }
  }));
});
