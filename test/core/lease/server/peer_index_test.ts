/** The peers of an interface, from one look at it to the next. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { PeerIndex } from "../../../../lib/core/lease/server/peer_index.ts";
import { idOf } from "../../../support/fake_random.ts";
import { test } from "../../../testing.ts";

const HUB = formatKey(idOf(1));
const SECRET = formatKey(idOf(77));

/** What a peer has; its handshakes and bytes are always others. */
interface Peer {
  readonly id: number;
  readonly endpoint: string;
  readonly allowedIps: readonly string[];
}

let traffic = 0;

function dumpOf(peers: readonly Peer[], key = HUB): string {
  const lines = peers.map(({ id, endpoint, allowedIps }) => {
    const ips = allowedIps.join(",") || "(none)";
    return [formatKey(idOf(id)), SECRET, endpoint, ips, traffic++, traffic++, 7, "off"].join("\t");
  });
  return [`${SECRET}\t${key}\t51820\toff`, ...lines, ""].join("\n");
}

function update(peers: PeerIndex, dump: string): string[] {
  const steps = [...peers.update(dump)].length;
  assert(steps <= dump.length / 5000, "steps that are long enough");
  return [...peers.takeChanged()].sort();
}

const peer = (id: number, ...allowedIps: string[]): Peer => ({
  id,
  endpoint: "192.0.2.1:5",
  allowedIps,
});
const keys = (...ids: number[]) => ids.map((id) => formatKey(idOf(id))).sort();

test("what has changed is told, and nothing else", () => {
  const peers = new PeerIndex();
  const a = peer(2, "fe80::a/128", "10.0.0.2/32");
  const b = peer(3, "fe80::b/128");
  assertEquals(update(peers, dumpOf([a, b])), keys(2, 3));
  assertEquals([peers.publicKey, peers.size], [HUB, 2]);
  assertEquals(peers.at("fe80::a"), keys(2)[0]);
  assertEquals(peers.at("fe80:0::b%wg0"), keys(3)[0]);
  assertEquals([peers.at("fe80::"), peers.at("10.0.0.2")], [undefined, undefined]);
  assertEquals(update(peers, dumpOf([b, a])), []);
  // An endpoint is no AllowedIP.
  assertEquals(update(peers, dumpOf([b, { ...a, endpoint: "(none)" }])), []);
  assertEquals([...peers.placed()].map(({ publicKey }) => publicKey), keys(3));
  assertEquals(
    update(peers, dumpOf([peer(3, "fe80::b/128", "10.0.0.2/32"), peer(2)])),
    keys(2, 3),
  );
  assertEquals(peers.at("fe80::a"), undefined);
  assertEquals(peers.has(keys(3)[0]!, ["10.0.0.2/32"]), true);
  assertEquals(peers.has(keys(2)[0]!, ["10.0.0.2/32"]), false);
  assertEquals(update(peers, dumpOf([peer(2)])), keys(3));
  assertEquals([peers.size, peers.at("fe80::b")], [1, undefined]);
  peers.clear();
  assertEquals([peers.size, peers.publicKey], [0, undefined]);
});

test("what is set counts until the next look", () => {
  const peers = new PeerIndex();
  update(peers, dumpOf([peer(2, "fe80::a/128", "10.0.0.2/32"), peer(3, "fe80::b/128")]));
  peers.setAllowedIps(keys(3)[0]!, ["fe80::b/128", "10.0.0.2/32"]);
  peers.setAllowedIps(keys(9)[0]!, ["10.0.0.9/32"]);
  assertEquals([peers.size, [...peers.takeChanged()].sort()], [2, keys(2, 3)]);
  assertEquals(peers.peer(keys(2)[0]!)?.allowedIps, ["fe80::a/128"]);
  // It was not so.
  const before = dumpOf([peer(2, "fe80::a/128", "10.0.0.2/32"), peer(3, "fe80::b/128")]);
  assertEquals(update(peers, before), keys(2, 3));
  assertEquals(peers.has(keys(2)[0]!, ["10.0.0.2/32"]), true);
  peers.remove(keys(2)[0]!);
  assertEquals([peers.size, peers.at("fe80::a"), peers.has(keys(2)[0]!, [])], [
    1,
    undefined,
    false,
  ]);
  assertEquals(update(peers, before), keys(2));
});

test("what is no dump is refused, and the next one is read right", () => {
  const good = dumpOf([peer(2, "fe80::a/128"), peer(3, "fe80::b/128")]);
  for (let size = 0; size < good.length - 1; size += 3) {
    const peers = new PeerIndex();
    const cut = good.slice(0, size);
    const isWhole = cut.endsWith("\n") || cut.endsWith("off");
    if (!isWhole) assertThrows(() => update(peers, cut), SyntaxError);
    update(peers, good);
    assertEquals([peers.at("fe80::a"), peers.at("fe80::b")], [keys(2)[0], keys(3)[0]]);
  }
  fc.assert(fc.property(fc.string({ maxLength: 200 }), fc.nat({ max: 400 }), (noise, at) => {
    const peers = new PeerIndex();
    try {
      update(peers, good.slice(0, at) + noise + good.slice(at + noise.length));
    } catch (error) {
      assert(error instanceof SyntaxError, String(error));
    }
    update(peers, good);
    assertEquals([peers.size, peers.at("fe80::a")], [2, keys(2)[0]]);
  }));
});

const PREFIXES = ["fe80::a/128", "fe80::b/128", "10.0.0.1/32", "10.0.0.2/32", "10.1.0.0/16"];
/** Each prefix goes to one of six peers, or to none. */
const world = fc.record({
  owners: fc.array(fc.nat({ max: 6 }), { minLength: PREFIXES.length, maxLength: PREFIXES.length }),
  present: fc.subarray([0, 1, 2, 3, 4, 5]),
  placed: fc.subarray([0, 1, 2, 3, 4, 5]),
});

test("after any changes, it is as if it had been read for the first time", () => {
  fc.assert(fc.property(fc.array(world, { maxLength: 8 }), (worlds) => {
    const kept = new PeerIndex();
    let before = new Map<string, string>();
    for (const { owners, present, placed } of worlds) {
      const peers = present.map((id): Peer => ({
        id,
        endpoint: placed.includes(id) ? "[2001:db8::1]:7" : "(none)",
        allowedIps: PREFIXES.filter((_, i) => owners[i] === id),
      }));
      const dump = dumpOf(peers);
      const changed = update(kept, dump);
      const fresh = new PeerIndex();
      update(fresh, dump);
      const now = new Map<string, string>();
      for (let id = 0; id < 6; id++) {
        const [key = ""] = keys(id);
        const there = kept.peer(key);
        assertEquals(there?.allowedIps, fresh.peer(key)?.allowedIps);
        if (there !== undefined) now.set(key, there.allowedIps.join());
        // Whoever has changed is told; others may be.
        if (before.get(key) !== now.get(key)) assert(changed.includes(key));
        for (const prefix of PREFIXES) {
          assertEquals(kept.has(key, [prefix]), fresh.has(key, [prefix]));
        }
      }
      for (const address of ["fe80::a", "fe80::b"]) {
        assertEquals(kept.at(address), fresh.at(address));
      }
      const places = (peers: PeerIndex) =>
        [...peers.placed()].map(({ publicKey }) => publicKey).sort();
      assertEquals(places(kept), places(fresh));
      assertEquals([...kept.addresses].sort(), [...fresh.addresses].sort());
      before = now;
    }
  }));
});
