import { assertEquals } from "@std/assert";
import { hasOthers, LeaseBounds } from "../../../../lib/core/lease/client/bounds.ts";
import { parseLeaseIp } from "../../../../lib/core/lease/address.ts";
import type { DevicePeer } from "../../../../lib/core/net/device.ts";
import { test } from "../../../testing.ts";

const OTHERS = ["192.168.1.7/24", "198.51.100.2", "2001:db8:1::7/64"];

function peerOf(host: string, ...allowedIps: string[]): DevicePeer {
  const rest = { latestHandshake: 0, received: 0, sent: 0, persistentKeepalive: 0 };
  return { ...rest, publicKey: host, endpoint: { host, port: 1 }, allowedIps };
}

function taken(bounds: LeaseBounds, addresses: readonly string[]): string[] {
  return addresses.filter((text) => bounds.takesAddress(parseLeaseIp(text)!));
}

test("addresses lie in the AllowedIPs of the server's peer, and in no other network", () => {
  const peers = [
    peerOf("203.0.113.10", "fe80::/128", "10.20.0.0/16", "192.168.0.0/16", "fd00:20::/64"),
    peerOf("203.0.113.11", "10.30.0.0/16", "::/0"),
  ];
  const bounds = new LeaseBounds({ mark: 0, peers }, OTHERS);
  const addresses = ["10.20.0.7", "192.168.2.1", "fd00:20::7"];
  const strange = ["203.0.113.10", "10.30.0.7", "192.168.1.1", "192.168.1.7", "2001:db8::1"];
  assertEquals(taken(bounds, [...addresses, ...strange]), addresses);
  const routes = ["10.20.0.0/16", "10.20.7.0/24", "192.168.0.0/16", "fd00:20::/65"];
  const wrong = ["0.0.0.0/0", "10.0.0.0/8", "10.30.0.0/16", "192.168.1.0/25", "192.168.1.0/24"];
  const all = [...routes, ...wrong, "::/0", "no prefix"];
  assertEquals(all.filter((route) => bounds.takesRoute(route)), routes);
});

test("where all goes through the server, it still names no endpoint and no neighbour", () => {
  const server = peerOf("203.0.113.10", "0.0.0.0/0", "::/0");
  for (const mark of [0, 51_820]) {
    const bounds = new LeaseBounds({ mark, peers: [server] }, OTHERS);
    const addresses = ["10.20.0.7", "fd00:20::7"];
    const strange = ["203.0.113.10", "192.168.1.1", "198.51.100.2", "2001:db8:1::1"];
    assertEquals(taken(bounds, [...addresses, ...strange]), addresses);
    // Without a mark, the tunnel would go through itself.
    const cuts = ["0.0.0.0/0", "128.0.0.0/1", "203.0.113.0/24"];
    const routes = ["0.0.0.0/1", "10.0.0.0/8", "::/0"];
    const took = [...cuts, ...routes].filter((route) => bounds.takesRoute(route));
    assertEquals(took, mark === 0 ? routes : [...cuts, ...routes]);
  }
});

test("without a server's peer, nothing is taken", () => {
  const bounds = new LeaseBounds({ mark: 0, peers: [peerOf("192.0.2.1", "10.20.0.0/16")] }, []);
  assertEquals(taken(bounds, ["10.20.0.7"]), []);
});

test("others are those through which the server isn't reached", () => {
  const server = peerOf("192.0.2.1", "fe80::/64");
  const rest = { publicKey: "own", listenPort: 1, mark: 0 };
  assertEquals(hasOthers({ ...rest, peers: [server] }), false);
  assertEquals(hasOthers({ ...rest, peers: [server, peerOf("192.0.2.2", "fe80::7/128")] }), true);
});
