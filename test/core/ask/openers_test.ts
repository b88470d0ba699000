import { assert, assertEquals } from "@std/assert";
import { chooseOpeners } from "../../../lib/core/ask/openers.ts";
import { test } from "../../testing.ts";

function at(address: string, ports: number): { address: string; port: number }[] {
  return Array.from({ length: ports }, (_, i) => ({ address, port: 1 + i }));
}

test("each endpoint gets one datagram", () => {
  const peers = [...at("192.0.2.1", 3), ...at("192.0.2.2", 1), ...at("192.0.2.1", 2)];
  assertEquals(chooseOpeners(peers, 5), peers.slice(0, 4));
});

test("one address gets few, whatever is claimed, and each of its peers has its turn", () => {
  const peers = [...at("192.0.2.1", 990), ...at("192.0.2.2", 1)];
  const ports = new Set<number>();
  for (let turn = 0; turn < 62; turn++) {
    const chosen = chooseOpeners(peers, turn);
    assertEquals(chosen.length, 17);
    assert(chosen.some(({ address }) => address === "192.0.2.2"));
    for (const { address, port } of chosen) if (address === "192.0.2.1") ports.add(port);
  }
  assertEquals(ports.size, 990);
});

test("a round has 1000 datagrams at most, and each address its turn", () => {
  const peers = Array.from(
    { length: 2500 },
    (_, i) => ({ address: `10.0.${i >> 8}.${i & 255}`, port: 1 }),
  );
  const opened = new Set<string>();
  for (let turn = 0; turn < 3; turn++) {
    const chosen = chooseOpeners(peers, turn);
    assertEquals(chosen.length, 1000);
    for (const { address } of chosen) opened.add(address);
  }
  assertEquals(opened.size, 2500);
});
