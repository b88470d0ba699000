import { assertEquals } from "@std/assert";
import type { Sighting } from "../../../lib/core/ask/sighting.ts";
import { BelievedEndpoints } from "../../../lib/core/sync/believed.ts";
import { candidatesOf, whereaboutsOf } from "../../../lib/core/sync/candidates.ts";
import type { QueryResult } from "../../../lib/core/query/query_result.ts";
import type { Device } from "../../../lib/core/net/device.ts";
import { test } from "../../testing.ts";

const NOBODY = { zones: [], leases: false };
const EVERYWHERE = { has: () => true };
const UNIX = 1e9;

function sighting(publicKey: string, address: string, more: Partial<Sighting> = {}): Sighting {
  return { publicKey, address, port: 1, seconds: undefined, nanoseconds: 0, ...more };
}

function resultOf(...seen: readonly Sighting[]): QueryResult {
  const sightings = new Map<string, Sighting[]>();
  for (const each of seen) {
    sightings.set(each.publicKey, [...sightings.get(each.publicKey) ?? [], each]);
  }
  const nothing = {
    servers: [],
    peers: [],
    warnings: [],
    notes: [],
    port: 0,
    registered: false,
    unix: UNIX,
  };
  return { ...nothing, publicKey: "own", sightings, status: 0 };
}

function deviceOf(...keys: readonly string[]): Device {
  const peer = { allowedIps: [], latestHandshake: 0, received: 0, sent: 0, persistentKeepalive: 0 };
  const peers = keys.map((publicKey) => ({ ...peer, publicKey, endpoint: undefined }));
  return { publicKey: "own", listenPort: 0, mark: 0, peers };
}

test("candidates come in the order of the sightings, without the own record", () => {
  const result = resultOf(
    sighting("a", "192.0.2.1", { seconds: 9 }),
    sighting("a", "192.0.2.2", { seconds: 5 }),
    sighting("own", "192.0.2.9"),
  );
  const candidates = candidatesOf(result, [], NOBODY, EVERYWHERE, UNIX);
  assertEquals([...candidates.keys()], ["a"]);
  assertEquals(
    candidates.get("a")?.map(({ endpoint, seenAt }) => [endpoint.host, seenAt]),
    [["192.0.2.1", 9], ["192.0.2.2", 5]],
  );
});

test("AllowedIPs are taken from zones that are trusted, and from no others", () => {
  const allowedIps = ["10.0.0.1/32"];
  const result = resultOf(
    sighting("a", "192.0.2.1", { allowedIps, zone: "good.test" }),
    sighting("b", "192.0.2.2", { allowedIps, zone: "bad.test" }),
    sighting("c", "192.0.2.3", { allowedIps }),
  );
  const candidates = candidatesOf(
    result,
    [],
    { zones: ["good.test"], leases: false },
    EVERYWHERE,
    UNIX,
  );
  const taken = ["a", "b", "c"].map((key) => candidates.get(key)?.[0]?.allowedIps);
  assertEquals(taken, [allowedIps, undefined, undefined]);
});

test("what a zone has signed counts as what others say, AllowedIPs and all", () => {
  const allowedIps = ["10.0.0.1/32"];
  const result = resultOf(
    sighting("a", "192.0.2.1", { seconds: 9, zone: "bad.test", isSigned: false, allowedIps }),
    sighting("a", "192.0.2.2", { seconds: 5, zone: "good.test", isSigned: true, allowedIps }),
  );
  assertEquals(
    candidatesOf(result, [], NOBODY, EVERYWHERE, UNIX).get("a")
      ?.map(({ endpoint, allowedIps }) => [endpoint.host, allowedIps]),
    [["192.0.2.2", allowedIps], ["192.0.2.1", undefined]],
  );
});

test("what the lease server says comes last, and its AllowedIPs count where it is trusted", () => {
  const news = [
    {
      publicKey: "a",
      endpoint: { host: "192.0.2.7", port: 7 },
      allowedIps: ["10.0.0.7/32"],
    },
    { publicKey: "b", endpoint: undefined, allowedIps: ["10.0.0.8/32"] },
    { publicKey: "own", endpoint: { host: "192.0.2.9", port: 9 }, allowedIps: [] },
  ];
  const result = resultOf(sighting("a", "192.0.2.1", { seconds: 1 }));
  for (const leases of [false, true]) {
    const candidates = candidatesOf(result, news, { zones: [], leases }, EVERYWHERE, UNIX);
    assertEquals([...candidates.keys()], ["a"]);
    const [first, second] = candidates.get("a") ?? [];
    assertEquals([first?.endpoint.host, second?.endpoint.host], ["192.0.2.1", "192.0.2.7"]);
    assertEquals(second?.allowedIps, leases ? ["10.0.0.7/32"] : undefined);
  }
});

test("whereabouts change with the peers of the interface alone, and not with claims", () => {
  const device = deviceOf("a", "b");
  const at = (...seen: readonly Sighting[]) => {
    const candidates = candidatesOf(resultOf(...seen), [], NOBODY, EVERYWHERE, UNIX);
    return JSON.stringify([...whereaboutsOf(device, candidates)]);
  };
  const before = at(sighting("a", "192.0.2.1"));
  assertEquals(at(sighting("a", "192.0.2.1"), sighting("c", "192.0.2.3")), before);
  assertEquals(
    at(sighting("a", "192.0.2.1"), sighting("b", "192.0.2.2", { isClaim: true })),
    before,
  );
  assertEquals(at(sighting("a", "192.0.2.2")) === before, false);
  assertEquals(at(sighting("b", "192.0.2.1")) === before, false);
  assertEquals(at(sighting("a", "192.0.2.1", { seconds: 8 })), before);
});

test("what somebody has proved comes first, and nothing was seen in the future", () => {
  const result = resultOf(
    sighting("a", "192.0.2.1", { seconds: 2e9, isClaim: true }),
    sighting("a", "192.0.2.2", { seconds: 2e9, zone: "some.test" }),
    sighting("a", "192.0.2.3", { seconds: 5 }),
    sighting("a", "192.0.2.4", { seconds: 4 }),
  );
  assertEquals(
    candidatesOf(result, [], NOBODY, EVERYWHERE, UNIX).get("a")
      ?.map(({ endpoint, seenAt }) => [endpoint.host.at(-1), seenAt]),
    [["3", 5], ["4", 4], ["1", 1e9], ["2", 1e9]],
  );
});

test("IPv6 comes before IPv4 where this host is seen over it, else after it", () => {
  const result = resultOf(
    sighting("a", "2001:db8::1", { seconds: 9, isProved: true }),
    sighting("a", "192.0.2.1", { seconds: 5, isProved: true }),
    sighting("a", "2001:db8::2", { isClaim: true }),
    sighting("a", "192.0.2.2", { isClaim: true }),
  );
  const server = { server: "s", status: "ok", received: 1, expected: 1 } as const;
  const ipv4 = { host: "198.51.100.1", port: 1 };
  const ipv6 = { host: "2001:db8::9", port: 1 };
  const hosts = (...servers: QueryResult["servers"]) =>
    candidatesOf({ ...result, servers }, [], NOBODY, EVERYWHERE, UNIX).get("a")
      ?.map(({ endpoint, isProved }) => [endpoint.host, isProved]);
  const four = [["192.0.2.1", true], ["2001:db8::1", true]];
  const claims = [["192.0.2.2", undefined], ["2001:db8::2", undefined]];
  assertEquals(hosts(), [...four, ...claims]);
  assertEquals(hosts({ ...server, ownEndpoint: ipv4 }), [...four, ...claims]);
  const six = [...four.toReversed(), ...claims.toReversed()];
  assertEquals(hosts({ ...server, ownEndpoint: ipv4, ownIpv6: ipv6 }), six);
  assertEquals(hosts({ ...server, ownEndpoint: ipv6 }), six);
  assertEquals(hosts({ ...server, ownEndpoint: undefined, ownIpv6: ipv6 }), six);
});

test("places come in the order of what is best where it works", () => {
  const places = [
    ["declared", "198.51.100.1"],
    ["seen", "198.51.100.2"],
    ["lan", "fd00::3"],
    ["mapped", "198.51.100.4"],
    ["seen", "2001:db8::5"],
    ["lan", "192.168.0.6"],
  ] as const;
  const result = resultOf(
    ...places.map(([kind, address]) => sighting("a", address, { kind, isProved: true })),
    sighting("a", "192.168.0.7", { kind: "lan", isClaim: true }),
  );
  const server = { server: "s", status: "ok", received: 1, expected: 1 } as const;
  const order = (...own: readonly string[]) => {
    const [ownEndpoint, ownIpv6] = own.map((host) => ({ host, port: 1 }));
    const servers = [{ ...server, ownEndpoint, ownIpv6 }];
    return candidatesOf({ ...result, servers }, [], NOBODY, EVERYWHERE, UNIX).get("a")
      ?.map(({ endpoint: { host } }) => host.at(-1)).join(" ");
  };
  assertEquals(order("192.0.2.1", "2001:db8::1"), "3 6 5 4 2 1 7");
  assertEquals(order("192.0.2.1"), "6 4 2 1 3 5 7");
  assertEquals(order("2001:db8::1"), "3 5 6 4 2 1 7");
});

test("what can't be a peer's endpoint is nobody's, whoever names it", () => {
  const nowhere = [
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.0.1.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "ff02::1",
    "10.9.0.7",
    "fd00:9::7",
    "no address",
  ];
  const somewhere = [
    "192.0.2.1",
    "10.8.0.7",
    "192.168.1.7",
    "172.17.0.1",
    "2001:db8::1",
    "fe80::1",
  ];
  const device = deviceOf("a");
  const allowedIps = ["10.9.0.0/24", "fd00:9::7/128", "0.0.0.0/1", "128.0.0.0/1", "::/0"];
  const tunnel = { ...device, peers: device.peers.map((peer) => ({ ...peer, allowedIps })) };
  const believed = new BelievedEndpoints(tunnel);
  const has = (host: string) => believed.has({ host, port: 1 });
  assertEquals(nowhere.filter(has), []);
  assertEquals(somewhere.filter(has), somewhere);
  assertEquals(believed.has({ host: "192.0.2.1", port: 0 }), false);
  // With a mark, WireGuard's own datagrams go another way than through the tunnel.
  const marked = new BelievedEndpoints({ ...tunnel, mark: 7 });
  assertEquals(marked.has({ host: "10.9.0.7", port: 1 }), true);
  const result = resultOf(
    ...nowhere.map((address) => sighting("a", address)),
    ...somewhere.map((address) => sighting("a", address)),
    sighting("b", "127.0.0.1"),
  );
  const news = [{ publicKey: "b", endpoint: { host: "127.0.0.1", port: 5 }, allowedIps: [] }];
  const candidates = candidatesOf(result, news, NOBODY, believed, UNIX);
  assertEquals([...candidates.keys()], ["a"]);
  assertEquals(candidates.get("a")?.map(({ endpoint }) => endpoint.host), somewhere);
});

test("a peer has so many candidates and no more", () => {
  const seen = Array.from({ length: 300 }, (_, i) => sighting("a", `192.0.2.${i % 250}`));
  assertEquals(candidatesOf(resultOf(...seen), [], NOBODY, EVERYWHERE, UNIX).get("a")?.length, 16);
});
