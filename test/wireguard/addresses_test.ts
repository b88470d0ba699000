/** Addresses and routes through `ip`: what is asked of it, and what is made of what it says. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/core/settings/user_error.ts";
import type { RunResult } from "../../lib/host/processes.ts";
import {
  addAddress,
  addRoute,
  anycastBy,
  findRouteInto,
  readIpv6Routes,
  readLink,
  readOtherNetworks,
  removeAddress,
  removeRoute,
} from "../../lib/wireguard/addresses.ts";
import { DONE, MemoryHost } from "../support/memory_host.ts";

/** A host whose `ip` says this, by its arguments; else nothing. */
function hostWith(answers: Readonly<Record<string, string | RunResult>>): MemoryHost {
  return new MemoryHost({
    run: ([, ...args]) => {
      const answer = answers[args.join(" ")] ?? DONE;
      return typeof answer === "string" ? { ...DONE, out: answer } : answer;
    },
  });
}

function failing(err: string): RunResult {
  return { code: 2, out: "", err };
}

const ADDR = "-o addr show dev wg0";

Deno.test("an interface is read with its number and its addresses", async () => {
  const host = hostWith({
    [ADDR]: `3: wg0    inet 10.20.0.1/24 scope global wg0\\       valid_lft forever
3: wg0    inet 10.9.0.1 peer 10.9.0.2/32 scope global wg0\\       valid_lft forever
12: wg0    inet6 fd00:20::1/64 scope global \\       valid_lft forever preferred_lft forever
3: wg0    inet6 fe80:: scope link \\       valid_lft forever preferred_lft forever
`,
  });
  assertEquals(await readLink(host, "wg0"), {
    index: 3,
    addresses: ["10.20.0.1/24", "10.9.0.1/32", "fd00:20::1/64", "fe80::/128"],
  });
  const none = { index: undefined, addresses: [] };
  assertEquals(await readLink(hostWith({}), "wg0"), none);
  const gone = failing('Device "wg0" does not exist.\n');
  assertEquals(await readLink(hostWith({ [ADDR]: gone }), "wg0"), none);
});

Deno.test("the networks of other interfaces are read, the other ends of lines, and gateways", async () => {
  const host = hostWith({
    "-o addr show": `1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever
2: eth0    inet 192.168.1.7/24 brd 192.168.1.255 scope global eth0\\       valid_lft forever
2: eth0    inet6 2001:db8:1::7/64 scope global \\       valid_lft forever
2: eth0    inet6 fe80::1234/64 scope link \\       valid_lft forever
3: ppp0    inet 100.64.0.7 peer 100.64.0.1/32 scope global ppp0\\       valid_lft forever
12: wg0    inet 10.20.0.1/24 scope global wg0\\       valid_lft forever
13: wg0x    inet 10.30.0.1/24 scope global wg0x\\       valid_lft forever
`,
    "-4 route show default": "default via 172.31.1.1 dev eth0 onlink\ndefault dev wg0 metric 9\n",
    "-6 route show default": "default via fe80::1 dev eth0\ndefault via 2001:db8::1 dev eth1\n",
  });
  assertEquals(await readOtherNetworks(host, "wg0"), [
    ...["192.168.1.7/24", "2001:db8:1::7/64", "100.64.0.7", "100.64.0.1/32", "10.30.0.1/24"],
    ...["172.31.1.1", "2001:db8::1"],
  ]);
  assertEquals(await readOtherNetworks(hostWith({}), "wg0"), []);
});

Deno.test("the route to a prefix is found where it leads into the interface", async () => {
  const host = hostWith({
    "-4 route get 10.9.0.2": "10.9.0.2 dev wg0 src 10.9.0.1 uid 0 \n    cache \n",
    "-4 route get 192.168.20.1": "192.168.20.1 via 192.168.1.1 dev eth0 src 192.168.1.7 uid 0\n",
    "-4 route get 10.8.0.1": "10.8.0.1 dev wg01 src 10.9.0.1\n",
    "-6 route get fd00::1":
      "fd00::1 from :: dev wg0 table 51820 src fd00::7 metric 1024 pref medium\n",
    "-4 route get 0.0.0.1": failing("RTNETLINK answers: Network is unreachable\n"),
  });
  const into = async (prefix: string) => await findRouteInto(host, "wg0", prefix) !== undefined;
  const prefixes = ["10.9.0.2/32", "fd00::/64", "192.168.20.0/24", "10.8.0.0/16", "0.0.0.0/0"];
  assertEquals(await Promise.all(prefixes.map(into)), [true, true, false, false, false]);
});

Deno.test("IPv6 routes are read as prefixes", async () => {
  const host = hostWith({
    "-6 route show dev wg0": "default metric 1024 pref medium\nfe80:: proto kernel metric 256\n" +
      "fe80::a metric 1024\nfd00:20::/64 proto kernel metric 256 pref medium\n\n",
  });
  assertEquals(await readIpv6Routes(host, "wg0"), [
    "::/0",
    "fe80::/128",
    "fe80::a/128",
    "fd00:20::/64",
  ]);
});

Deno.test("what is done already is no error, and anything else is one", async () => {
  const calls: readonly (readonly [string, (host: MemoryHost) => Promise<unknown>])[] = [
    ["addr add 10.0.0.1/32 dev wg0", (host: MemoryHost) => addAddress(host, "wg0", "10.0.0.1/32")],
    [
      "addr del fd00::1/128 dev wg0",
      (host: MemoryHost) => removeAddress(host, "wg0", "fd00::1/128"),
    ],
    ["-4 route add 10.0.0.0/8 dev wg0", (host: MemoryHost) => addRoute(host, "wg0", "10.0.0.0/8")],
    ["-6 route del fd00::/64 dev wg0", (host: MemoryHost) => removeRoute(host, "wg0", "fd00::/64")],
  ];
  for (const [command, call] of calls) {
    const host = hostWith({});
    await call(host);
    assertEquals(host.events, [`ip ${command}`]);
    const harmless = / add /.test(command)
      ? ["RTNETLINK answers: File exists\n", "Error: ipv4: Address already assigned.\n"]
      : [
        "RTNETLINK answers: Cannot assign requested address\n",
        "RTNETLINK answers: No such process\n",
        "Error: ipv6: address not found.\n",
        'Cannot find device "wg0"\n',
      ];
    for (const err of harmless) await call(hostWith({ [command]: failing(err) }));
    for (const err of ["RTNETLINK answers: Operation not permitted\n", "Error: what?\n"]) {
      const error = await assertRejects(
        () => call(hostWith({ [command]: failing(err) })),
        UserError,
        `ip ${command}: ${err.trim()}`,
      );
      assert(error instanceof UserError);
      assertEquals(
        error.message.endsWith("; run this as root, or with CAP_NET_ADMIN"),
        /perm/.test(err),
      );
    }
    const missing = await assertRejects(() => call(new MemoryHost()), UserError);
    assert(missing instanceof UserError);
    assertEquals(missing.message, "cannot run ip: no such file or directory; install iproute2");
  }
});

Deno.test("a route that was there before is told from a new one", async () => {
  assertEquals(await addRoute(hostWith({}), "wg0", "10.0.0.0/8"), true);
  const exists = { "-4 route add 10.0.0.0/8 dev wg0": failing("RTNETLINK answers: File exists\n") };
  assertEquals(await addRoute(hostWith(exists), "wg0", "10.0.0.0/8"), false);
});

Deno.test("routes that go with the last IPv4 address are put back, but for its own", async () => {
  const before = `10.16.0.0/12 scope link 
default table 51820 scope link linkdown 
10.50.0.0/16 scope link src 10.20.0.5 
local 10.20.0.5 table local proto kernel scope host src 10.20.0.5 
10.60.0.0/16 via 10.16.0.1 
`;
  let out = before;
  const host = new MemoryHost({
    run: (argv) => {
      if (argv.includes("del")) out = "10.60.0.0/16 via 10.16.0.1 \n";
      return { ...DONE, out: argv.includes("show") ? out : "" };
    },
  });
  await removeAddress(host, "wg0", "10.20.0.5/32");
  assertEquals(host.events, [
    "ip -4 route show table all dev wg0",
    "ip addr del 10.20.0.5/32 dev wg0",
    "ip -4 route show table all dev wg0",
    "ip -4 route add 10.16.0.0/12 scope link dev wg0",
    "ip -4 route add default table 51820 scope link dev wg0",
  ]);
});

Deno.test("an address is anycast where a router has another one of its prefix", async () => {
  const addresses = ["10.0.0.0/24", "fe80::/128", "fe80::1:2/64", "fe81::1/64", "fe80::1/127"];
  const local = "-6 route show table local dev wg0";
  const anycast = hostWith({ [local]: "anycast fe80:: proto kernel metric 0\nlocal fe80::1:2\n" });
  assertEquals(await anycastBy(anycast, "wg0", "fe80::", addresses), ["fe80::1:2/64"]);
  const plain = hostWith({ [local]: "local fe80:: proto kernel metric 0\n" });
  assertEquals(await anycastBy(plain, "wg0", "fe80::", addresses), []);
  // Nothing is asked where no address could do that.
  const none = hostWith({});
  assertEquals(await anycastBy(none, "wg0", "fe80::", ["fe80::/128", "fd00::1/64"]), []);
  assertEquals(none.events, []);
});
