import { assertEquals, assertMatch } from "@std/assert";
import { besideServer, explainHidden } from "../../../lib/core/ask/server_network.ts";
import { parseHostPort } from "../../../lib/core/net/host_port.ts";
import { test } from "../../testing.ts";

const PUBLIC = "203.0.113.10";

/** The addresses of peers as they are taken from a server. */
function taken(server: string | undefined, ...addresses: string[]): string[] {
  const peers = addresses.map((address, i) => ({ publicKey: `${i}`, address, port: 51820 }));
  return besideServer(peers, server, "own").map(({ address }) => address);
}

test("a peer on the server's own host is at the server's address", () => {
  assertEquals(taken(PUBLIC, "127.0.0.1", "127.0.1.1", "::1"), [PUBLIC, PUBLIC, PUBLIC]);
  assertEquals(taken("192.168.1.9", "127.0.0.1"), ["192.168.1.9"]);
  assertEquals(taken("2001:db8::1", "127.0.0.1"), ["2001:db8::1"]);
});

test("a peer in the server's own network may be there, too", () => {
  for (const address of ["10.0.0.4", "172.17.0.1", "192.168.1.5", "100.64.0.1", "fd00::1"]) {
    assertEquals(taken(PUBLIC, address), [address, PUBLIC]);
  }
});

test("nothing is added to a public peer, for a server in the same network, or on the same host", () => {
  assertEquals(taken(PUBLIC, "198.51.100.1", "172.32.0.1"), ["198.51.100.1", "172.32.0.1"]);
  assertEquals(taken("192.168.1.9", "10.0.0.4"), ["10.0.0.4"]);
  assertEquals(taken("127.0.0.1", "127.0.0.1", "10.0.0.4"), ["127.0.0.1", "10.0.0.4"]);
  assertEquals(taken(undefined, "127.0.0.1"), ["127.0.0.1"]);
});

test("the own record stays what it is", () => {
  const own = { publicKey: "own", address: "127.0.0.1" };
  assertEquals(besideServer([own], PUBLIC, "own"), [own]);
});

test("a private own endpoint that a public server sees is said, and no other", () => {
  const why = (server: string | undefined, own: string) =>
    explainHidden("vps.example:1223", server, parseHostPort(own));
  for (const own of ["172.17.0.1:40000", "10.9.0.2:51820", "127.0.0.1:5"]) {
    assertMatch(why(PUBLIC, own) ?? "", /^vps\.example:1223 sees this peer at 1[\d.]+:\d+, where /);
  }
  assertEquals(why(PUBLIC, "203.0.113.21:51820"), undefined);
  assertEquals(why("192.168.1.9", "192.168.1.5:51820"), undefined);
  assertEquals(why("127.0.0.1", "127.0.0.1:51820"), undefined);
  assertEquals(why(undefined, "10.0.0.1:51820"), undefined);
});
