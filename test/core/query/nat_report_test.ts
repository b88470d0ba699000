import { assertEquals } from "@std/assert";
import type { PortSight } from "../../../lib/core/ask/nat_verdict.ts";
import { type HostPort, parseHostPort } from "../../../lib/core/net/host_port.ts";
import { type NatReport, reportNat } from "../../../lib/core/query/nat_report.ts";
import type { ServerOutcome } from "../../../lib/core/query/query_result.ts";
import { test } from "../../testing.ts";

const PORT = 51820;
const LOCAL = ["127.0.0.1", "192.168.1.2", "fd00::2"];
const [FIRST, SECOND] = ["198.51.100.1", "198.51.100.2"];

function place(text: string): HostPort {
  const place = parseHostPort(text);
  if (place === undefined) throw new TypeError(`Not an endpoint: ${text}`);
  return place;
}

/** What a registry's ports saw: which was asked, when, and where it saw the own port. */
function outcome(
  ...sights: readonly (readonly [registry: string, askedAt: number, seen: string])[]
): ServerOutcome {
  return {
    server: "registry.example:1223",
    status: "ok",
    received: 1,
    expected: 1,
    ownEndpoint: undefined,
    sights: sights.map(([registry, askedAt, seen]): PortSight => ({
      server: registry,
      registry: place(registry),
      seen: place(seen),
      askedAt,
    })),
  };
}

function report(...servers: readonly ServerOutcome[]): NatReport {
  return reportNat({ port: PORT, localAddresses: LOCAL, servers, mapsPorts: false });
}

function reaches({ reaches }: NatReport): string {
  return reaches.map(([peer, means]) => `${peer} ${means ?? "?"}`).join(", ");
}

test("the steps of a NAT that counts are seen in the order of asking, each destination once", () => {
  // Both names are of one registry, whose ports were asked in turns.
  const counted = report(
    outcome([`${FIRST}:1223`, 1, "203.0.113.1:30000"], [`${FIRST}:1224`, 3, "203.0.113.1:30001"]),
    outcome([`${FIRST}:1224`, 2, "203.0.113.1:30001"], [`${FIRST}:1225`, 4, "203.0.113.1:30004"]),
    outcome([`${SECOND}:1223`, 5, "203.0.113.1:30005"]),
  );
  assertEquals([counted.isPresent, counted.kind], [true, "sequential"]);
  assertEquals(counted.steps, [1, 3, 1]);
  assertEquals(counted.portPreserved, false);
  assertEquals(
    reaches(counted),
    "lan direct, ipv6 relay, open direct, easy predicted, sequential predicted, hard relay",
  );
});

test("a NAT that maps alike for all is punched, whatever the other counts or draws", () => {
  const easy = report(
    outcome([`${FIRST}:1223`, 1, `203.0.113.1:${PORT}`], [
      `${FIRST}:1224`,
      2,
      `203.0.113.1:${PORT}`,
    ]),
  );
  assertEquals([easy.isPresent, easy.kind, easy.steps], [true, "easy", [0]]);
  assertEquals(easy.portPreserved, true);
  assertEquals(
    reaches(easy),
    "lan direct, ipv6 relay, open direct, easy punched, sequential predicted, hard guessed",
  );
});

test("a NAT that draws ports at random needs guesses, or the relay", () => {
  const hard = report(
    outcome([`${FIRST}:1223`, 1, "203.0.113.1:40000"], [`${FIRST}:1224`, 2, "203.0.113.1:9000"]),
  );
  assertEquals([hard.isPresent, hard.kind], [true, "hard"]);
  assertEquals(
    reaches(hard),
    "lan direct, ipv6 relay, open direct, easy guessed, sequential relay, hard relay",
  );
});

test("who is not behind a NAT, or has ports forwarded, is reached by all; one look is enough", () => {
  const open = "lan direct, ipv6 relay, open direct, easy direct, sequential direct, hard direct";
  const none = report(outcome([`${FIRST}:1223`, 1, `192.168.1.2:${PORT}`]));
  assertEquals([none.isPresent, none.kind, none.steps], [false, "easy", []]);
  assertEquals(reaches(none), open);
  const servers = [outcome([`${FIRST}:1223`, 1, "203.0.113.1:40000"])];
  const mapped = reportNat({ port: PORT, localAddresses: LOCAL, servers, mapsPorts: true });
  assertEquals(mapped.kind, "unknown");
  assertEquals(reaches(mapped), open);
});

test("what one port alone saw says nothing of the NAT", () => {
  const one = report(outcome([`${FIRST}:1223`, 1, "203.0.113.1:40000"]));
  assertEquals([one.isPresent, one.kind, one.meaning], [true, "unknown", undefined]);
  assertEquals(reaches(one), "lan direct, ipv6 relay, open direct, easy ?, sequential ?, hard ?");
});

test("IPv6 counts where it is public, and is told apart from what the NAT of IPv4 does", () => {
  const over = (...local: readonly string[]) => (...servers: readonly ServerOutcome[]) =>
    reportNat({ port: PORT, localAddresses: local, servers, mapsPorts: false });
  const seen = over("2001:db8::2")(outcome(["[2001:db8::53]:1223", 1, `[2001:db8::2]:${PORT}`]));
  assertEquals([seen.ipv6, seen.isIpv6Seen, seen.isPresent], ["2001:db8::2", true, undefined]);
  assertEquals([seen.portPreserved, seen.steps], [undefined, []]);
  assertEquals(
    reaches(seen),
    "lan direct, ipv6 direct, open relay, easy relay, sequential relay, hard relay",
  );
  const unseen = over("2001:db8::2")(outcome([`${FIRST}:1223`, 1, "203.0.113.1:40000"]));
  assertEquals([unseen.ipv6, unseen.isIpv6Seen], ["2001:db8::2", false]);
  assertEquals(report(outcome()).ipv6, undefined);
});
