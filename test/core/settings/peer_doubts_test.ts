import { assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { peerDoubts } from "../../../lib/core/settings/peer_doubts.ts";
import { test } from "../../testing.ts";

const [A, B, C] = ["a", "b", "c"];
const NOBODY = { publicKey: undefined, addresses: [] };

test("peers with one name, one prefix, or the own address are doubted", () => {
  const peers = new Map([
    [A!, { name: "bob", "allowed-ips": ["10.0.0.2", "fd00::2/128"] }],
    [B!, { name: "bob", "allowed-ips": ["10.0.0.2/32", "10.0.0.1/32"] }],
    [C!, { "allowed-ips": ["10.0.0.0/24", "fd00::2"] }],
  ]);
  const two = [
    `peers with one name can't be told apart by it: "bob"`,
    "WireGuard gives a prefix that two peers have to one of them alone: " +
    "10.0.0.2/32 of bob and of bob, fd00::2/128 of bob and of c",
  ];
  assertEquals(peerDoubts(peers, NOBODY), two);
  const own = "what a peer has is this host's own address: 10.0.0.1/32 of bob";
  assertEquals(peerDoubts(peers, { publicKey: "x", addresses: ["10.0.0.1/24"] }), [...two, own]);
});

test("a hub's network, and this host among its peers, are right", () => {
  const peers = new Map([
    [A!, { name: "hub", "allowed-ips": ["10.0.0.0/24", "0.0.0.0/0"] }],
    [B!, { name: "me", "allowed-ips": ["10.0.0.2/32", "10.0.0.2"] }],
    [C!, {}],
  ]);
  assertEquals(peerDoubts(peers, { publicKey: B, addresses: ["10.0.0.2/24", "fd00::2"] }), []);
  assertEquals(peerDoubts(new Map(), NOBODY), []);
});

test("many are counted", () => {
  const peers = new Map(Array.from({ length: 100_000 }, (_, i) => {
    const key = encodeBase64(Uint8Array.of(i, i >> 8, i >> 16));
    return [key, { name: `n${i >> 1}`, "allowed-ips": [`10.0.${i & 3}.0/24`] }];
  }));
  const [names = "", prefixes = ""] = peerDoubts(peers, NOBODY);
  assertEquals(names.slice(names.indexOf("and")), "and 49995 more");
  assertEquals(prefixes.slice(prefixes.lastIndexOf("and")), "and 99991 more");
});
