/** The keys of a zone by what they begin with. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { KeyList } from "../../../../lib/core/zone/server/key_list.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { encodeBase32 } from "../../../../lib/wire/bytes/base32.ts";
import { deviceOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const DIGITS = "abcdefghijklmnopqrstuvwxyz234567";
/** Many that begin with the same characters, and with the first and the last ones. */
const key = fc.tuple(
  fc.constantFrom(0, 1, 7, 8, 127, 128, 255),
  fc.constantFrom(0, 1, 2, 64, 128, 254, 255),
  fc.uint8Array({ minLength: 2, maxLength: 2 }),
).map(([first, second, last]) => {
  const bytes = new Uint8Array(32);
  bytes.set([first, second]);
  bytes.set(last, 30);
  return bytes;
});

function valueOf(prefix: string): number {
  return Array.from(prefix).reduce((value, digit) => (value << 5) | DIGITS.indexOf(digit), 0);
}

test("a list has the keys by prefix: the newest first, of those with the same three characters", () => {
  fc.assert(fc.property(
    fc.array(fc.uniqueArray(key, { selector: formatKey, maxLength: 60 }), { maxLength: 3 }),
    fc.integer({ min: 1, max: 100 }),
    (lists, step) => {
      // A device's peers are in no order of time: the last one counts as the newest.
      const list = new KeyList(
        lists.map((keys) =>
          deviceOf(keys.map((each) => ({ key: formatKey(each), endpoint: "192.0.2.1:5" })))
        ),
      );
      list.refresh(step);
      list.refresh(2 * step);
      const seen = new Set<string>();
      const newest = lists.flatMap((keys) => {
        const own = keys.map((each) => encodeBase32(each)).filter((label) => !seen.has(label));
        for (const label of own) seen.add(label);
        return own.reverse();
      });
      const prefixes = new Set(
        newest.flatMap((label) => [0, 1, 2, 3].map((n) => label.slice(0, n))),
      );
      for (const prefix of [...prefixes, "", "a", "7", "777", "aaa", "q"]) {
        const those = newest.filter((label) => label.startsWith(prefix));
        const expected = prefix === ""
          ? newest
          : those.toSorted((a, b) => valueOf(a.slice(0, 3)) - valueOf(b.slice(0, 3)));
        const value = valueOf(prefix);
        assertEquals(list.countOf(value, prefix.length), expected.length, prefix);
        const found = expected.map((_, i) => {
          const at = list.keyAt(value, prefix.length, i);
          return encodeBase32(list.keys.bytes.subarray(at, at + 32));
        });
        assertEquals(found, expected, prefix);
      }
    },
  ));
});

test("how old a list may be grows with the peers, and with the lists that a zone has", () => {
  const seen = (lists: number, peers: number) => {
    const listed: number[] = [];
    let time = 0;
    const keys = Array.from({ length: peers }, (_, i) => Uint8Array.of(i, ...new Uint8Array(31)));
    const device = deviceOf(
      keys.map((each) => ({ key: formatKey(each), endpoint: "192.0.2.1:5" })),
    );
    const list = new KeyList([{
      isKnown: true,
      allowed: device.allowed,
      find: (key, at) => device.find(key, at),
      locate: () => {},
      allowedOf: () => 0,
      seen: () => NaN,
      list(to) {
        listed.push(time);
        device.list(to);
      },
    }], lists);
    for (; time <= 1000; time++) list.refresh(time / 1000 + 1e-9);
    return listed.slice(0, 3);
  };
  assertEquals(seen(1, 0), [0, 10, 20]);
  assertEquals(seen(1, 200), [0, 12, 24]);
  assertEquals(seen(3, 0), [0, 30, 60]);
  assertEquals(seen(10, 0), [0, 100, 200]);
  assertEquals(seen(100, 0), [0, 100, 200]);
});

test("of a large list, only those records are made that a message can have", () => {
  const of = (count: number) => {
    const peers = Array.from({ length: count }, (_, i) => {
      const bytes = new Uint8Array(32);
      new DataView(bytes.buffer).setUint16(0, i);
      return { key: formatKey(bytes), endpoint: "192.0.2.1:5" };
    });
    const list = new KeyList([deviceOf(peers)]);
    list.refresh(1);
    return list;
  };
  const large = of(5000).records(5);
  assert(large.length <= 65_535);
  // The newest are the last.
  const list = of(923);
  const small = list.records(5);
  assertEquals(small.length, 923 * 71);
  const label = encodeBase32(list.keys.bytes.subarray(922 * 32, 923 * 32));
  const first = Array.from(small.subarray(13, 69), (byte) => String.fromCharCode(byte)).join("");
  assertEquals(first, label);
});
