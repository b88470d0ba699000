/** Whatever a user gets wrong about DNS: one line that names the thing and the fix. */

import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, run, testWith, wgsig } from "../support/program.ts";
import { Device, DEVICE_NEEDS, newPeer, ZONE } from "./dns_scene.ts";
import { Scene } from "./scene.ts";

const USAGE = 6;
const FAILED = 1;

/** A mistake: flags, or settings, and what is said of it. */
interface Mistake {
  readonly args?: readonly string[];
  readonly settings?: string;
  readonly status?: number;
  readonly says: RegExp;
}

const DNS = ["--dns", "127.0.0.1:0"];
const IN_ZONE = [...DNS, "--zone", ZONE];
const FULL = [...IN_ZONE, "--interface", "wg0"];
const LISTEN = `[serve.dns]\nlisten = ["127.0.0.1:0"]\n`;
const VIEWS = `${LISTEN}zone = "a.test"\ninterface = "wg0"\n[[serve.dns.view]]\n`;
const SELF = /^--self: expected IP:PORT, where the others reach it, got "/;
const LONG = `${"a".repeat(60)}.`.repeat(3);

const MISTAKES: readonly Mistake[] = [
  {
    args: [...DNS, "--interface", "wg0"],
    says: /^which zone .*--zone ZONE, or zone in \[serve\.dns\]/,
  },
  {
    args: ["--zone", ZONE, "--interface", "wg0"],
    says: /^where is DNS .*--dns ADDRESS:PORT, or listen/,
  },
  {
    args: IN_ZONE,
    says: /^DNS zone wg\.example\.com: it has no peers; name an interface, or a group/,
  },
  {
    args: [...DNS, "--zone", "a..b", "--interface", "wg0"],
    says: /^--zone: expected the name of a DNS zone, such as wg\.example\.com, got "a\.\.b"$/,
  },
  {
    args: [...DNS, "--zone", `${LONG}x`, "--interface", "wg0"],
    says: /^--zone: expected the name/,
  },
  {
    args: [...DNS, "--zone", "ä.example", "--interface", "wg0"],
    says: /^--zone: expected the name/,
  },
  { args: [...FULL, "--zone", "two.test"], says: /^--zone is given twice/ },
  { args: [...FULL, "--allow-from", "10.0.0.0/33"], says: /^--allow-from: expected an IP address/ },
  {
    args: [...FULL, "--allow-from", "localhost"],
    says: /^--allow-from: expected .*got "localhost"$/,
  },
  { args: [...FULL, "--allow-from", "10.0.0.1,,"], says: /^--allow-from: expected .*got ""$/ },
  {
    args: [...FULL, "--self", "--self-allowed-ips", "10.0.0.0/8;10.1.0.0/16"],
    says: /^--self-allowed-ips: expected an IP address with a prefix length/,
  },
  {
    args: [...FULL, "--self", "[::1"],
    says: SELF,
  },
  { args: [...FULL, "--self", "192.0.2.1"], says: SELF },
  { args: [...FULL, "--self", "0.0.0.0:51820"], says: SELF },
  { args: [...FULL, "--self", "[::]:51820"], says: SELF },
  { args: [...FULL, "--self", "vpn.example.com:51820"], says: SELF },
  {
    args: [...IN_ZONE, "--interface", "wg/0"],
    says: /^"wg\/0" is no name of a network interface; expected one such as wg0$/,
  },
  {
    args: ["--dns", "127.0.0.1:5", "--dns", "127.0.0.1:5", "--zone", ZONE, "--interface", "wg0"],
    says: /^DNS on 127\.0\.0\.1:5 is there twice; leave one of them out$/,
  },
  { args: [...FULL, "--ttl", "soon"], says: /^--ttl: expected a duration such as .*got "soon"$/ },
  {
    args: [...FULL, "--ttl", "100000d"],
    says: /^DNS zone wg\.example\.com: 8640000000 is no TTL$/,
  },
  {
    args: ["--dns", "localhost:53", ...FULL.slice(2)],
    says: /^--dns: expected ADDRESS or ADDRESS:PORT, with an IP address, got "localhost:53"$/,
  },
  { args: ["--dns", "127.0.0.1:66000", ...FULL.slice(2)], says: /^--dns: expected/ },
  {
    settings: `${LISTEN}zone = "${ZONE}"\nself = true\ngroup = 3\n`,
    says: /there is no group 3 here; add a \[\[serve\.group\]\]/,
  },
  {
    settings:
      `${LISTEN}interface = "wg0"\n[[serve.dns.zone]]\nname = "a.test"\n[[serve.dns.zone]]\nname = "A.Test."\n`,
    says: /^DNS zone a\.test: it is there twice; give each zone another name$/,
  },
  {
    settings: `${LISTEN}interface = "wg0"\n[[serve.dns.zone]]\nttl = 5\n`,
    says: /serve\.dns\.zone\[0\]: name is missing/,
  },
  {
    settings: `${LISTEN}zones = "a.test"\n`,
    says: /unknown key "serve\.dns\.zones" \(did you mean "zone"\?\)/,
  },
  {
    settings: `${LISTEN}zone = "a.test"\n"answer-budget" = -1\n`,
    says: /serve\.dns\.answer-budget: expected a whole number from 0/,
  },
  {
    settings: `${VIEWS}groups = [3]\n`,
    says: /^DNS zone a\.test: view\[0\]: group 3 is none of the zone, which has none; add it to/,
  },
  {
    settings: `${VIEWS}[[serve.dns.view]]\nfrom = ["10.0.0.0/8"]\n`,
    says: /^DNS zone a\.test: view\[1\] is never reached: view\[0\] takes its questions before it/,
  },
  {
    settings: `${VIEWS}peers = ["alice"]\n`,
    says: /serve\.dns\.view\[0\]\.peers\[0\]: expected a WireGuard public key .*, got "alice"$/,
  },
  {
    settings: `${VIEWS}from = ["10.9.0.0/33"]\n`,
    says: /serve\.dns\.view\[0\]\.from\[0\]: expected an IP address with a prefix length/,
  },
  {
    settings: `${VIEWS}tsig = ["ops.test"]\n`,
    says:
      /^DNS zone a\.test: view\[0\]\.tsig: ops\.test is no key of the zone: it has none; name the key's/,
  },
  {
    settings: `[serve.dns]\nlisten = []\nzone = "a.test"\ninterface = "wg0"\n`,
    says: /^where is DNS to be served/,
  },
];

Deno.test("dns: a mistake is one line that says what, where, and how to mend it", async () => {
  await using scene = await Scene.open();
  for (const { args = [], settings, status = USAGE, says } of MISTAKES) {
    const config = settings === undefined
      ? []
      : ["--config", await scene.file("wgsig.toml", settings)];
    const what = `${args.join(" ")} ${settings ?? ""}`;
    const { code, out, err } = await wgsig(["serve", ...config, ...args]);
    assertEquals([code, out], [status, ""], `${what}: ${err}`);
    assertMatch(err, /^wgsig: [^\n]+\n$/, what);
    assertMatch(err.slice("wgsig: ".length, -1), says, what);
  }
  // The registry's peers can be in a zone, but have no self.
  const { code, err } = await wgsig(
    ["serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile, ...IN_ZONE, "--self"],
  );
  assertEquals(code, USAGE);
  assertMatch(err, /^wgsig: DNS zone wg\.example\.com: self needs an interface to publish\n$/);
});

testWith([...DEVICE_NEEDS, "setpriv"], "dns: an address that can't be had is said", async () => {
  await using device = await Device.with(newPeer("198.51.100.7:4711"));
  await using scene = await Scene.open();
  const { port } = await device.serve(scene);
  const started = async (address: string, ...through: readonly string[]) => {
    const flags = ["--dns", address, "--zone", ZONE, "--interface", "wg0"];
    const env = { WGSIG_CONFIG: "/dev/null" };
    return await run([...through, BINARY, "serve", ...flags], { env });
  };
  const used = await started(`127.0.0.1:${port}`);
  assertEquals(used.code, FAILED);
  const inUse = new RegExp(
    `^wgsig: cannot listen on 127\\.0\\.0\\.1:${port}: .*; end the program that uses port ${port}, ` +
      "or choose another with --dns\n$",
  );
  assertMatch(used.err, inUse);
  // Only the one of TCP: both are needed.
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const half = await started(`127.0.0.1:${taken.addr.port}`);
  assertEquals(half.code, FAILED);
  assertMatch(half.err, /^wgsig: cannot listen on .*; end the program that uses port /);
  const elsewhere = await started("192.0.2.99:5353");
  assertEquals(elsewhere.code, FAILED);
  assertMatch(elsewhere.err, /^wgsig: cannot listen on 192\.0\.2\.99:5353: [^\n]+\n$/);
  const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
  const low = await started("127.0.0.1:53", ...nobody);
  assertEquals(low.code, FAILED);
  assertMatch(low.err, /^wgsig: cannot listen on 127\.0\.0\.1:53: .*; ports below 1024 need root/);
});
