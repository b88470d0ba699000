import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import type { Device } from "../../../lib/core/net/device.ts";
import { parseAllowedIps, parseDump } from "../../../lib/core/net/wg_dump.ts";
import { idOf } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

// As `wg show wg0 dump` of wireguard-tools 1.0.20210914 printed them; the keys are thrown away.
const PRIVATE = "2N8Q3yVcRTHJVIv7CJBhXs7Vp7mhTGBVdMcQFcZ6t2s=";
const PUBLIC = "MXjVufD836NOiHz1eIC06rGeS3qVxCDFKe+DcKdPCQM=";
const PRESHARED = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
const PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const OTHER = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

const INTERFACE = [PRIVATE, PUBLIC, "51820", "off"];
const MET = [
  PEER,
  "(none)",
  "192.0.2.7:41641",
  "10.0.0.2/32,fd00::2/128,192.168.7.0/24",
  "1700000000",
  "1480",
  "92",
  "25",
];
const NEVER_MET = [OTHER, PRESHARED, "(none)", "(none)", "0", "0", "0", "off"];

function dumpOf(...lines: readonly (readonly string[])[]): string {
  return lines.map((fields) => `${fields.join("\t")}\n`).join("");
}

/** Fields with one of them replaced. */
function replaced(fields: readonly string[], at: number, text: string): string[] {
  return fields.map((field, i) => i === at ? text : field);
}

function peerWith(at: number, text: string) {
  const [peer] = parseDump(dumpOf(INTERFACE, replaced(MET, at, text))).peers;
  assert(peer !== undefined);
  return peer;
}

test("an interface with two peers", () => {
  const expected: Device = {
    publicKey: PUBLIC,
    listenPort: 51820,
    mark: 0,
    peers: [
      {
        publicKey: PEER,
        endpoint: { host: "192.0.2.7", port: 41641 },
        allowedIps: ["10.0.0.2/32", "fd00::2/128", "192.168.7.0/24"],
        latestHandshake: 1_700_000_000,
        received: 1480,
        sent: 92,
        persistentKeepalive: 25,
      },
      {
        publicKey: OTHER,
        endpoint: undefined,
        allowedIps: [],
        latestHandshake: 0,
        received: 0,
        sent: 0,
        persistentKeepalive: 0,
      },
    ],
  };
  assertEquals(parseDump(dumpOf(INTERFACE, MET, NEVER_MET)), expected);
});

test("an interface that has just been made has no key and no peers", () => {
  assertEquals(parseDump("(none)\t(none)\t49285\toff\n"), {
    publicKey: undefined,
    listenPort: 49285,
    mark: 0,
    peers: [],
  });
  assertEquals(parseDump("(none)\t(none)\t0\toff\n").listenPort, 0);
});

test("the mark is written in hexadecimal digits", () => {
  assertEquals(parseDump(dumpOf(replaced(INTERFACE, 3, "0xca6c"))).mark, 51820);
  assertEquals(parseDump(dumpOf(replaced(INTERFACE, 3, "0xffffffff"))).mark, 0xffff_ffff);
});

test("endpoints of IPv6 stand in brackets, those of a link with its name", () => {
  assertEquals(peerWith(2, "[2001:db8::7]:41641").endpoint, { host: "2001:db8::7", port: 41641 });
  assertEquals(peerWith(2, "[fe80::1%eth0]:1").endpoint, { host: "fe80::1%eth0", port: 1 });
  assertEquals(peerWith(2, "(none)").endpoint, undefined);
});

test("counts of long-lived tunnels are exact", () => {
  const peer = peerWith(5, "4503599627370497");
  assertEquals(peer.received, 2 ** 52 + 1);
});

test("what nobody else may know is not in the result", () => {
  const lines = [INTERFACE, replaced(MET, 1, PRESHARED), NEVER_MET];
  const text = JSON.stringify(parseDump(dumpOf(...lines)));
  assert(text.includes(PUBLIC) && text.includes(PEER));
  for (const secret of [PRIVATE, PRESHARED]) assert(!text.includes(secret), secret);
});

/** Checks that a text is refused, and that the error quotes no key. */
function refused(text: string): void {
  const error = assertThrows(() => parseDump(text), SyntaxError);
  assert(error instanceof SyntaxError);
  for (const key of [PRIVATE, PRESHARED]) assert(!error.message.includes(key), error.message);
}

test("what is no dump is refused", () => {
  refused("");
  refused("\n");
  refused("interface: wg0\n  public key: (hidden)\n");
  refused(dumpOf(["wg0", ...INTERFACE]));
  refused(dumpOf(INTERFACE.slice(1)));
  refused(dumpOf(MET));
  refused(dumpOf(INTERFACE, INTERFACE));
  refused(dumpOf(INTERFACE, MET.slice(1)));
  refused(dumpOf(INTERFACE, [...MET, "new"]));
});

test("numbers and keys that are none are refused", () => {
  for (const wrong of ["", " ", "x", "-1", "1.5", "0x", "1e400", "9007199254740993"]) {
    for (const at of [2, 3]) refused(dumpOf(replaced(INTERFACE, at, wrong)));
    for (const at of [4, 5, 6, 7]) refused(dumpOf(INTERFACE, replaced(MET, at, wrong)));
  }
  for (const wrong of ["", "(none)", "x", PEER.slice(1), `${PEER}=`]) {
    refused(dumpOf(INTERFACE, replaced(MET, 0, wrong)));
  }
});

test("an endpoint in a form that is not known counts as none", () => {
  for (const odd of ["", "192.0.2.7", "192.0.2.7:99999", "2001:db8::7:5", "[]:5"]) {
    assertEquals(peerWith(2, odd).endpoint, undefined, odd);
  }
});

test("no text makes it throw anything but a SyntaxError", () => {
  const field = fc.oneof(
    fc.constantFrom(...INTERFACE, ...MET, ...NEVER_MET, "", "0x5"),
    fc.string(),
  );
  const line = fc.array(field, { minLength: 3, maxLength: 9 }).map((fields) => fields.join("\t"));
  const text = fc.oneof(fc.string(), fc.array(line).map((lines) => lines.join("\n")));
  const tail = fc.tuple(fc.constant(`${INTERFACE.join("\t")}\n`), text).map((all) => all.join(""));
  fc.assert(fc.property(fc.oneof(text, tail), (text) => {
    try {
      parseDump(text);
    } catch (error) {
      assert(error instanceof SyntaxError);
    }
  }));
});

test("any interface is read as it was written", () => {
  const port = fc.integer({ min: 1, max: 0xffff });
  const peer = fc.record({
    endpoint: fc.option(fc.record({ host: fc.ipV4(), port }), { nil: undefined }),
    allowedIps: fc.array(fc.ipV4().map((ip) => `${ip}/32`)),
    latestHandshake: fc.maxSafeNat(),
    received: fc.maxSafeNat(),
    sent: fc.maxSafeNat(),
    persistentKeepalive: fc.nat(0xffff),
  });
  fc.assert(
    fc.property(fc.array(peer), port, fc.nat(0xffff_ffff), (peers, listenPort, mark) => {
      const keyed = peers.map((peer, i) => ({ publicKey: formatKey(idOf(i)), ...peer }));
      const lines = keyed.map((peer) => [
        peer.publicKey,
        "(none)",
        peer.endpoint === undefined ? "(none)" : `${peer.endpoint.host}:${peer.endpoint.port}`,
        peer.allowedIps.length === 0 ? "(none)" : peer.allowedIps.join(","),
        `${peer.latestHandshake}`,
        `${peer.received}`,
        `${peer.sent}`,
        peer.persistentKeepalive === 0 ? "off" : `${peer.persistentKeepalive}`,
      ]);
      const first = [
        PRIVATE,
        PUBLIC,
        `${listenPort}`,
        mark === 0 ? "off" : `0x${mark.toString(16)}`,
      ];
      assertEquals(parseDump(dumpOf(first, ...lines)), {
        publicKey: PUBLIC,
        listenPort,
        mark,
        peers: keyed,
      });
    }),
  );
});

test("the AllowedIPs of some peers are found, few or many", () => {
  const keys = Array.from({ length: 20 }, (_, i) => formatKey(idOf(i)));
  const line = (i: number) =>
    `${keys[i]}\t${i % 3 === 0 ? "(none)" : `10.0.0.${i}/32 fd00::${i}/128`}`;
  const expected = (i: number) => i % 3 === 0 ? [] : [`10.0.0.${i}/32`, `fd00::${i}/128`];
  const text = Array.from({ length: 18 }, (_, i) => `${line(i)}\n`).join("");
  for (const asked of [[0], [17], [5, 18], [1, 2, 3, 4, 5, 19], keys.keys().toArray()]) {
    for (const each of [text, text.trimEnd()]) {
      const found = parseAllowedIps(each, new Set(asked.map((i) => keys[i]!)));
      const there = asked.filter((i) => i < 18);
      assertEquals([...found].sort(), there.map((i) => [keys[i]!, expected(i)] as const).sort());
    }
  }
  // Whatever stands there is no error.
  fc.assert(
    fc.property(fc.string(), fc.nat({ max: 700 }), fc.nat({ max: 8 }), (noise, at, count) => {
      const asked = new Set(keys.slice(0, count));
      const found = parseAllowedIps(text.slice(0, at) + noise + text.slice(at), asked);
      assert([...found.keys()].every((key) => asked.has(key)));
    }),
  );
});
