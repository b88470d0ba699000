/** What an interface lacks before lease clients can reach the server. */

import { assertEquals } from "@std/assert";
import { PeerIndex } from "../../../../lib/core/lease/server/peer_index.ts";
import { type LeaseLink, SetupCheck } from "../../../../lib/core/lease/server/setup.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { idOf } from "../../../support/fake_random.ts";
import { test } from "../../../testing.ts";

const WELL: LeaseLink = { addresses: ["fe80::/128"], routes: ["fe80::/64"], shadows: [] };
const ROUTES = ["fe80::1/128", "fe80::2/128"];

/** An index of peers with these identities. */
function peersAt(...addresses: string[]): PeerIndex {
  const index = new PeerIndex();
  update(index, ...addresses);
  return index;
}

function update(index: PeerIndex, ...addresses: string[]): void {
  const lines = addresses.map((address, i) =>
    `${formatKey(idOf(i))}\t(none)\t(none)\t${address}/128\t0\t0\t0\toff\n`
  );
  for (const _ of index.update(`(none)\t(none)\t51820\toff\n${lines.join("")}`));
}

function commands(check: SetupCheck, link: Partial<LeaseLink>): string[] {
  return check.missing({ ...WELL, ...link }).map(({ command, needed }) =>
    `${command.replace(/^ip -6 /, "").replace(/ dev wg0$/, "")}${needed ? "" : " (some)"}`
  );
}

test("an interface that has the address and a way to all clients lacks nothing", () => {
  const check = new SetupCheck("wg0", peersAt("fe80::1", "fe80::2"));
  assertEquals(commands(check, {}), []);
  for (const route of ["fe80::/10", "::/0"]) assertEquals(commands(check, { routes: [route] }), []);
  assertEquals(commands(check, { routes: ROUTES }), []);
  assertEquals(commands(check, { addresses: ["10.0.0.1/24", "fe80::/64"] }), []);
});

test("the address is needed; a route is for some clients", () => {
  const check = new SetupCheck("wg0", peersAt("fe80::2", "fe80::1"));
  const add = "addr add fe80::/128";
  assertEquals(commands(check, { addresses: [] }), [add]);
  assertEquals(commands(check, { addresses: ["fe80::1/128"] }), [add]);
  const [first, second] = ROUTES.map((route) => `route add ${route} (some)`);
  assertEquals(commands(check, { routes: [] }), [first!, second!]);
  assertEquals(commands(check, { routes: [ROUTES[0]!] }), [second!]);
  assertEquals(commands(check, { addresses: [], routes: ROUTES.slice(1) }), [add, first!]);
});

test("an address that makes the server's an anycast one goes, with its route", () => {
  const check = new SetupCheck("wg0", peersAt("fe80::1"));
  const route = "route add fe80::1/128 (some)";
  const shadows = ["fe80::/64"];
  assertEquals(commands(check, { addresses: shadows, shadows }), [
    "addr del fe80::/64",
    "addr add fe80::/128",
    route,
  ]);
  // One that stands beside it has shadowed it: it has to be added anew.
  const other = ["fe80:0:0:0::/64"];
  assertEquals(commands(check, { addresses: ["fe80::/128", ...other], shadows: other }), [
    "addr del fe80:0:0:0::/64",
    "addr del fe80::/128",
    "addr add fe80::/128",
    route,
  ]);
});

test("for many clients there is one route, and what was found out holds until peers change", () => {
  const many = Array.from({ length: 17 }, (_, i) => `fe80::${i + 1}`);
  const index = peersAt(...many.slice(1));
  const check = new SetupCheck("wg0", index);
  assertEquals(commands(check, { routes: [] }).length, 16);
  update(index, ...many);
  assertEquals(commands(check, { routes: [] }), ["route add fe80::/10 (some)"]);
  assertEquals(commands(check, { routes: many.map((each) => `${each}/128`) }), []);
  update(index, many[3]!);
  assertEquals(commands(check, { routes: [] }), ["route add fe80::4/128 (some)"]);
});
