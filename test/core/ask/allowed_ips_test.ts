import { assertEquals } from "@std/assert";
import { AllowedIpsGate, takeZoneIps } from "../../../lib/core/ask/allowed_ips.ts";
import type { Sighting } from "../../../lib/core/ask/sighting.ts";
import { test } from "../../testing.ts";

test("what the settings give to others is nobody's, in part or with more around it", () => {
  const gate = new AllowedIpsGate({ configured: ["10.9.0.0/24", "fd00::7"], present: [] });
  const forged = ["0.0.0.0/1", "128.0.0.0/1", "10.9.0.7/32", "10.9.0.0/24", "::/0", "fd00::7/128"];
  assertEquals(gate.take([...forged, "10.8.0.7/32", "fd00::8/128"]), {
    taken: ["128.0.0.0/1", "10.8.0.7/32", "fd00::8/128"],
    refused: ["0.0.0.0/1", "10.9.0.7/32", "10.9.0.0/24", "::/0", "fd00::7/128"],
  });
});

test("of what the interface has, others get a part, but not all of it", () => {
  const gate = new AllowedIpsGate({ configured: [], present: ["10.9.0.0/24", "10.8.0.1/32"] });
  assertEquals(gate.take(["10.9.0.7/32", "10.9.0.0/24", "10.0.0.0/8", "10.8.0.1"]), {
    taken: ["10.9.0.7/32"],
    refused: ["10.9.0.0/24", "10.0.0.0/8", "10.8.0.1"],
  });
  // What one has got, the next doesn't get.
  assertEquals(gate.take(["10.9.0.7/32", "10.9.0.8/32"]).taken, ["10.9.0.8/32"]);
});

test("IPv4 and IPv6 prefixes have nothing in common", () => {
  const gate = new AllowedIpsGate({ configured: ["::/0"], present: ["0.0.0.0/0"] });
  assertEquals(gate.take(["10.0.0.0/8", "fd00::/8", "0.0.0.0/0"]).taken, ["10.0.0.0/8"]);
});

test("what a zone has signed needs nobody's trust, and what it hasn't needs it as before", () => {
  const peer = (publicKey: string, isSigned: boolean | undefined, ip: string): Sighting => ({
    ...{ publicKey, address: "192.0.2.1", port: 1, seconds: undefined, nanoseconds: 0 },
    ...{ zone: "wg.test", isSigned, allowedIps: [ip, "10.7.0.1/32"] },
  });
  const peers = [peer("a", true, "10.9.0.1/32"), peer("b", false, "10.9.0.2/32")];
  const { taken, warnings } = takeZoneIps(peers.map((each) => [each]), [], ["10.7.0.0/24"]);
  assertEquals([...taken], [["a", ["10.9.0.1/32"]]]);
  assertEquals(warnings.map((each) => each.replace(/ that .*$/, "")), [
    "the AllowedIPs",
    "AllowedIPs",
  ]);
});

test("only zones that are trusted name AllowedIPs, and what is left out is said", () => {
  const peer = (
    publicKey: string,
    zone: string | undefined,
    ...allowedIps: string[]
  ): Sighting => ({
    ...{ publicKey, address: "192.0.2.1", port: 1, seconds: undefined, nanoseconds: 0 },
    ...{ zone, allowedIps },
  });
  const peers = [
    peer("a", "good.test", "10.9.0.1/32", "10.7.0.0/16"),
    peer("b", "bad.test", "10.9.0.2/32"),
    peer("c", "bad.test", "10.9.0.3/32"),
    peer("d", undefined, "10.9.0.4/32"),
    peer("e", "good.test"),
    ...["f", "g", "h"].map((key) => peer(key, "good.test", "10.7.0.1/32")),
  ];
  const { taken, warnings } = takeZoneIps(
    peers.map((each) => [each]),
    ["good.test"],
    ["10.7.0.0/24"],
  );
  assertEquals([...taken], [["a", ["10.9.0.1/32"]]]);
  assertEquals(warnings, [
    "the AllowedIPs that the zone bad.test names are left out, since anyone could forge them; " +
    "ask it with a key (tsig-files), name them in [[peer]], or take them with " +
    'trust-allowed-ips = ["bad.test"]',
    "AllowedIPs that other peers have are left out: 10.7.0.0/16 of a; 10.7.0.1/32 of f; " +
    "10.7.0.1/32 of g; and of 1 more",
  ]);
});

test("what is signed counts, whatever others say of the same peer and call newer", () => {
  const said = (
    zone: string | undefined,
    isSigned: boolean,
    ...allowedIps: string[]
  ): Sighting => ({
    ...{ publicKey: "a", address: "192.0.2.1", port: 1, seconds: undefined, nanoseconds: 0 },
    ...{ zone, isSigned, allowedIps: zone === undefined ? undefined : allowedIps },
  });
  const registry = said(undefined, false);
  const forged = said("wg.test", false, "0.0.0.0/0");
  const right = said("wg.test", true, "10.9.0.1/32");
  for (const before of [[], [registry], [forged], [forged, registry]]) {
    for (const trusted of [[], ["wg.test"]]) {
      const { taken, warnings } = takeZoneIps([[...before, right]], trusted, []);
      assertEquals([[...taken], warnings], [[["a", ["10.9.0.1/32"]]], []]);
      const none = takeZoneIps([[...before, said("wg.test", true)]], trusted, []);
      assertEquals([[...none.taken], none.warnings], [[], []], "it has none, and that is signed");
    }
  }
  assertEquals([...takeZoneIps([[registry, forged]], ["wg.test"], []).taken], [["a", [
    "0.0.0.0/0",
  ]]]);
});
