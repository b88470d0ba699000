import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import {
  explainUnreachable,
  judgeNat,
  natKindOf,
  type NatVerdict,
} from "../../../lib/core/ask/nat_verdict.ts";
import { test } from "../../testing.ts";

const LOCAL = ["127.0.0.1", "192.168.1.2", "2001:db8::2"];
const PORT = 51820;

function seen(host: string, port: number): HostPort {
  return { host, port };
}

function judge(...endpoints: readonly HostPort[]): NatVerdict {
  return judgeNat(PORT, LOCAL, endpoints);
}

test("the same endpoint to all is an easy NAT", () => {
  const { nat, portPreserved, meaning } = judge(
    seen("203.0.113.1", 40000),
    seen("203.0.113.1", 40000),
  );
  assertEquals([nat, portPreserved], ["easy", false]);
  assertMatch(meaning, /^easy NAT: /);
  const preserved = judge(seen("203.0.113.1", PORT), seen("203.0.113.1", PORT));
  assertEquals([preserved.nat, preserved.portPreserved], ["easy", true]);
});

test("another port or address to one of them is a hard NAT, or one that counts", () => {
  const first = seen("203.0.113.1", PORT);
  for (
    const [other, kind] of [
      [seen("203.0.113.1", 40000), "hard"],
      [seen("203.0.113.2", PORT), "hard"],
      [seen("203.0.113.1", PORT + 1), "sequential"],
    ] as const
  ) {
    assertEquals(judge(first, other).nat, kind);
    assertEquals(judge(first, first, other).nat, kind);
    assertEquals(judge(first, other).portPreserved, other.port === PORT);
    assertEquals(judge(first, other).meaning.split(":")[0], `${kind} NAT`);
  }
});

test("an own address with the own port is no NAT", () => {
  const own = seen("192.168.1.2", PORT);
  assertEquals(judge(own, own).nat, "easy");
  assertMatch(judge(own, own).meaning, /^no NAT: /);
  const otherPort = seen("192.168.1.2", 40000);
  assertMatch(judge(otherPort, otherPort).meaning, /^easy NAT: /);
});

test("one sighting is too little", () => {
  assertThrows(() => judge(seen("203.0.113.1", PORT)), RangeError, "two registries");
  assertThrows(() => judge(), RangeError, "two registries");
});

test("who can't reach a peer is told what helps, by the own kind of NAT", () => {
  const first = seen("203.0.113.1", PORT);
  const hard = explainUnreachable(judge(first, seen("203.0.113.1", 40000)));
  assertMatch(hard, /^the NAT on this side is hard: /);
  const counts = explainUnreachable(judge(first, seen("203.0.113.1", PORT + 1)));
  assertMatch(counts, /^the NAT on this side is sequential: /);
  const open = explainUnreachable(judge(first, first));
  assertMatch(open, /^not for the NAT on this side, which is easy: the peer's is hard/);
  const unknown = explainUnreachable(undefined);
  assertMatch(unknown, /name a second server/);
  for (const hint of [hard, counts, open, unknown]) assertMatch(hint, /route through a hub$/);
});

test("what peers are told of a NAT follows from the ports that were seen in turn", () => {
  const kind = (...ports: readonly number[]) =>
    natKindOf(PORT, LOCAL, ports.map((port) => seen("203.0.113.1", port)));
  assertEquals([kind(), kind(40000), kind(PORT)], ["unknown", "unknown", "unknown"]);
  assertEquals([kind(40000, 40000), kind(PORT, PORT, PORT)], ["easy", "easy"]);
  assertEquals([kind(40000, 40001), kind(40000, 40002, 40034)], ["sequential", "sequential"]);
  // One that maps by address alone gives the same port to two ports of a registry.
  assertEquals(kind(40000, 40000, 40001), "sequential");
  assertEquals([kind(40000, 40033), kind(40001, 40000)], ["hard", "hard"]);
  assertEquals(kind(40000, 40001, 52000), "hard");
});

test("without a NAT one look is enough, and behind several addresses nothing can be foretold", () => {
  assertEquals(natKindOf(PORT, LOCAL, [seen("2001:db8::2", PORT)]), "easy");
  assertEquals(natKindOf(PORT, LOCAL, [seen("2001:db8::2", PORT + 1)]), "unknown");
  const two = [seen("203.0.113.1", PORT), seen("203.0.113.2", PORT)];
  assertEquals(natKindOf(PORT, LOCAL, two), "hard");
});
