import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  covers,
  formatTunnelPrefix,
  hostOf,
  networkOf,
  overlap,
  parseTunnelPrefix,
} from "../../../../lib/core/roster/prefix.ts";
import { nextAddress } from "../../../../lib/core/roster/server/next_address.ts";
import type { TunnelPrefix } from "../../../../lib/wire/wgsig2/name.ts";
import { bytesOf } from "../../../support/arbitraries.ts";
import { test } from "../../../testing.ts";

function prefix(text: string): TunnelPrefix {
  const read = parseTunnelPrefix(text);
  assert(read !== undefined, text);
  return read;
}

function next(network: string, ...taken: string[]): string | undefined {
  const address = nextAddress(prefix(network), taken.map(prefix));
  return address && formatTunnelPrefix(address);
}

test("prefixes are read and written, and compared", () => {
  const any = fc.oneof(
    fc.record({ address: bytesOf(4), length: fc.integer({ min: 0, max: 32 }) }),
    fc.record({ address: bytesOf(16), length: fc.integer({ min: 0, max: 128 }) })
      .filter(({ address }) => address.subarray(0, 10).some((byte) => byte !== 0)),
  );
  fc.assert(fc.property(any, any, (a, b) => {
    assertEquals(parseTunnelPrefix(formatTunnelPrefix(a)), a);
    assertEquals(overlap(a, b), overlap(b, a));
    assertEquals(overlap(a, b), covers(a, b) || covers(b, a));
    assert(covers(a, hostOf(a)) && covers(a, networkOf(a)) && covers(networkOf(a), a));
  }));
  assertEquals(parseTunnelPrefix("10.9.0.2"), prefix("10.9.0.2/32"));
  for (const text of ["", "10.0.0.0/33", "::/129", "10.0.0", "a.b", "10.0.0.1/", "10.0.0.1/1x"]) {
    assertEquals(parseTunnelPrefix(text), undefined);
  }
  assert(overlap(prefix("10.9.0.0/24"), prefix("10.9.0.77/32")));
  assert(!overlap(prefix("10.9.0.0/24"), prefix("10.9.1.0/24")));
  assert(!overlap(prefix("0.0.0.0/0"), prefix("::/0")));
});

test("the next address is the lowest that is free, and none that stands for others", () => {
  assertEquals(next("10.9.0.0/24"), "10.9.0.1/24");
  assertEquals(next("10.9.0.77/24"), "10.9.0.1/24");
  assertEquals(next("10.9.0.0/24", "10.9.0.1/32", "10.9.0.3/32"), "10.9.0.2/24");
  assertEquals(next("10.9.0.0/24", "10.9.0.0/25"), "10.9.0.128/24");
  assertEquals(next("10.9.0.0/24", "10.9.0.2/24"), undefined);
  assertEquals(next("10.9.0.0/23", "10.9.0.0/25", "10.9.0.128/25"), "10.9.1.0/23");
  assertEquals(next("10.9.0.0/24", "10.0.0.0/8"), undefined);
  assertEquals(next("10.9.0.0/24", "10.8.0.0/24", "::/0"), "10.9.0.1/24");
  assertEquals(next("10.9.0.0/30", "10.9.0.1/32"), "10.9.0.2/30");
  assertEquals(next("10.9.0.0/30", "10.9.0.1/32", "10.9.0.2/32"), undefined);
  assertEquals(next("10.9.0.0/31"), "10.9.0.0/31");
  assertEquals(next("10.9.0.0/31", "10.9.0.0/32"), "10.9.0.1/31");
  assertEquals(next("10.9.0.7/32"), "10.9.0.7/32");
  assertEquals(next("10.9.0.7/32", "10.9.0.7/32"), undefined);
  assertEquals(next("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/2"), "192.0.0.0/0");
  assertEquals(next("fd00::/64"), "fd00::1/64");
  assertEquals(next("fd00::/64", "fd00::1/128", "fd00::2/127"), "fd00::4/64");
  assertEquals(next("fd00::/64", "fd00::1:0:0:1/128"), "fd00::1/64");
  assertEquals(next("fd00::/64", "fd00::/96"), undefined);
  assertEquals(next("fd00::/48", "fd00::/112"), "fd00::1:0/48");
  assertEquals(next("fd00::6/127"), "fd00::6/127");
  assertEquals(next("fd00::/126"), "fd00::1/126");
});

test("addresses are given one after the other until there are none, each once", () => {
  const network = fc.oneof(
    fc.record({ address: bytesOf(4), length: fc.integer({ min: 26, max: 32 }) }),
    fc.record({ address: bytesOf(16), length: fc.integer({ min: 122, max: 128 }) }),
  );
  const part = fc.record({ low: fc.integer({ min: 0, max: 255 }), shorter: fc.nat({ max: 6 }) });
  fc.assert(
    fc.property(network, fc.array(part, { maxLength: 6 }), (given, parts) => {
      const size = given.address.length;
      const taken = parts.map(({ low, shorter }) => {
        const address = given.address.slice();
        address[size - 1] = low;
        return networkOf({ address, length: 8 * size - shorter });
      });
      const all = [...taken];
      let count = 0;
      for (;; count++) {
        const address = nextAddress(given, all);
        if (address === undefined) break;
        assert(covers(given, address) && address.length === given.length);
        assert(!all.some((each) => overlap(each, hostOf(address))));
        all.push(hostOf(address));
      }
      // One by one, as people count.
      const bits = 8 * size - given.length;
      const hasEnds = bits > 1;
      let wanted = 0;
      for (let host = 0; host < 2 ** bits; host++) {
        const address = networkOf(given).address.slice();
        address[size - 1]! |= host;
        const isEnd = hasEnds && (host === 0 || (size === 4 && host === 2 ** bits - 1));
        const one = { address, length: 8 * size };
        if (!isEnd && !taken.some((each) => overlap(each, one))) wanted++;
      }
      assertEquals(count, wanted);
    }),
    { numRuns: 60 },
  );
});
