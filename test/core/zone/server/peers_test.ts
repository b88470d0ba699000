import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatAddress } from "../../../../lib/core/net/ip_address.ts";
import { KeyIndex } from "../../../../lib/core/net/key_index.ts";
import { NONE } from "../../../../lib/core/net/none.ts";
import { Location } from "../../../../lib/core/zone/server/location.ts";
import { type DevicePeers, KnownAllowedIps } from "../../../../lib/core/zone/server/peers.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { key32 } from "../../../support/arbitraries.ts";
import { idOf } from "../../../support/fake_random.ts";
import { deviceOf, keyOf, snapshot } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

function find(device: DevicePeers, peer: number): string | undefined {
  const found = device.find(new WireBuffer(idOf(peer)), 0);
  if (found === NONE) return undefined;
  const location = new Location();
  device.locate(found, location);
  assertEquals(location.isDual, false);
  return `${formatAddress(location.address, 0)} ${location.port}`;
}

function listed(device: DevicePeers): number[] {
  const peers: number[] = [];
  device.list({ add: (keys, at) => void peers.push(keys.view.getUint32(at)) });
  return peers;
}

test("a device's peers are those with an endpoint that is an address", () => {
  const device = deviceOf([
    { key: keyOf(1), endpoint: "192.0.2.1:1" },
    { key: keyOf(2) },
    { key: keyOf(3), endpoint: "example.com:3" },
    { key: keyOf(4), endpoint: "[2001:db8::4]:65535" },
    { key: keyOf(5), endpoint: "192.0.2.5:0" },
    { key: "no key", endpoint: "192.0.2.6:6" },
  ]);
  assertEquals([1, 2, 3, 4, 5].map((peer) => find(device, peer)), [
    "192.0.2.1 1",
    undefined,
    undefined,
    "2001:db8::4 65535",
    undefined,
  ]);
  assertEquals(listed(device), [1, 4]);
});

test("a device is what it said last", () => {
  const device = deviceOf([{ key: keyOf(1), endpoint: "192.0.2.1:1" }], {
    publicKey: keyOf(9),
    listenPort: 9,
  });
  assertEquals([device.ownKey?.bytes, device.listenPort], [idOf(9), 9]);
  device.set(snapshot([{ key: keyOf(2), endpoint: "192.0.2.2:2" }]));
  assertEquals([find(device, 1), find(device, 2)], [undefined, "192.0.2.2 2"]);
  assertEquals([device.ownKey, device.listenPort], [undefined, 0]);
  device.set(undefined);
  assertEquals([find(device, 2), listed(device)], [undefined, []]);
});

test("known AllowedIPs are found by key", () => {
  const known = new KnownAllowedIps(new Map([[keyOf(1), ["10.0.0.1"]], [keyOf(2), []]]), 3);
  const at = (peer: number) => known.find(new WireBuffer(idOf(peer)), 0);
  assertEquals([at(1), at(2), at(3)], [0, 1, NONE]);
  assertEquals(known.strings.sizeOf(0), 1 + "allowed=10.0.0.1/32".length);
  assertThrows(() => new KnownAllowedIps(new Map([["x", []]]), 3), SyntaxError);
  assertThrows(() => new KnownAllowedIps(new Map([[keyOf(1), ["x"]]]), 3), SyntaxError);
});

test("an index finds every key at its first place, and no other", () => {
  fc.assert(fc.property(fc.array(key32), key32, fc.nat(), (keys, other, seed) => {
    const bytes = new WireBuffer(Uint8Array.from(keys.flatMap((key) => [...key])));
    const index = new KeyIndex(bytes, keys.length, seed);
    const same = (a: Uint8Array) => (b: Uint8Array) => a.every((byte, i) => byte === b[i]);
    for (const key of [...keys, other]) {
      assertEquals(index.find(new WireBuffer(key), 0), keys.findIndex(same(key)));
    }
  }));
});

test("of the same key twice, the first counts", () => {
  const bytes = new WireBuffer(Uint8Array.from([1, 2, 1].flatMap((peer) => [...idOf(peer)])));
  const index = new KeyIndex(bytes, 3, 5);
  assertEquals([index.find(bytes, 0), index.find(bytes, 32), index.find(bytes, 64)], [0, 1, 0]);
});

test("an index holds the first keys alone", () => {
  const bytes = new WireBuffer(Uint8Array.from([1, 2, 1].flatMap((peer) => [...idOf(peer)])));
  const index = new KeyIndex(bytes, 1, 5);
  assertEquals([index.find(bytes, 0), index.find(bytes, 32), index.find(bytes, 64)], [0, NONE, 0]);
});
