import { assertEquals, assertMatch } from "@std/assert";
import type { Check } from "../../../lib/core/doctor/check.ts";
import { examine } from "../../../lib/core/doctor/examine.ts";
import type {
  AnswerFacts,
  DoctorFacts,
  ServerFacts,
  ZoneFacts,
} from "../../../lib/core/doctor/facts.ts";
import type { Device } from "../../../lib/core/net/device.ts";
import { test } from "../../testing.ts";

const UNIX = 1_790_000_000;
const OWN = "A".repeat(42) + "E=";
const BOB = "B".repeat(42) + "E=";
const EVE = "C".repeat(42) + "E=";
const SERVER = "vps.example.com:1223";
const PUBLIC = { host: "203.0.113.7", port: 51820 };

const ANSWER: AnswerFacts = {
  family: 4,
  status: "ok",
  protocol: 2,
  roundTrip: 0.012,
  serverKey: EVE,
  ahead: 0,
  unsent: undefined,
  isClosed: false,
  warning: undefined,
};
const REGISTRY: ServerFacts = {
  name: SERVER,
  isLiteral: false,
  addresses: { value: ["198.51.100.1"] },
  isPinned: true,
  answers: [ANSWER],
  zone: undefined,
};
const PEER: Device["peers"][number] = {
  publicKey: BOB,
  endpoint: undefined,
  allowedIps: ["10.9.0.2/32"],
  latestHandshake: UNIX - 20,
  received: 1,
  sent: 1,
  persistentKeepalive: 25,
};
const DEVICE: Device = { publicKey: OWN, listenPort: 51820, mark: 0, peers: [PEER] };
const HEALTHY: DoctorFacts = {
  settings: { value: "/etc/wgsig/wgsig.toml" },
  unused: undefined,
  secret: { value: "/etc/wgsig/secret" },
  unix: UNIX,
  servers: [REGISTRY],
  own: { problem: undefined, proves: { value: true } },
  tsig: { value: true },
  raw: { value: true },
  register: "auto",
  nat: {
    port: 51820,
    isWireGuards: true,
    seen: [PUBLIC, PUBLIC],
    localAddresses: ["192.168.1.2"],
  },
  mapped: { value: [{ gateway: "192.168.1.1", mapped: "pcp maps ports", why: undefined }] },
  name: "wg0",
  addresses: ["10.9.0.1/24"],
  device: { value: DEVICE },
  link: { value: { isUp: true, mtu: 1420 } },
  routes: [{ address: "198.51.100.1", device: "eth0", mtu: 1500 }],
  networks: { value: ["192.168.1.2/24", "192.168.1.1"] },
  listed: {
    value: [{
      name: "bob",
      publicKey: BOB,
      allowedIps: ["10.9.0.2/32"],
      persistentKeepalive: undefined,
    }],
  },
  isSynced: { value: true },
  serving: [],
  system: {
    capabilities: 0x3fff_ffffn,
    forwards: { 4: false, 6: false },
    portRange: [32768, 60999],
    nft: undefined,
    iptables: [],
    wg: { value: "wireguard-tools v1.0.20210914 - https://example.com/\n" },
    kernel: "6.1.0",
    wgsig: "0.1.0",
  },
};

/** The lines of one check. */
function linesOf(name: string, changed: Partial<DoctorFacts>): readonly Check[] {
  return examine({ ...HEALTHY, ...changed }).filter((each) => each.name === name);
}

/** Checks that something is said of one thing alone, and that nothing else changes. */
function assertSaid(
  name: string,
  changed: Partial<DoctorFacts>,
  state: Check["state"],
  text: RegExp,
  mend?: RegExp,
): void {
  const line = linesOf(name, changed).find((each) => text.test(each.text));
  if (line === undefined) {
    throw new Error(`${name}: ${JSON.stringify(linesOf(name, changed))} has no ${text}`);
  }
  assertEquals(line.state, state, line.text);
  if (mend !== undefined) assertMatch(line.mend ?? "", mend);
}

function withDevice(changed: Partial<Device>): Partial<DoctorFacts> {
  return { device: { value: { ...DEVICE, ...changed } } };
}

function withPeer(changed: Partial<Device["peers"][number]>): Partial<DoctorFacts> {
  return withDevice({ peers: [{ ...PEER, ...changed }] });
}

function answering(changed: Partial<AnswerFacts>, server: Partial<ServerFacts> = {}) {
  return { servers: [{ ...REGISTRY, ...server, answers: [{ ...ANSWER, ...changed }] }] };
}

function withSystem(changed: Partial<DoctorFacts["system"]>): Partial<DoctorFacts> {
  return { system: { ...HEALTHY.system, ...changed } };
}

function withNat(changed: Partial<NonNullable<DoctorFacts["nat"]>>): Partial<DoctorFacts> {
  return { nat: { ...HEALTHY.nat!, ...changed } };
}

const SILENT = {
  status: "no-answer",
  protocol: undefined,
  serverKey: undefined,
  warning: `no answer from ${SERVER} within 2 s; check that it runs`,
} as const;

test("doctor: where all is well, every check says so, each once", () => {
  const checks = examine(HEALTHY);
  assertEquals(checks.filter(({ state }) => state !== "ok"), []);
  assertEquals(
    checks.map(({ name }) => name),
    [
      ...["versions", "permissions", "settings", "secret-file", "interface", "listen-port", "name"],
      ...["udp", "clock", "secret", "server-key", "proof", "register", "nat", "port-map"],
      ...["allowed-ips", "keepalive", "handshake", "mtu", "forwarding", "firewall", "sync"],
    ],
  );
});

test("doctor: where nothing could be found out, it says something of each, and nothing is thrown", () => {
  const problem = "it took more than 2 s";
  const none = { problem };
  const checks = examine({
    ...HEALTHY,
    ...{ settings: none, secret: none, mapped: none, device: none, link: none, networks: none },
    ...{ listed: none, isSynced: none, raw: none, nat: undefined, routes: [] },
    own: { problem, proves: none },
    servers: [{ ...REGISTRY, addresses: none, answers: [] }],
    system: {
      ...{ capabilities: undefined, portRange: undefined, nft: undefined, iptables: [], wg: none },
      ...{ forwards: { 4: undefined, 6: undefined }, kernel: undefined, wgsig: "0.1.0" },
    },
  });
  const bad = checks.filter(({ state }) => state === "bad").map(({ name }) => name);
  assertEquals(
    bad,
    ["versions", "settings", "secret-file", "interface", "name", "udp", "proof", "allowed-ips"],
  );
});

test("doctor: the own address at a peer is wrong, a network around it isn't", () => {
  const among = (allowedIps: readonly string[]): Partial<DoctorFacts> => ({
    device: { value: { ...DEVICE, peers: [{ ...PEER, allowedIps }] } },
    listed: { value: [] },
  });
  const own = among(["10.9.0.1/32"]);
  assertSaid("allowed-ips", own, "bad", /^10\.9\.0\.1\/32 of .* is this host's own address$/);
  assertSaid("allowed-ips", among(["10.9.0.0/24"]), "ok", /none/);
});

test("doctor: a host that only serves lacks nothing of a peer's", () => {
  const none = { name: undefined, servers: [], device: { value: undefined } };
  const serves = { ...none, serving: ["1223"] };
  assertSaid("settings", serves, "ok", /a server runs here, and no peer: wgsig status 1223/);
  assertEquals(examine({ ...HEALTHY, ...serves }).some(({ name }) => name === "interface"), false);
  assertSaid("settings", none, "bad", /names no servers/, /wgsig join LINK/);
  assertSaid("interface", none, "warn", /none is named/, /wgsig doctor wg0/);
  // Whoever names an interface wants a peer.
  assertSaid("settings", { servers: [], serving: ["1223"] }, "bad", /names no servers/);
});

test("doctor: settings and secret, and what mends them", () => {
  assertSaid(
    "secret-file",
    {
      secret: {
        problem:
          "secret file /s can be read by others (mode 0644); mend it with: chmod 600 /s, or where that can't be done, add: --secret - < /s",
      },
    },
    "bad",
    /^secret file \/s can be read by others \(mode 0644\)$/,
    /^chmod 600 \/s$/,
  );
  assertSaid("settings", { settings: { problem: "/s: Parse error" } }, "bad", /Parse error/);
  assertSaid(
    "settings",
    { servers: [] },
    "bad",
    /names no servers/,
    /wgsig join LINK.* servers = /,
  );
  assertSaid("settings", { unused: "has no [sync.wg1]" }, "warn", /has no/);
  assertEquals(linesOf("secret-file", { secret: undefined }), []);
});

test("doctor: permissions, versions, and who takes care of the interface", () => {
  assertSaid("permissions", withSystem({ capabilities: 1n << 13n }), "bad", /NET_ADMIN/, /root/);
  assertSaid("permissions", withSystem({ capabilities: 1n << 12n }), "warn", /NET_RAW/, /root/);
  const problem = "cannot run wg: no such file or directory; install wireguard-tools";
  assertSaid(
    "versions",
    withSystem({ wg: { problem } }),
    "bad",
    /cannot run wg: no such file or directory$/,
    /^install wireguard-tools$/,
  );
  assertSaid(
    "versions",
    {},
    "ok",
    /^wgsig 0\.1\.0, kernel 6\.1\.0, wireguard-tools v1\.0\.20210914$/,
  );
  assertSaid("sync", { isSynced: { value: false } }, "warn", /no sync/, /systemctl start/);
});

test("doctor: the clock against those of registries", () => {
  assertSaid("clock", answering({ ahead: 12 }), "warn", /12 s behind that of vps/, /set-ntp/);
  assertSaid("clock", answering({ ahead: -3600 }), "bad", /3600 s ahead of that of vps/, /set-ntp/);
  assertSaid("clock", { ...answering(SILENT), unix: 1000 }, "bad", /before 2026/);
  assertSaid("clock", answering(SILENT), "warn", /no registry has answered/);
});

test("doctor: names, and UDP over each family", () => {
  const addresses = { problem: "host not found" };
  assertSaid("name", answering({}, { addresses }), "bad", /vps.*host not found/, /resolv\.conf/);
  assertSaid("udp", {}, "ok", /over IPv4 answers in 12\.0 ms, wgsig 2/);
  assertSaid("udp", answering(SILENT), "bad", /no answer.*\(IPv4\)/, /check that it runs/);
  const both = (changed: Partial<AnswerFacts>) => ({
    servers: [{ ...REGISTRY, answers: [ANSWER, { ...ANSWER, family: 6 as const, ...changed }] }],
  });
  assertSaid("udp", both(SILENT), "warn", /no answer.*\(IPv6\)/);
  assertSaid("udp", both({ ...SILENT, unsent: "ENETUNREACH" }), "ok", /no IPv6 route/);
  assertSaid("udp", answering({ ...SILENT, unsent: "ENETUNREACH" }), "bad", /no answer/);
  assertSaid("udp", answering({ protocol: 1 }), "ok", /the first protocol/);
  const own = { problem: "the secret can't be read", proves: { value: false } };
  assertSaid("udp", { own, servers: [] }, "bad", /nobody was asked: the secret/);
});

test("doctor: the secret, the registry's key, and the proof", () => {
  assertSaid("secret", answering({ ...SILENT, status: "not-authenticated" }), "bad", /another one/);
  assertSaid(
    "secret",
    answering(SILENT),
    "warn",
    /is silent: it can't be reached, or/,
    /sha256sum/,
  );
  // What is turned away, or can't be sent, says nothing of the secret.
  assertEquals(linesOf("secret", answering({ ...SILENT, isClosed: true })), []);
  assertEquals(linesOf("secret", answering({ ...SILENT, unsent: "ENETUNREACH" })), []);
  const second = { ...REGISTRY, name: "second:1223", answers: [{ ...ANSWER, ...SILENT }] };
  assertSaid(
    "secret",
    { servers: [second, REGISTRY] },
    "warn",
    /the first is more likely/,
    /received/,
  );
  const wrong = {
    ...SILENT,
    status: "wrong-key",
    protocol: 2,
    warning: "it has X; name it",
  } as const;
  assertSaid("server-key", answering(wrong), "bad", /^it has X$/, /^name it$/);
  assertSaid(
    "server-key",
    answering({}, { isPinned: false }),
    "warn",
    /isn't pinned/,
    new RegExp(`server-key = "${SERVER}=${EVE}"`),
  );
  assertSaid("server-key", answering({ protocol: 1 }), "ok", /first protocol/);
  const refused = answering({ status: "not-authenticated", protocol: 2 });
  const unproved = { problem: undefined, proves: { value: false } };
  assertSaid("proof", refused, "bad", /doesn't take it/);
  assertSaid("proof", { ...refused, own: unproved }, "bad", /wants one/, /private-key-file/);
  assertSaid("proof", { own: unproved }, "warn", /isn't known/, /private-key-file/);
  assertEquals(linesOf("proof", answering({ protocol: 1 })), []);
});

const NAME_SERVER = "dns://192.0.2.1:53/wg.test";

/** A name server that has answered. */
function zoneOf(
  { status = "ok", peers = 2, key, warning }: Partial<ZoneFacts>,
): Partial<DoctorFacts> {
  const zone = { value: { zone: "wg.test", status, peers, key, warning } };
  return { servers: [{ ...REGISTRY, name: NAME_SERVER, answers: [], zone }] };
}

test("doctor: name servers, and whether they sign", () => {
  assertEquals(linesOf("zone", {}), []);
  assertSaid("zone", zoneOf({}), "ok", /^dns:.*\/wg\.test answers for wg\.test, 2 peers$/);
  const signed = zoneOf({ peers: 1, key: "k.test" });
  assertSaid("zone", signed, "ok", /, 1 peer, signed with the key k\.test$/);
  // What query warns of, while it has all of the answer.
  const off = "this host's clock is 90 s behind that of dns:; set it with: timedatectl";
  assertSaid("zone", zoneOf({ warning: off }), "warn", /^this host's clock is .* dns:$/, /^set it/);
  for (
    const [status, text, mend] of [
      ["no-answer", "no answer from dns: within 2.5 s", "check that it runs"],
      ["not-authenticated", "dns: says that it has another secret (BADSIG)", "copy the key file"],
      ["refused", "dns: refuses to answer for wg.test", "check the zone's name"],
      ["no-zone", "dns:: there is no zone wg.test with WireGuard peers", "check its name"],
      ["no-endpoints", "dns: names peers, and none with an endpoint", "let them through"],
    ] as const
  ) {
    assertEquals(linesOf("zone", zoneOf({ status, key: "k.test", warning: `${text}; ${mend}` })), [
      { name: "zone", state: "bad", text, mend },
    ]);
  }
  const part = zoneOf({ status: "incomplete", peers: 7, warning: "it did not; --timeout" });
  assertSaid("zone", part, "warn", /not all .* \(7 peers\)$/, /^wgsig query dns:\S+ gives it more/);
});

test("doctor: where name servers can't be asked, and where their keys aren't", () => {
  assertEquals(linesOf("tsig", {}), []);
  const problem = "TSIG key file a.key can be read by others; mend it with: chmod 600 a.key";
  assertSaid("tsig", { tsig: { problem } }, "bad", /by others$/, /^chmod 600 a\.key$/);
  const unasked = { ...REGISTRY, name: NAME_SERVER, answers: [], zone: { problem: "no sockets" } };
  assertSaid("zone", { servers: [unasked] }, "bad", /^cannot ask dns:\S+: no sockets$/);
});

test("doctor: how the port is registered, the NAT, and what routers map", () => {
  const raw = { problem: "operation not permitted" };
  assertSaid("register", { raw }, "warn", /borrows/, /CAP_NET_RAW/);
  assertSaid("register", { raw, register: "raw" }, "bad", /register = "raw"/, /CAP_NET_RAW/);
  assertSaid("register", { raw, register: "borrow" }, "ok", /by borrow/);
  const at = (...ports: readonly number[]) =>
    withNat({ seen: ports.map((port) => ({ ...PUBLIC, port })) });
  assertSaid("nat", {}, "ok", /easy.*WireGuard's port 51820 is seen as 203\.0\.113\.7:51820/);
  assertSaid("nat", at(4000, 4001), "ok", /^sequential, /);
  assertSaid("nat", at(4000, 900), "warn", /^hard: /, /serve --relay/);
  assertSaid("nat", at(4000), "ok", /two ports of a registry/);
  assertSaid("nat", { nat: undefined }, "warn", /not known/);
  assertSaid("nat", withNat({ localAddresses: [PUBLIC.host] }), "ok", /^easy, since there is none/);
  const mapped = { value: [{ gateway: "192.168.1.1", mapped: undefined, why: "pcp: no answer" }] };
  assertSaid("port-map", { mapped }, "warn", /192\.168\.1\.1 \(pcp: no answer\)/, /port 51820/);
  assertSaid(
    "port-map",
    { mapped, ...withNat({ localAddresses: [PUBLIC.host] }) },
    "ok",
    /none at/,
  );
  const absent = { mapped, ...withDevice({ listenPort: 0 }) };
  assertSaid("port-map", absent, "warn", /none at/, /or forward WireGuard's UDP port there/);
  assertSaid("port-map", { mapped: { value: [] } }, "ok", /no gateway/);
  assertSaid("port-map", { mapped: undefined }, "ok", /off/);
});

test("doctor: the interface, its port, its MTU", () => {
  assertSaid("interface", { name: undefined }, "warn", /none is named/);
  assertSaid(
    "interface",
    { device: { value: undefined } },
    "bad",
    /no WireGuard/,
    /wg-quick up wg0/,
  );
  assertSaid(
    "interface",
    withDevice({ publicKey: undefined }),
    "bad",
    /no private key/,
    /wg set wg0/,
  );
  const link = (isUp: boolean, mtu: number) => ({ link: { value: { isUp, mtu } } });
  assertSaid("interface", link(false, 1420), "bad", /is down/, /ip link set wg0 up/);
  assertSaid("listen-port", withDevice({ listenPort: 0 }), "bad", /none/, /listen-port 51820/);
  assertSaid("listen-port", withDevice({ listenPort: 53_000 }), "warn", /system's choice/);
  assertSaid("mtu", {}, "ok", /1420, of 1500 on eth0/);
  assertSaid("mtu", link(true, 1200), "bad", /1280/, /mtu 1280/);
  assertSaid("mtu", link(true, 1500), "bad", /more than the 1500 of eth0/, /mtu 1420/);
  assertSaid("mtu", { ...link(true, 8000), routes: [] }, "warn", /more than the internet/);
  const routes = [{ address: "198.51.100.1", device: "ppp0", mtu: 1452 }];
  assertSaid("mtu", { routes }, "bad", /1452 of ppp0/, /mtu 1372/);
});

test("doctor: keepalive and handshakes of peers", () => {
  assertSaid(
    "keepalive",
    withPeer({ persistentKeepalive: 0 }),
    "warn",
    /bob/,
    /persistent-keepalive 25/,
  );
  assertSaid(
    "keepalive",
    { ...withPeer({ persistentKeepalive: 0 }), ...withNat({ localAddresses: [PUBLIC.host] }) },
    "ok",
    /no NAT is known/,
  );
  assertSaid("handshake", withPeer({ latestHandshake: 0 }), "warn", /never with bob/, /journalctl/);
  assertSaid("handshake", withPeer({ latestHandshake: UNIX - 500 }), "warn", /bob \(500 s\)/);
  const quiet = withPeer({ latestHandshake: UNIX - 500, persistentKeepalive: 0 });
  assertSaid("handshake", quiet, "ok", /500 s ago/);
  assertSaid("handshake", withDevice({ peers: [] }), "warn", /no peers/);
});

/** Peers of the settings, by name: their AllowedIPs. */
function listing(peers: Readonly<Record<string, readonly string[]>>): Partial<DoctorFacts> {
  return {
    listed: {
      value: Object.entries(peers).map(([name, allowedIps]) => ({
        name,
        publicKey: name === "own" ? OWN : name === "bob" ? BOB : name,
        allowedIps,
        persistentKeepalive: undefined,
      })),
    },
  };
}

test("doctor: AllowedIPs against each other, networks, and servers", () => {
  const name = "allowed-ips";
  assertSaid(
    name,
    listing({ bob: ["10.9.0.2"], eve: ["10.9.0.2/32"] }),
    "bad",
    /10\.9\.0\.2\/32 of bob and eve/,
  );
  assertSaid(
    name,
    listing({ eve: ["10.9.0.0/24"] }),
    "warn",
    /10\.9\.0\.2\/32 of B+E= lies in 10\.9\.0\.0\/24 of eve/,
  );
  assertEquals(linesOf(name, listing({ eve: ["0.0.0.0/0", "::/0"] })).map(({ state }) => state), [
    "ok",
  ]);
  assertSaid(name, listing({ eve: ["192.168.1.0/24"] }), "bad", /eve is a network of this host/);
  assertSaid(name, listing({ eve: ["192.168.0.0/16"] }), "warn", /around 192\.168\.1\.0\/24/);
  assertSaid(name, listing({ eve: ["192.168.1.7/32"] }), "warn", /part of 192\.168\.1\.0\/24/);
  const routes = [{ address: "198.51.100.1", device: "wg0", mtu: 1420 }];
  const all = { ...listing({ eve: ["0.0.0.0/0"] }), routes };
  assertSaid(
    name,
    all,
    "bad",
    /vps\.example\.com:1223 \(198\.51\.100\.1\) is reached through the tunnel \(0\.0\.0\.0\/0 of eve\)/,
    /ip route add 198\.51\.100\.1/,
  );
  assertEquals(
    linesOf(name, { ...all, ...withDevice({ mark: 51820 }) }).map(({ state }) => state),
    [
      "ok",
    ],
  );
});

test("doctor: forwarding, where a network lies behind this host", () => {
  const behind = listing({ own: ["10.9.0.1/32", "192.168.5.0/24"], bob: ["10.9.0.2/32"] });
  assertSaid("forwarding", behind, "bad", /192\.168\.5\.0\/24 lies behind/, /ip_forward=1/);
  const forwards = { 4: true, 6: false };
  assertSaid("forwarding", { ...behind, ...withSystem({ forwards }) }, "ok", /on for/);
  const off = withSystem({ forwards: { 4: false, 6: false } });
  assertSaid("forwarding", off, "ok", /not needed: .*or for phones .*ip_forward=1/);
  const ipv6 = listing({ own: ["fd00:5::/64"] });
  assertSaid("forwarding", ipv6, "bad", /fd00:5::\/64/, /net\.ipv6\.conf\.all\.forwarding=1/);
});

test("doctor: a firewall that names WireGuard's port nowhere", () => {
  const nft = (policy: string, rule: string) =>
    `table inet filter {
\tchain input {
\t\ttype filter hook input priority filter; policy ${policy};
\t\tct state established,related accept
\t\t${rule}
\t}
}`;
  const said = (rules: Partial<DoctorFacts["system"]>) =>
    linesOf("firewall", withSystem(rules)).map(({ state }) => state);
  for (const rule of ["udp dport 51820", "udp dport { 53, 51820 }", "udp dport 51000-52000"]) {
    assertEquals(said({ nft: nft("drop", `${rule} accept`) }), ["ok"], rule);
  }
  assertEquals(said({ nft: nft("accept", "") }), ["ok"]);
  assertEquals(said({ nft: nft("drop", "udp dport { 53, 5182 } accept") }), ["warn"]);
  assertEquals(said({ nft: nft("drop", "tcp dport 22 accept") }), ["warn"]);
  const iptables = (rule: string) => [`-P INPUT DROP\n-P FORWARD DROP\n${rule}\n`];
  assertEquals(said({ iptables: iptables("-A INPUT -p udp -m udp --dport 51820 -j ACCEPT") }), [
    "ok",
  ]);
  assertEquals(
    said({ iptables: iptables("-A INPUT -p udp -m multiport --dports 53,51819:51821") }),
    [
      "ok",
    ],
  );
  assertEquals(said({ iptables: iptables("-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT") }), [
    "warn",
  ]);
});
