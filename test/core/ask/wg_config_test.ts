import { ageOf } from "../../../lib/core/ask/sighting.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import type { SeenPeer } from "../../../lib/core/ask/exchange.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import {
  formatFile,
  formatFragment,
  formatPeers,
  type KnownPeer,
  type OwnInterface,
} from "../../../lib/core/ask/wg_config.ts";
import { idOf } from "../../support/fake_random.ts";
import { T0 } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

const OWN_KEY = formatKey(idOf(0));
const PRIVATE_KEY = formatKey(idOf(900));
const PRESHARED_KEY = formatKey(idOf(901));

function keyOf(peer: number): string {
  return formatKey(idOf(peer));
}

function seenOf(peer: number, ago = 0): SeenPeer {
  return {
    publicKey: keyOf(peer),
    address: `192.0.2.${peer}`,
    port: 1000 + peer,
    seconds: T0 - ago,
    nanoseconds: 0,
  };
}

function peerOf(peer: number, more: Partial<KnownPeer> = {}): KnownPeer {
  return {
    publicKey: keyOf(peer),
    name: undefined,
    seen: seenOf(peer, 10 * peer),
    allowedIps: undefined,
    persistentKeepalive: undefined,
    presharedKey: undefined,
    ...more,
  };
}

function ownWith(more: Partial<OwnInterface> = {}): OwnInterface {
  return {
    publicKey: OWN_KEY,
    privateKey: undefined,
    addresses: [],
    listenPort: undefined,
    ...more,
  };
}

test("a fragment has the peers in their order, the own endpoint as a comment, the port last", () => {
  const peers = [peerOf(2), peerOf(0), peerOf(1)];
  assertEquals(
    formatFragment(ownWith({ listenPort: 51820 }), peers, T0),
    `[Peer]
# Seen 20 s ago
PublicKey = ${keyOf(2)}
Endpoint = 192.0.2.2:1002

# Public endpoint = 192.0.2.0:1000

[Peer]
# Seen 10 s ago
PublicKey = ${keyOf(1)}
Endpoint = 192.0.2.1:1001

[Interface]
ListenPort = 51820
`,
  );
});

test("a fragment without a port ends with an empty line, as that of wgsigc", () => {
  assertEquals(
    formatFragment(ownWith(), [peerOf(1)], T0),
    `[Peer]
# Seen 10 s ago
PublicKey = ${keyOf(1)}
Endpoint = 192.0.2.1:1001

`,
  );
});

test("a fragment of nothing is empty, or the port alone", () => {
  assertEquals(formatFragment(ownWith(), [], T0), "");
  const port = formatFragment(ownWith({ listenPort: 1 }), [], T0);
  assertEquals(port, "[Interface]\nListenPort = 1\n");
});

test("a fragment says what the settings know of a peer, and nothing of what they don't", () => {
  const peers = [
    peerOf(1, {
      name: "router, the old one",
      allowedIps: ["10.0.0.1/32", "fd00::1/128"],
      persistentKeepalive: 25,
      presharedKey: PRESHARED_KEY,
    }),
    peerOf(2),
  ];
  assertEquals(
    formatFragment(ownWith({ listenPort: 51820 }), peers, T0),
    `[Peer]
# router, the old one
# Seen 10 s ago
PublicKey = ${keyOf(1)}
PresharedKey = ${PRESHARED_KEY}
AllowedIPs = 10.0.0.1/32, fd00::1/128
Endpoint = 192.0.2.1:1001
PersistentKeepalive = 25

[Peer]
# Seen 20 s ago
PublicKey = ${keyOf(2)}
Endpoint = 192.0.2.2:1002

[Interface]
ListenPort = 51820
`,
  );
});

test("a fragment never holds the own keys or addresses", () => {
  const own = ownWith({ privateKey: PRIVATE_KEY, addresses: ["10.0.0.1/24"], listenPort: 7 });
  const text = formatFragment(own, [peerOf(0), peerOf(1)], T0);
  for (const hidden of [PRIVATE_KEY, OWN_KEY, "10.0.0.1"]) assert(!text.includes(hidden), hidden);
});

test("a whole file begins with the interface, and leaves the own record out of the peers", () => {
  const own = ownWith({
    privateKey: PRIVATE_KEY,
    addresses: ["10.0.0.9/24", "fd00::9/64"],
    listenPort: 51820,
  });
  const peers = [
    peerOf(1, { allowedIps: ["10.0.0.1/32"], persistentKeepalive: 25, name: "one" }),
    peerOf(0),
    peerOf(2, { allowedIps: ["10.0.0.2/32"], presharedKey: PRESHARED_KEY }),
  ];
  assertEquals(
    formatFile(own, peers, T0),
    `[Interface]
# PublicKey = ${OWN_KEY}
# Public endpoint = 192.0.2.0:1000
PrivateKey = ${PRIVATE_KEY}
Address = 10.0.0.9/24, fd00::9/64
ListenPort = 51820

[Peer]
# one
# Seen 10 s ago
PublicKey = ${keyOf(1)}
AllowedIPs = 10.0.0.1/32
Endpoint = 192.0.2.1:1001
PersistentKeepalive = 25

[Peer]
# Seen 20 s ago
PublicKey = ${keyOf(2)}
PresharedKey = ${PRESHARED_KEY}
AllowedIPs = 10.0.0.2/32
Endpoint = 192.0.2.2:1002
`,
  );
});

test("a whole file says in comments what is not known", () => {
  assertEquals(
    formatFile(ownWith(), [peerOf(1), peerOf(2, { seen: undefined, name: "two" })], T0),
    `[Interface]
# PublicKey = ${OWN_KEY}
# PrivateKey: not given; see --private-key
# Address: not given; see --address

[Peer]
# Seen 10 s ago
PublicKey = ${keyOf(1)}
# AllowedIPs: not known; see [[peer]] in the settings
Endpoint = 192.0.2.1:1001

[Peer]
# two
PublicKey = ${keyOf(2)}
# AllowedIPs: not known; see [[peer]] in the settings
# Endpoint: not known; this peer is not registered
`,
  );
});

test("a whole file without peers is the interface alone", () => {
  const text = formatFile(ownWith({ privateKey: PRIVATE_KEY, addresses: ["10.0.0.9/24"] }), [], T0);
  assertEquals(
    text,
    `[Interface]\n# PublicKey = ${OWN_KEY}\nPrivateKey = ${PRIVATE_KEY}\nAddress = 10.0.0.9/24\n`,
  );
});

test("a keepalive of 0 is off, and not written", () => {
  for (const format of [formatFragment, formatFile]) {
    const off = format(ownWith(), [peerOf(1, { persistentKeepalive: 0 })], T0);
    assertEquals(off, format(ownWith(), [peerOf(1)], T0));
    assert(!off.includes("PersistentKeepalive"));
    const on = format(ownWith(), [peerOf(1, { persistentKeepalive: 1 })], T0);
    assert(on.includes("\nPersistentKeepalive = 1\n"));
  }
});

test("no allowed IPs is something else than unknown ones", () => {
  const none = formatFile(ownWith(), [peerOf(1, { allowedIps: [] })], T0);
  assert(!none.includes("AllowedIPs"), "an empty list is no line that wg reads");
  assert(formatFile(ownWith(), [peerOf(1)], T0).includes("# AllowedIPs: not known"));
});

test("an age is whole seconds, and 0 for what was seen in the future", () => {
  assertEquals(ageOf(seenOf(1, 5), T0), 5);
  assertEquals(ageOf(seenOf(1, 5), T0 + 0.999), 5);
  assertEquals(ageOf(seenOf(1, 0), T0), 0);
  assertEquals(ageOf(seenOf(1, -1), T0 + 0.5), 0);
  assertEquals(ageOf(seenOf(1, -1e6), T0), 0);
  const ahead = peerOf(1, { seen: seenOf(1, -30) });
  assert(formatFragment(ownWith(), [ahead], T0).includes("\n# Seen 0 s ago\n"));
});

const known = fc.record({
  peer: fc.integer({ min: 0, max: 20 }),
  more: fc.record({
    name: fc.option(fc.constantFrom("a", "b # c", "[Peer]"), { nil: undefined }),
    allowedIps: fc.option(fc.array(fc.constantFrom("10.0.0.1/32", "::/0")), { nil: undefined }),
    persistentKeepalive: fc.option(fc.nat({ max: 65_535 }), { nil: undefined }),
    presharedKey: fc.option(fc.constant(PRESHARED_KEY), { nil: undefined }),
  }),
});

test("every line of any configuration is a section, a key, a comment or empty", () => {
  const port = fc.option(fc.nat({ max: 65_535 }), { nil: undefined });
  fc.assert(fc.property(fc.array(known), port, fc.boolean(), (list, listenPort, hasKey) => {
    const privateKey = hasKey ? PRIVATE_KEY : undefined;
    const peers = [...new Map(list.map((each) => [each.peer, each])).values()]
      .map(({ peer, more }) => peerOf(peer, more));
    const own = ownWith({ listenPort, privateKey });
    for (const format of [formatFragment, formatFile]) {
      const text = format(own, peers, T0);
      for (const line of text.split("\n")) {
        assertMatch(line, /^(?:|# .+|\[Peer\]|\[Interface\]|[A-Z][A-Za-z]+ = .+)$/);
      }
      assertEquals(text.match(/^\[Peer\]$/gm)?.length ?? 0, peers.filter(isOther).length);
      assert(text === "" || text.endsWith("\n"));
      assert(!text.includes("\n\n\n") && !text.includes("undefined"));
    }
    assert(!formatFile(own, peers, T0).endsWith("\n\n"));
  }));
});

test("whatever a name is, it stays in its comment: wg-quick runs what other lines say", () => {
  const evil = fc.constantFrom("\n", "\r", "\u2028", "\u0085", "PostUp = id", "[Peer]", "a", " ");
  const names = fc.oneof(fc.string(), fc.array(evil).map((all) => all.join("")));
  fc.assert(fc.property(names, (name) => {
    const text = formatPeers([peerOf(1, { name })], T0);
    const plain = formatPeers([peerOf(1, { name: "x" })], T0).split("\n");
    const lines = text.split(/[\n\r\u0085\u2028\u2029]/);
    assertEquals(lines.length, plain.length);
    assertEquals(
      lines.filter((_, i) => plain[i] !== "# x"),
      plain.filter((line) => line !== "# x"),
    );
    assert(lines[plain.indexOf("# x")]?.startsWith("# "));
  }));
});

function isOther({ publicKey }: KnownPeer): boolean {
  return publicKey !== OWN_KEY;
}
