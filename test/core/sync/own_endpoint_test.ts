import { assertEquals } from "@std/assert";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import type { QueryResult } from "../../../lib/core/query/query_result.ts";
import { OwnEndpoint } from "../../../lib/core/sync/own_endpoint.ts";
import { test } from "../../testing.ts";

const A: HostPort = { host: "192.0.2.1", port: 1 };
const B: HostPort = { host: "192.0.2.1", port: 2 };
const C: HostPort = { host: "192.0.2.9", port: 3 };

/** What servers say that see the own port here; the first is the one that saw it last. */
function seenAt(...endpoints: readonly (HostPort | undefined)[]): QueryResult {
  const [newest] = endpoints;
  const own = newest === undefined ? [] : [{
    publicKey: "own",
    address: newest.host,
    port: newest.port,
    seconds: 1,
    nanoseconds: 0,
  }];
  return {
    servers: endpoints.map((ownEndpoint, i) => ({
      server: `${i}`,
      status: "ok",
      received: 1,
      expected: 1,
      ownEndpoint,
    })),
    publicKey: "own",
    port: 1,
    registered: true,
    peers: own,
    sightings: new Map([["own", own]]),
    unix: 1,
    status: 0,
    warnings: [],
    notes: [],
  };
}

test("the own endpoint is news when it is another one", () => {
  const own = new OwnEndpoint();
  assertEquals(own.take(seenAt(A)), [{ family: 4, endpoint: "192.0.2.1:1", before: undefined }]);
  assertEquals(own.take(seenAt(A)), []);
  assertEquals(own.take(seenAt(undefined)), []);
  assertEquals(own.take(seenAt(C)), [{
    family: 4,
    endpoint: "192.0.2.9:3",
    before: "192.0.2.1:1",
  }]);
  own.forget();
  assertEquals(own.take(seenAt(A)), [{ family: 4, endpoint: "192.0.2.1:1", before: undefined }]);
});

test("where two servers see two endpoints, it has not moved while one sees the same", () => {
  const own = new OwnEndpoint();
  own.take(seenAt(A, B));
  for (let i = 0; i < 3; i++) {
    assertEquals(own.take(seenAt(B, A)), []);
    assertEquals(own.take(seenAt(A, B)), []);
  }
  assertEquals(own.endpoint, "192.0.2.1:1");
  assertEquals(own.take(seenAt(B, C))[0]?.before, "192.0.2.1:1");
});

test("each family has an own endpoint of its own", () => {
  const own = new OwnEndpoint();
  const at = (address: string, port: number) => ({
    publicKey: "own",
    address,
    port,
    seconds: 1,
    nanoseconds: 0,
  });
  const both = (...seen: readonly HostPort[]): QueryResult => ({
    ...seenAt(A),
    sightings: new Map([["own", seen.map(({ host, port }) => at(host, port))]]),
  });
  const six = { host: "2001:db8::1", port: 5 };
  const moves = own.take(both(six, A));
  assertEquals(moves.map(({ family, endpoint }) => [family, endpoint]), [
    [4, "192.0.2.1:1"],
    [6, "[2001:db8::1]:5"],
  ]);
  assertEquals(own.endpoint, "192.0.2.1:1,[2001:db8::1]:5");
  // One that isn't seen for once has not moved.
  assertEquals(own.take(both(A)), []);
  assertEquals(own.take(both(A, { ...six, port: 6 })), [
    { family: 6, endpoint: "[2001:db8::1]:6", before: "[2001:db8::1]:5" },
  ]);
});

test("two servers that see the port tell what the NAT does, one doesn't", () => {
  const own = new OwnEndpoint();
  own.take(seenAt(A, undefined));
  assertEquals([own.tellsNat, own.nat], [false, undefined]);
  own.take(seenAt(A, A));
  assertEquals(own.tellsNat, true);
  assertEquals(own.judge([]).nat, "easy");
  assertEquals(own.judge(["192.0.2.1"]).nat, "easy");
  own.take(seenAt(A, B));
  assertEquals(own.judge(["192.0.2.1"]).nat, "sequential");
  own.take(seenAt(undefined, undefined));
  assertEquals([own.tellsNat, own.nat?.nat], [false, "sequential"]);
});
