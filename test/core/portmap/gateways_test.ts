import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { findGateways, type Gateway, isNear } from "../../../lib/core/portmap/gateways.ts";
import { test } from "../../testing.ts";

const HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
const TAIL = "0\t0\t0\n";

/** A line of /proc/net/route, with addresses of a little-endian machine. */
function route(
  name: string,
  to: string,
  gateway: string,
  flags: string,
  metric: number,
  mask: string,
) {
  return `${name}\t${to}\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t${TAIL}`;
}

const ETH0 = route("eth0", "0001A8C0", "00000000", "0001", 100, "00FFFFFF");
const DEFAULT = route("eth0", "00000000", "0101A8C0", "0003", 100, "00000000");
const NEAR = { near: ["192.168.1.0/24"], family: 4 } as const;
const FOUND: Gateway = { ...NEAR, address: "192.168.1.1", from: "192.168.1.2" };

function ipv4(routes: string, addresses = ["127.0.0.1", "192.168.1.2", "10.9.0.1"]) {
  return findGateways(HEAD + routes, "", addresses, true);
}

test("gateways: that of the default route, seen from the address on its link", () => {
  assertEquals(ipv4(DEFAULT + ETH0), [FOUND]);
  assertEquals(ipv4(ETH0), []);
  assertEquals(ipv4(DEFAULT + ETH0, ["10.9.0.1"]), [{ ...FOUND, from: "0.0.0.0" }]);
  const swap = (text: string) =>
    text.replace("0001A8C0", "C0A80100").replace("0101A8C0", "C0A80101");
  const big = HEAD + swap(DEFAULT) + swap(ETH0).replace("00FFFFFF", "FFFFFF00");
  assertEquals(findGateways(big, "", ["192.168.1.2"], false), [FOUND]);
});

test("gateways: of several default routes the one with the least metric, and the first of two", () => {
  const wlan = route("wlan0", "0002A8C0", "00000000", "0001", 600, "00FFFFFF") +
    route("wlan0", "00000000", "0102A8C0", "0003", 600, "00000000");
  assertEquals(ipv4(wlan + DEFAULT + ETH0), [FOUND]);
  const other = wlan.replaceAll("\t600\t", "\t50\t");
  assertEquals(ipv4(DEFAULT + ETH0 + other)[0]?.address, "192.168.2.1");
  assertEquals(ipv4(DEFAULT + ETH0 + wlan.replaceAll("\t600\t", "\t100\t")), [FOUND]);
});

test("gateways: routes that are down, rejected, into a tunnel or to a half of the world are none", () => {
  for (
    const line of [
      route("eth0", "00000000", "0101A8C0", "0002", 0, "00000000"),
      route("eth0", "00000000", "0101A8C0", "0203", 0, "00000000"),
      route("wg0", "00000000", "00000000", "0001", 0, "00000000"),
      route("eth0", "00000000", "0101A8C0", "0003", 0, "00000080"),
      route("eth0", "00000000", "0101A8C0", "0003", 0, "nonsense"),
      route("eth0%x", "00000000", "0101A8C0", "0003", 0, "00000000"),
      "eth0\t00000000\n",
    ]
  ) assertEquals(ipv4(line + ETH0), [], line);
});

const IPV6_LINK = "20010db8000100000000000000000000 40 00000000000000000000000000000000 00 " +
  "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n";
const IPV6_LOCAL = IPV6_LINK.replace("20010db80001", "fe8000000000");
const IPV6_DEFAULT = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 " +
  "fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n";

test("gateways: over IPv6 from the address that others reach, with the scope of a link-local one", () => {
  const addresses = ["::1", "fe80::2", "fd00::2", "2001:db8:1::2"];
  const found = (routes: string, own = addresses) => findGateways("", routes, own);
  assertEquals(found(IPV6_DEFAULT + IPV6_LOCAL + IPV6_LINK), [{
    family: 6,
    address: "fe80::1%eth0",
    from: "2001:db8:1::2",
    near: ["fe80::/64", "2001:db8:1::/64"],
  }]);
  assertEquals(found(IPV6_DEFAULT + IPV6_LOCAL), []);
  assertEquals(found(IPV6_LINK), []);
  assertEquals(found(IPV6_DEFAULT.replace("00000003  ", "00200203  ") + IPV6_LINK), []);
});

test("gateways: near is what is private and on the link, and never what is public", () => {
  const gateway =
    ipv4(DEFAULT + ETH0 + route("eth0", "0000A8CB", "00000000", "0001", 0, "0000FFFF"))[0];
  for (
    const [host, expected] of [
      ["192.168.1.9", true],
      ["192.168.2.9", false],
      ["203.168.0.1", false],
      ["127.0.0.1", false],
      ["0.0.0.0", false],
      ["x", false],
    ] as const
  ) assertEquals(gateway && isNear(gateway, host), expected, host);
});

test("gateways: any text is read", () => {
  const column = fc.constantFrom(
    "eth0",
    "00000000",
    "0101A8C0",
    "0003",
    "x",
    "0".repeat(32),
    "40",
    "",
  );
  const lines = fc.array(fc.array(column, { maxLength: 12 }).map((each) => each.join(" ")));
  fc.assert(fc.property(lines, fc.string(), (lines, text) => {
    for (const each of [lines.join("\n"), text]) {
      for (const { family } of findGateways(each, each, ["192.168.1.2", "x"], true)) {
        assertEquals(family === 4 || family === 6, true);
      }
    }
  }));
});
