import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import fc from "fast-check";
import { importText, kindOf } from "../../../lib/core/import/import.ts";
import { nameOf } from "../../../lib/core/import/peer_names.ts";
import { readWgQuick } from "../../../lib/core/import/wg_quick.ts";
import { parseSettings } from "../../../lib/core/settings/settings.ts";
import { key32 } from "../../support/arbitraries.ts";
import { test } from "../../testing.ts";

const [A, B, C] = [1, 2, 3].map((byte) => encodeBase64(new Uint8Array(32).fill(byte))) as [
  string,
  string,
  string,
];
const SECRET = encodeBase64(new Uint8Array(32).fill(72));

const settingsOf = (text: string, keys?: string) => {
  const imported = importText("wg-quick", text, { file: "wg0.conf", device: "wg0", keys });
  return { ...imported, settings: parseSettings(imported.toml) };
};

test("wg-quick's file becomes settings, and what they can't say is said with its line", () => {
  const text = `[Interface]
Address = 10.0.0.1/24, fd00::1/64
listenport=51820
PrivateKey = ${SECRET}
PostUp = secret-command ${SECRET}
FwMark = 0x51
SaveConfig = true
PrivatKey = ${SECRET}

# BEGIN_PEER bob
[peer]
PublicKey = ${A}
PresharedKey = ${SECRET}
AllowedIPs = 10.0.0.2/32, 192.168.1.5/24
PersistentKeepalive = 25
Endpoint = vpn.example.com:51820
# END_PEER bob
# BEGIN_PEER alice
[Peer]
PublicKey = ${B}
AllowedIPs =
PersistentKeepalive = off
# END_PEER alice
[Peer]
AllowedIPs = 10.0.0.9/32
[Other]
x = y
`;
  const { settings, notes, keys, toml } = settingsOf(text, "/etc/wgsig/");
  assertEquals(settings, {
    sync: new Map([["wg0", {
      address: ["10.0.0.1/24", "fd00::1/64"],
      port: 51820,
      "private-key-file": "/etc/wgsig/wg0.key",
    }]]),
    peer: [{
      name: "bob",
      "public-key": A,
      "allowed-ips": ["10.0.0.2/32", "192.168.1.0/24"],
      "persistent-keepalive": 25,
      "preshared-key-file": "/etc/wgsig/wg0-bob.psk",
    }, {
      name: "alice",
      "public-key": B,
      "allowed-ips": [],
      "persistent-keepalive": 0,
    }],
  });
  assertEquals(keys, [
    { path: "/etc/wgsig/wg0.key", text: `${SECRET}\n` },
    { path: "/etc/wgsig/wg0-bob.psk", text: `${SECRET}\n` },
  ]);
  assertEquals(notes.map(({ line, text }) => `${line} ${text.split(/[ :]/)[0]}`), [
    ...["5 PostUp", "6 FwMark", "7 SaveConfig", '8 "privatkey"', "14 AllowedIPs"],
    ...["24 a", "26 a", "27 stands"],
  ]);
  for (const { line, text } of notes) assert(toml.includes(`#   line ${line}: ${text}\n`));
  assertMatch(toml, /# Its Endpoint vpn\.example\.com:51820 stays in wg0\.conf/);
  assert(!toml.includes(SECRET) && !JSON.stringify(notes).includes(SECRET));
  // Without a folder for them, keys stay where they are, and that is said.
  const stay = settingsOf(text);
  assertEquals(stay.settings.sync?.get("wg0")?.["private-key-file"], undefined);
  assertEquals([stay.keys, stay.remarks.length], [[], 1]);
  assertMatch(stay.toml, /^# private-key-file = "\/etc\/wgsig\/wg0\.key"$/m);
});

test("peers are named by the comments that people and scripts leave", () => {
  for (
    const [comment, name] of [
      ["# bob", "bob"],
      ["#bob's  laptop", "bob's laptop"],
      ["# BEGIN_PEER bob", "bob"],
      ["### Client bob", "bob"],
      ["### begin bob ###", "bob"],
      ["# Client: bob (1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed)", "bob"],
      ["# Name: bob", "bob"],
      ["# friendly_name = bob", "bob"],
      ["# b\u0007ob\u2028", "bob"],
      ["# END_PEER bob", undefined],
      ["### end bob ###", undefined],
      ["# PresharedKey = x", undefined],
      ["# Seen 12 s ago", undefined],
      ["# Endpoint: not known; this peer is not registered", undefined],
      ["# [Peer]", undefined],
      ["####", undefined],
      [`# ${SECRET.slice(0, 43)}`, undefined],
      [`# friendly_name = ${SECRET}`, undefined],
      [`# ${"x".repeat(64)}`, undefined],
    ] as const
  ) assertEquals(nameOf(comment), name, comment);

  const names = (text: string) => readWgQuick(text).peers.map(({ name }) => name);
  const peer = (key: string, before = "", inside = "", behind = "") =>
    `${before}[Peer]${behind}\n${inside}PublicKey = ${key}\nAllowedIPs = \n`;
  assertEquals(names(peer(A, "# a\n") + peer(B, "# b\n") + peer(C)), ["a", "b", undefined]);
  assertEquals(names(peer(A, "", "# a\n") + peer(B, "", "# b\n")), ["a", "b"]);
  assertEquals(names(peer(A, "", "", " # a") + peer(B, "", "", " # b")), ["a", "b"]);
  assertEquals(names(peer(A, "# no\n\n# a\n") + "\n" + peer(B, "# b\n\n")), ["a", "b"]);
  assertEquals(names(peer(A) + "# a\n\n" + peer(B)), ["a", undefined]);
  assertEquals(names(peer(A, "# of a\n", "# friendly_name = a\n")), ["a"]);
  assertEquals(names(`${peer(A)}PersistentKeepalive = 25 # for the NAT\n`), [undefined]);
  assertEquals(names(peer(A, "# a\n") + peer(B, "# a\n") + peer(C, "# a\n")), ["a", "a 2", "a 3"]);
});

test("a peer that is there twice is one, and a prefix is of the last that has it, as in wg", () => {
  const { peers, notes } = readWgQuick(`[Peer]
PublicKey = ${A}
AllowedIPs = 10.0.0.1/32, 10.0.0.2
PersistentKeepalive = 7
[Peer]
PublicKey = ${B}
AllowedIPs = 10.0.0.2/32, +10.0.0.3/32, 10.0.0.4/32, -10.0.0.4/32
[Peer]
PublicKey = ${A}
AllowedIPs = 10.0.0.3, 10.0.0.1
`);
  assertEquals(peers.map(({ publicKey, allowedIps }) => [publicKey, allowedIps]), [
    [A, ["10.0.0.3/32", "10.0.0.1/32"]],
    [B, ["10.0.0.2/32"]],
  ]);
  assertEquals(peers[0]?.persistentKeepalive, 7);
  assertEquals(notes.map(({ line }) => line), [7, 8]);
});

/** A peer, as it may be written. */
const peer = fc.record({
  key: key32.map(encodeBase64),
  psk: fc.option(key32.map(encodeBase64)),
  ips: fc.uniqueArray(fc.integer({ min: 0, max: 0xffff }), { maxLength: 4 }),
  keepalive: fc.option(fc.integer({ min: 0, max: 0xffff })),
  name: fc.option(fc.stringMatching(/^[a-z]{1,8}$/)),
});
const blank = fc.constantFrom("", " ", "\t ", "\n", " # note = 1\n");

test("whatever is written comes back, however it is written", () => {
  const file = fc.record({
    own: key32.map(encodeBase64),
    port: fc.integer({ min: 1, max: 0xffff }),
    peers: fc.uniqueArray(peer, { maxLength: 6, selector: ({ key }) => key }),
    upper: fc.boolean(),
    blank,
  });
  fc.assert(fc.property(file, ({ own, port, peers, upper, blank }) => {
    const taken = new Set<number>();
    const shown = peers.map((peer) => ({
      ...peer,
      ips: peer.ips.filter((ip) => !taken.has(ip) && taken.add(ip)).map((ip) =>
        `10.1.${ip >> 8}.${ip & 255}/32`
      ),
    }));
    const key = (text: string) => upper ? text.toUpperCase() : text;
    const end = blank.includes("\n") ? blank : `${blank}\n`;
    const text = [
      `[${key("Interface")}]${end}${key("PrivateKey")}=${own}${end}ListenPort = ${port}`,
      ...shown.map(({ key: id, psk, ips, keepalive, name }) =>
        [
          ...(name === null ? [] : [`# ${name}`]),
          `[${key("Peer")}]`,
          `${key("PublicKey")} =\t${id}`,
          ...(psk === null ? [] : [`PresharedKey=${psk}`]),
          `AllowedIPs = ${ips.join(" , ")}`,
          ...(keepalive === null ? [] : [`PersistentKeepalive = ${keepalive || "off"}`]),
        ].join(end)
      ),
      "",
    ].join(end);
    const { settings, toml, notes, keys } = settingsOf(text, "/k");
    assertEquals(settings.sync?.get("wg0")?.port, port);
    assertEquals(
      (settings.peer ?? []).map((each) => [
        each["public-key"],
        each["allowed-ips"],
        each["persistent-keepalive"],
      ]),
      shown.map(({ key, ips, keepalive }) => [key, ips, keepalive ?? 0]),
    );
    const secrets = [own, ...shown.flatMap(({ psk }) => psk ?? [])];
    assertEquals(keys.map(({ text }) => text.trim()), secrets);
    const publicKeys = new Set(shown.map(({ key }) => key));
    for (const secret of secrets) {
      if (!publicKeys.has(secret)) assert(!(toml + JSON.stringify(notes)).includes(secret));
    }
  }));
});

test("any text makes settings that are accepted, and no secret in them", () => {
  const word = fc.constantFrom(
    ...["[Interface]", "[Peer]", "[ peer ]", "[x]", "PrivateKey", "PublicKey", "AllowedIPs", "="],
    ...["PresharedKey", "Endpoint", "Address", "ListenPort", "PersistentKeepalive", "PostUp", ","],
    ...["\n", "\r\n", "#", "# bob", "###", " ", "10.0.0.1/8", "::/0", "1.2.3.4:5", "[::1]:5"],
    ...[
      "__proto__",
      "constructor",
      A,
      B,
      SECRET,
      "65536",
      "0x10",
      "off",
      "\u2028",
      "\ud800",
      '"',
      "\\",
    ],
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.oneof(word, fc.string()), { maxLength: 60 }).map((words) => words.join("")),
  );
  fc.assert(
    fc.property(text, fc.option(fc.constant("/k")), (text, keys) => {
      const { toml, notes } = settingsOf(text, keys ?? undefined);
      // A secret may only be there where it was given as a public key.
      if (!new RegExp(`public-key = "${SECRET.replaceAll("+", "\\+")}"`).test(toml)) {
        assert(!(toml + JSON.stringify(notes)).includes(SECRET));
      }
      const lines = text.split("\n").length;
      assert(notes.every(({ line }) => line >= 1 && line <= lines));
    }),
    { numRuns: 1000 },
  );
});

test("a name has nothing that turns the text around it", () => {
  const [peer] = readWgQuick(`[Peer]\n# b\u202eo\u2066b\u061c\nPublicKey = ${SECRET}\n`).peers;
  assertEquals(peer?.name, "bob");
});

test("what is large, or made to be slow, is read as well", () => {
  const many = Array.from({ length: 20_000 }, (_, i) => {
    const key = new Uint8Array(32);
    key.set([i, i >> 8]);
    return `# same\n[Peer]\nPublicKey=${encodeBase64(key)}\nAllowedIPs=10.0.0.1\n`;
  });
  const { peers, notes } = readWgQuick(many.join(""));
  assertEquals([peers.length, notes.length], [20_000, 39_998]);
  assertEquals(peers.at(-1)?.name, "same 20000");
  assertEquals(readWgQuick(`[Peer]\n${"\n".repeat(500_000)}`).peers, []);
  assertEquals(kindOf(`${"\n".repeat(500_000)}[peer]`), "wg-quick");
  assertEquals(kindOf(" \t".repeat(300_000)), undefined);
  assertEquals(readWgQuick(`${`# begin ${" #".repeat(100_000)}`}\n[Peer]`).peers, []);
});
