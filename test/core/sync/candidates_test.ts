import { assertEquals } from "@std/assert";
import type { Sighting } from "../../../lib/core/ask/sighting.ts";
import { candidatesOf, whereaboutsOf } from "../../../lib/core/sync/candidates.ts";
import type { QueryResult } from "../../../lib/core/query/query_result.ts";
import type { Device } from "../../../lib/core/net/device.ts";
import { test } from "../../testing.ts";

const NOBODY = { zones: [], leases: false };

function sighting(publicKey: string, address: string, more: Partial<Sighting> = {}): Sighting {
  return { publicKey, address, port: 1, seconds: undefined, nanoseconds: 0, ...more };
}

function resultOf(...seen: readonly Sighting[]): QueryResult {
  const sightings = new Map<string, Sighting[]>();
  for (const each of seen) {
    sightings.set(each.publicKey, [...sightings.get(each.publicKey) ?? [], each]);
  }
  const nothing = { servers: [], peers: [], warnings: [], port: 0, registered: false, unix: 0 };
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
  const candidates = candidatesOf(result, [], NOBODY);
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
  const candidates = candidatesOf(result, [], { zones: ["good.test"], leases: false });
  const taken = ["a", "b", "c"].map((key) => candidates.get(key)?.[0]?.allowedIps);
  assertEquals(taken, [allowedIps, undefined, undefined]);
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
    const candidates = candidatesOf(result, news, { zones: [], leases });
    assertEquals([...candidates.keys()], ["a"]);
    const [first, second] = candidates.get("a") ?? [];
    assertEquals([first?.endpoint.host, second?.endpoint.host], ["192.0.2.1", "192.0.2.7"]);
    assertEquals(second?.allowedIps, leases ? ["10.0.0.7/32"] : undefined);
  }
});

test("whereabouts change with the peers of the interface alone, and not with claims", () => {
  const device = deviceOf("a", "b");
  const at = (...seen: readonly Sighting[]) =>
    whereaboutsOf(device, candidatesOf(resultOf(...seen), [], NOBODY));
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
