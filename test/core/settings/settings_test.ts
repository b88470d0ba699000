import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseSettings, type Settings } from "../../../lib/core/settings/settings.ts";
import { test } from "../../testing.ts";

const KEY = "ht5HylAGWR0EQTx66W+IuX0andEuovl8Qi0p+dPTCNU=";

const ZONE_NAME: KeyCase = {
  good: [[`"wg.example.com"`, "wg.example.com"], [`"Example.COM."`, "example.com"]],
  bad: [`""`, `"a..b"`, `"${"x".repeat(64)}.com"`, `5`, `["a"]`],
};

/** A key: values as TOML has them, with what is read; and values that are refused. */
interface KeyCase {
  readonly good: readonly (readonly [toml: string, read: unknown])[];
  readonly bad: readonly string[];
}

/** A section: how a line is put into it, its path in messages, where its values are found. */
interface Section {
  readonly head: string;
  readonly path: string;
  readonly find: (settings: Settings) => object | undefined;
  readonly keys: Readonly<Record<string, KeyCase>>;
}

const TEXT: KeyCase = { good: [[`"/a/b"`, "/a/b"], [`'x y'`, "x y"]], bad: [`""`, `[]`, `5`] };
const DURATION: KeyCase = {
  good: [[`"500ms"`, 0.5], [`"2h"`, 7200], [`45`, 45], [`1.5`, 1.5], [`"0"`, 0]],
  bad: [`""`, `"soon"`, `-1`, `"-1s"`, `"1 h"`, `inf`, `[]`],
};
const GROUP: KeyCase = {
  good: [[`0`, 0], [`4294967295`, 0xffff_ffff], [`0xff`, 255]],
  bad: [`-1`, `4294967296`, `1.5`, `"0"`, `[0]`, `inf`],
};
const PEERS: KeyCase = {
  good: [[`1`, 1], [`4000000`, 4_000_000], [`1_000`, 1000]],
  bad: [`0`, `4000001`, `-5`, `2.5`, `"10"`, `inf`],
};
const ANSWER: KeyCase = {
  good: [[`1`, 1], [`100000`, 100_000], [`1_000`, 1000]],
  bad: [`0`, `100001`, `-5`, `2.5`, `"10"`, `inf`],
};
const BUDGET: KeyCase = { good: [[`0`, 0], [`16384`, 16384]], bad: [`-1`, `"1"`, `0.5`] };
const PORT: KeyCase = {
  good: [[`0`, 0], [`51820`, 51_820], [`65535`, 65_535]],
  bad: [`-1`, `65536`, `0.5`, `"51820"`, `inf`],
};
const KEEPALIVE: KeyCase = { ...PORT, good: [[`0`, 0], [`25`, 25], [`65535`, 65_535]] };
const CIDRS: KeyCase = {
  good: [[`[]`, []], [`["10.0.0.1/24", "fd00::1"]`, ["10.0.0.1/24", "fd00::1"]]],
  bad: [`"10.0.0.1/24"`, `["10.0.0.1/33"]`, `[1]`, `["10.0.0.1/32\\nPostUp = x"]`, `[[]]`],
};
const PREFIXES: KeyCase = {
  good: [
    [`[]`, []],
    [`["10.0.0.0/24", "10.0.0.1", "fd00::1/128"]`, ["10.0.0.0/24", "10.0.0.1", "fd00::1/128"]],
  ],
  bad: [...CIDRS.bad, `["10.0.0.1/24"]`, `["10.0.0.0/24", "fd00::1/64"]`],
};
const BOOLEAN: KeyCase = {
  good: [[`true`, true], [`false`, false]],
  bad: [`"true"`, `1`, `[]`],
};
const RELAY: KeyCase = {
  good: ["auto", "never", "always"].map((mode) => [`"${mode}"`, mode] as const),
  bad: [`"on"`, `""`, `true`],
};
const ON_OFF: KeyCase = {
  good: [[`"on"`, "on"], [`"off"`, "off"]],
  bad: [`"auto"`, `""`, `1`],
};
const numbers = (min: number, max: number): KeyCase => ({
  good: [[`${min}`, min], [`${max}`, max]],
  bad: [`${min - 1}`, `${max + 1}`, `1.5`, `"${min}"`, `[]`],
});
const PUBLIC_KEY: KeyCase = {
  good: [[`"${KEY}"`, KEY]],
  bad: [`""`, `"${KEY.slice(1)}"`, `"${KEY}\\n"`, `["${KEY}"]`, `5`],
};

const VIEW_KEYS: Readonly<Record<string, KeyCase>> = {
  tsig: {
    good: [[`["Ops.wg.example."]`, ["ops.wg.example"]], [`["ops", "a_b"]`, ["ops", "a_b"]]],
    bad: [`"ops"`, `[""]`, `["."]`, `["a..b"]`, `["a b"]`, `[1]`],
  },
  from: PREFIXES,
  groups: {
    good: [[`[0, 4294967295]`, [0, 4_294_967_295]], [`[]`, []]],
    bad: [`7`, `[-1]`, `["7"]`],
  },
  peers: {
    good: [[`["${KEY}"]`, [KEY]], [`[]`, []]],
    bad: [`"${KEY}"`, `["${KEY.slice(1)}"]`, `["${"B".repeat(43)}="]`, `[""]`, `[1]`],
  },
  interface: BOOLEAN,
};

const ZONE_KEYS: Readonly<Record<string, KeyCase>> = {
  interface: TEXT,
  group: {
    good: [
      ...GROUP.good.map(([toml, id]) => [toml, [id]] as const),
      [`[0, 7]`, [0, 7]],
      [`[]`, []],
    ],
    bad: [...GROUP.bad.filter((toml) => !toml.startsWith("[")), `["7"]`, `[-1]`, `[[7]]`],
  },
  self: {
    good: [
      [`true`, { endpoint: undefined }],
      [`false`, false],
      [`"192.0.2.1:51820"`, { endpoint: { host: "192.0.2.1", port: 51_820 } }],
    ],
    bad: [
      `"192.0.2.1"`,
      `""`,
      `51820`,
      `[]`,
      `"0.0.0.0:5"`,
      `"[::]:5"`,
      `"192.0.2.1:0"`,
      `"a.b:5"`,
    ],
  },
  "self-allowed-ips": PREFIXES,
  "allow-from": PREFIXES,
  "dnssec-keys": {
    good: [[`["/a"]`, ["/a"]], [`["/a", "b"]`, ["/a", "b"]]],
    bad: [`"/a"`, `[""]`, `[5]`],
  },
  cds: {
    good: [[`"publish"`, "publish"], [`"delete"`, "delete"], [`"none"`, "none"]],
    bad: [`""`, `"yes"`, `true`],
  },
  "tsig-files": {
    good: [[`["new", "/etc/old"]`, ["new", "/etc/old"]], [`[]`, []]],
    bad: [`"new"`, `[""]`, `[1]`],
  },
  "require-tsig": { good: [[`true`, true], [`false`, false]], bad: [`"on"`, `""`, `1`] },
  ttl: DURATION,
  view: {
    good: [
      [`[]`, []],
      [`[{}, { groups = [7], interface = true }]`, [{}, { groups: [7], interface: true }]],
    ],
    bad: [`3`, `"a"`, `["a"]`, `[{ groups = 7 }]`],
  },
};

const STATUS_KEYS: Readonly<Record<string, KeyCase>> = {
  status: {
    good: [
      [`"127.0.0.1"`, { host: "127.0.0.1", port: 9586 }],
      [`"[::]:5"`, { host: "::", port: 5 }],
    ],
    bad: [`"localhost:9586"`, `""`, `9586`, `":9586"`, `[]`],
  },
  "status-token-file": TEXT,
  "metrics-file": TEXT,
  "metrics-peers": numbers(0, 1000),
};

/** A public key, and its bytes. */
const PIN = `${"A".repeat(40)}AAE=`;
const PIN_BYTES = Uint8Array.from({ length: 32 }, (_, i) => i === 31 ? 1 : 0);

const SECTIONS: readonly Section[] = [
  {
    head: "[serve]",
    path: "serve",
    find: ({ serve }) => serve,
    keys: {
      listen: {
        good: [
          [`["0.0.0.0:1223", "[::]:5"]`, [{ host: "0.0.0.0", port: 1223 }, {
            host: "::",
            port: 5,
          }]],
          [`[]`, []],
        ],
        bad: [`"0.0.0.0:1223"`, `["0.0.0.0"]`, `["::1"]`, `["a:65536"]`, `[1223]`, `1223`],
      },
      encryption: {
        good: [[`"auto"`, "auto"], [`"required"`, "required"], [`"off"`, "off"]],
        bad: [`"on"`, `"AUTO"`, `""`, `1`, `["auto"]`],
      },
      key: TEXT,
      state: TEXT,
      store: {
        good: [
          [`"redis://10.0.0.1/2"`, {
            kind: "single",
            isEncrypted: false,
            nodes: [{ host: "10.0.0.1", port: 6379 }],
            master: "",
            database: 2,
          }],
        ],
        bad: [`""`, `"10.0.0.1"`, `5`, `["redis://a"]`, `"redis://me:hush@a"`],
      },
      "store-user": TEXT,
      "store-password-file": TEXT,
      "store-ca-file": TEXT,
      "store-start": {
        good: [[`"wait"`, "wait"], [`"alone"`, "alone"]],
        bad: [`"never"`, `""`, `true`],
      },
      "public-address": {
        good: [
          [`"vps.example.com"`, { host: "vps.example.com", port: 0 }],
          [`"[2001:db8::1]:443"`, { host: "2001:db8::1", port: 443 }],
        ],
        bad: [`""`, `"a b"`, `"a:65536"`, `5`, `["a"]`],
      },
      "max-peers": PEERS,
      "max-answer": ANSWER,
      "answer-budget": BUDGET,
      "max-age": DURATION,
      window: DURATION,
      "log-format": {
        good: [[`"text"`, "text"], [`"json"`, "json"]],
        bad: [`"xml"`, `""`, `1`],
      },
      "log-level": {
        good: [[`"quiet"`, "quiet"], [`"normal"`, "normal"], [`"verbose"`, "verbose"]],
        bad: [`"debug"`, `""`, `0`],
      },
      dns: {
        good: [[`{ ttl = "5s" }`, { ttl: 5 }], [`{}`, {}]],
        bad: [`3`, `[]`, `"wg.example.com"`],
      },
      lease: {
        good: [[`{ lease-time = "20s" }`, { "lease-time": 20 }], [`{}`, {}]],
        bad: [`3`, `[]`, `"10.0.0.0/8"`],
      },
      relay: BOOLEAN,
      "relay-pair-rate": BUDGET,
      "relay-peer-rate": BUDGET,
      "relay-rate": BUDGET,
      "relay-idle": DURATION,
      punch: {
        good: [
          [`"0.0.0.0"`, { host: "0.0.0.0", port: 49_918 }],
          [`"127.0.0.1:5"`, { host: "127.0.0.1", port: 5 }],
        ],
        bad: [`"a.example"`, `""`, `5`, `[]`],
      },
      ...STATUS_KEYS,
      group: { good: [[`[]`, []], [`[{ id = 3 }]`, [{ id: 3 }]]], bad: [`3`, `[3]`, `"a"`] },
    },
  },
  {
    head: "[serve.lease]",
    path: "serve.lease",
    find: ({ serve }) => serve?.lease,
    keys: {
      interface: TEXT,
      pools: PREFIXES,
      reserved: PREFIXES,
      "lease-time": {
        good: [[`"1h"`, 3600], [`"10s"`, 10], [`20`, 20]],
        bad: [`"9s"`, `0`, `"x"`, `"200000d"`],
      },
      routes: PREFIXES,
      state: TEXT,
      configure: BOOLEAN,
    },
  },
  {
    head: "[serve.dns]",
    path: "serve.dns",
    find: ({ serve }) => serve?.dns,
    keys: {
      listen: {
        good: [[`["0.0.0.0:5353", "[::1]"]`, [
          { host: "0.0.0.0", port: 5353 },
          { host: "::1", port: 53 },
        ]]],
        bad: [`"0.0.0.0:53"`, `["a b"]`, `["a.example"]`, `[1]`],
      },
      zone: {
        good: [
          ...ZONE_NAME.good,
          [`[{ name = "a.example", group = 2 }]`, [{ name: "a.example", group: [2] }]],
        ],
        bad: [`""`, `"a..b"`, `[{ name = "a..b" }]`, `[3]`, `3`],
      },
      ...ZONE_KEYS,
      "answer-budget": BUDGET,
    },
  },
  {
    head: "[[serve.dns.zone]]",
    path: "serve.dns.zone[0]",
    find: ({ serve }) => typeof serve?.dns?.zone === "object" ? serve.dns.zone[0] : undefined,
    keys: { name: ZONE_NAME, ...ZONE_KEYS },
  },
  {
    head: "[[serve.dns.view]]",
    path: "serve.dns.view[0]",
    find: ({ serve }) => serve?.dns?.view?.[0],
    keys: VIEW_KEYS,
  },
  {
    head: "[[serve.group]]",
    path: "serve.group[0]",
    find: ({ serve }) => serve?.group?.[0],
    keys: {
      id: GROUP,
      "secret-file": TEXT,
      "secret-files": {
        good: [[`["new", "/etc/old"]`, ["new", "/etc/old"]], [`["new"]`, ["new"]]],
        bad: [`"new"`, `[""]`, `[1]`],
      },
      "allow-file": TEXT,
      proof: {
        good: [[`"auto"`, "auto"], [`"required"`, "required"]],
        bad: [`"off"`, `true`, `""`],
      },
      interface: TEXT,
      network: {
        good: [["[]", []], [`["10.9.0.0/24", "fd09::/64"]`, ["10.9.0.0/24", "fd09::/64"]]],
        bad: [...PREFIXES.bad, `["0.0.0.0/0"]`, `["10.0.0.0/8", "::/7"]`],
      },
    },
  },
  {
    head: "[sync.wg0]",
    path: "sync.wg0",
    find: ({ sync }) => sync?.get("wg0"),
    keys: {
      servers: {
        good: [[`["a.example", "[::1]:5", "::2", "dns://n.example/Wg.example."]`, [
          { scheme: "wgsig", host: "a.example", port: 1223 },
          { scheme: "wgsig", host: "::1", port: 5 },
          { scheme: "wgsig", host: "::2", port: 1223 },
          { scheme: "dns", host: "n.example", port: 53, zone: "wg.example" },
        ]]],
        bad: [`"a.example"`, `[""]`, `["a b"]`, `["a:b"]`, `[1]`, `["dns://n.example"]`],
      },
      "secret-file": TEXT,
      "server-key": {
        good: [
          [`"${PIN}"`, [{ server: undefined, key: PIN_BYTES }]],
          [`["${PIN}"]`, [{ server: undefined, key: PIN_BYTES }]],
          [`["a=${PIN}", "[::1]:7=${PIN}", "wgsig://b=${PIN}"]`, [
            { server: "a:1223", key: PIN_BYTES },
            { server: "[::1]:7", key: PIN_BYTES },
            { server: "b:1223", key: PIN_BYTES },
          ]],
          [`[]`, []],
        ],
        bad: [`""`, `"a"`, `"=${PIN}"`, `"a:b=${PIN}"`, `"dns://a/b=${PIN}"`, `"${PIN} "`, `5`],
      },
      group: GROUP,
      encryption: ON_OFF,
      "public-key": PUBLIC_KEY,
      "private-key-file": TEXT,
      address: CIDRS,
      port: PORT,
      "max-age": DURATION,
      timeout: DURATION,
      "persistent-keepalive": KEEPALIVE,
      register: {
        good: ["auto", "raw", "borrow", "tunnel", "none"].map((way) => [`"${way}"`, way] as const),
        bad: [`"on"`, `""`, `1`],
      },
      relay: RELAY,
      interval: {
        good: [[`"25s"`, 25], [`"100ms"`, 0.1], [`3600`, 3600]],
        bad: [`"99ms"`, `0`, `"0s"`, `-1`, `"x"`, `""`],
      },
      "add-peers": BOOLEAN,
      "add-routes": BOOLEAN,
      "mend-routes": BOOLEAN,
      "move-port": BOOLEAN,
      "port-map": { good: [[`"auto"`, "auto"], [`"off"`, "off"]], bad: [`"on"`, `true`, `""`] },
      "punch-hard": ON_OFF,
      "punch-mappings": numbers(1, 1024),
      "punch-probes": numbers(1, 4096),
      "punch-rate": numbers(1, 2000),
      "trust-allowed-ips": {
        good: [[`["Wg.example."]`, ["wg.example"]], [`[]`, []]],
        bad: [`"wg.example"`, `[""]`, `["a..b"]`, `[1]`],
      },
      "tsig-files": {
        good: [
          [`["a.key"]`, [{ zone: undefined, file: "a.key" }]],
          [`["Wg.Example.=a.key", "/b"]`, [
            { zone: "wg.example", file: "a.key" },
            { zone: undefined, file: "/b" },
          ]],
          [`["./a=b", "a..b=c"]`, [
            { zone: undefined, file: "./a=b" },
            { zone: undefined, file: "a..b=c" },
          ]],
          [`[]`, []],
        ],
        bad: [`"a.key"`, `[""]`, `[1]`],
      },
      "trust-registry": BOOLEAN,
      "trust-networks": PREFIXES,
      lease: BOOLEAN,
      "lease-routes": BOOLEAN,
      "trust-lease": BOOLEAN,
      "until-gone": BOOLEAN,
      hook: TEXT,
      ...STATUS_KEYS,
    },
  },
  {
    head: "[[peer]]",
    path: "peer[0]",
    find: ({ peer }) => peer?.[0],
    keys: {
      name: {
        good: [[`"laptop"`, "laptop"], [`"Küche # 2"`, "Küche # 2"]],
        bad: [`""`, `"a\\nPostUp = x"`, `"a\\rb"`, `"\\u0000"`, `"a\\tb"`, `5`, `["a"]`],
      },
      "public-key": PUBLIC_KEY,
      "allowed-ips": PREFIXES,
      "persistent-keepalive": KEEPALIVE,
      "preshared-key-file": TEXT,
      relay: RELAY,
      lease: CIDRS,
    },
  },
];
/** What no key takes. */
const NEVER_GOOD: readonly string[] = [
  `true`,
  `2020-01-01`,
  `2020-01-01T00:00:00Z`,
  `nan`,
  `[true]`,
];

function refusal(toml: string): string {
  const error = assertThrows(() => parseSettings(toml), SyntaxError);
  assert(error instanceof SyntaxError);
  return error.message;
}

for (const { head, path, find, keys } of SECTIONS) {
  test(`${head} takes exactly the keys that are tested here`, () => {
    const known = Object.keys(keys).join(", ");
    assertEquals(
      refusal(`${head}\nquxquxquxquxqux = 1`),
      `unknown key "${path}.quxquxquxquxqux" (known: ${known})`,
    );
  });

  for (const [key, { good, bad }] of Object.entries(keys)) {
    test(`${path}.${key} is read`, () => {
      for (const [toml, read] of good) {
        const section: unknown = find(parseSettings(`${head}\n${key} = ${toml}`));
        assertEquals(section, { [key]: read }, toml);
      }
    });

    test(`${path}.${key} refuses other types and values, and says so`, () => {
      const never = NEVER_GOOD.filter((toml) => !good.some(([each]) => each === toml));
      for (const toml of [...bad, ...never]) {
        const message = refusal(`${head}\n${key} = ${toml}`);
        assertMatch(message, /^[^:]+: (?:expected .+, got .+)$/s, toml);
        assert(message.startsWith(`${path}.${key}`), `${toml}: ${message}`);
      }
    });
  }

  test(`${head} must be what it is: a table, a record or a list`, () => {
    const name = path.replace(/\[0\]$/, "");
    for (
      const value of [
        `1`,
        ...(name === "serve.dns.zone" ? [] : [`"x"`]),
        `true`,
        `2020-01-01`,
        ...(head.startsWith("[[") ? [] : [`[]`]),
      ]
    ) {
      const message = refusal(`${name} = ${value}`);
      assertMatch(message, /: expected a (?:table|list), got /);
      assert(message.startsWith(`${name}:`), message);
    }
  });
}

test("an empty file is settings without anything", () => {
  for (const toml of ["", "\n", "# only a comment\n", "\r\n"]) {
    assertEquals(parseSettings(toml), {});
  }
});

test("a whole file is read", () => {
  const settings = parseSettings(`
    [serve]
    listen = ["127.0.0.1:1223"]
    max-age = "1h"
    [[serve.group]]
    id = 1
    [[serve.group]]
    id = 2
    allow-file = "allowed"

    [sync.wg0]
    servers = ["one.example"]
    [sync."wg 1"]
    port = 51820

    [[peer]]
    name = "first"
    public-key = "${KEY}"
    [[peer]]
    name = "second"
  `);
  assertEquals(settings.serve, {
    listen: [{ host: "127.0.0.1", port: 1223 }],
    "max-age": 3600,
    group: [{ id: 1 }, { id: 2, "allow-file": "allowed" }],
  });
  assertEquals([...settings.sync ?? []], [
    ["wg0", { servers: [{ scheme: "wgsig", host: "one.example", port: 1223 }] }],
    ["wg 1", { port: 51_820 }],
  ]);
  assertEquals(settings.peer, [{ name: "first", "public-key": KEY }, { name: "second" }]);
});

test("an unknown section is refused, with the one that was meant", () => {
  assertEquals(refusal("[server]\n"), 'unknown key "server" (did you mean "serve"?)');
  assertEquals(refusal("[[peers]]\n"), 'unknown key "peers" (did you mean "peer"?)');
  assertEquals(refusal("[interface]\n"), 'unknown key "interface" (known: serve, sync, peer)');
});

test("an unknown key is refused, with the one that was meant", () => {
  const typos: readonly (readonly [string, string, string])[] = [
    ["[serve]\nmax-peer = 1", "serve.max-peer", "max-peers"],
    ["[serve]\nLISTEN_ = 1\nlissten = 1", "serve.LISTEN_", ""],
    ["[[serve.group]]\nsecret_file = 's'", "serve.group[0].secret_file", "secret-file"],
    ["[sync.wg0]\nserver = []", "sync.wg0.server", "servers"],
    ["[[peer]]\n[[peer]]\nallowed-ip = []", "peer[1].allowed-ip", "allowed-ips"],
  ];
  for (const [toml, path, meant] of typos) {
    const message = refusal(toml);
    assert(message.startsWith(`unknown key "${path}" (`), message);
    if (meant !== "") assert(message.endsWith(`(did you mean "${meant}"?)`), message);
  }
});

test("a key of a table below is refused, with the head that it belongs under", () => {
  const all: readonly (readonly [string, string])[] = [
    ["[serve]\nsecret-file = 's'", "serve.secret-file|[[serve.group]]"],
    ["[serve]\ncds = 'none'", "serve.cds|[serve.dns]"],
    ["listen = []", "listen|[serve] or [serve.dns]"],
    [
      "[[serve.dns.zone]]\nname = 'a.b'\ntsig = []",
      "serve.dns.zone[0].tsig|[[serve.dns.zone.view]]",
    ],
    ["port-map = true", "port-map|[sync.wg0]"],
  ];
  for (const [toml, says] of all) {
    const [path, heads] = says.split("|");
    assertEquals(refusal(toml), `unknown key "${path}" (it belongs into ${heads})`);
  }
  // What is near counts first, and what many tables have says nothing.
  assertMatch(refusal("[serve.dns]\ngroups = [1]"), /\(did you mean "group"\?\)$/);
  assertMatch(refusal("[serve]\ninterface = 'wg0'"), /\(known: listen, /);
});

test("a zone's name that can be none says why", () => {
  const all: readonly (readonly [string, string])[] = [
    ["*.example.com", "a label * stands for names in a zone, and names none"],
    [`${"a".repeat(64)}.test`, "its label aaaaaaaa… has 64 characters, and 63 are the most"],
    [`${"a".repeat(45)}.`.repeat(4) + "test", "it has 188 characters, and 180 are the most"],
  ];
  for (const [name, why] of all) {
    for (const toml of [`zone = "${name}"`, `zone = "${name}."`]) {
      assertMatch(
        refusal(`[serve.dns]\n${toml}`).replaceAll("*", "STAR"),
        new RegExp(
          `^serve.dns.zone: expected the name of a DNS zone, such as wg.example.com \\(${why}\\), got `
            .replaceAll("*", "STAR"),
        ),
      );
    }
  }
});

test("workers are refused, with why there are none and what to do instead", () => {
  for (const value of ["1", "2", `"2"`, "true"]) {
    assertEquals(
      refusal(`[serve]\nworkers = ${value}`),
      "serve.workers is gone: one process is one loop, and one core serves 825 000 peers that ask " +
        "every 25 s; leave it out, and for more peers run several registries and name them all in " +
        '"servers"',
    );
  }
  assertMatch(refusal("[sync.wg0]\nworkers = 2"), /^unknown key "sync\.wg0\.workers" /);
});

test("messages name the place in nested lists", () => {
  assertEquals(
    refusal(`[[serve.group]]\n[[serve.group]]\nid = "x"`),
    'serve.group[1].id: expected a whole number from 0 to 4294967295, got "x"',
  );
  assert(refusal(`[[peer]]\nallowed-ips = ["::/0", "x"]`).startsWith("peer[0].allowed-ips[1]:"));
  const zone = `[[serve.dns.zone]]\nname = "a.example"\n`;
  assertEquals(
    refusal(`${zone}[[serve.dns.zone.view]]\n[[serve.dns.zone.view]]\nfrom = ["x"]`),
    "serve.dns.zone[0].view[1].from[0]: expected an IP address with a prefix length, such as " +
      '10.0.0.2/32, got "x"',
  );
  assertEquals(
    refusal(`${zone}[serve.dns.zone.view]\nfrom = ["10.0.0.0/8"]`),
    "serve.dns.zone[0].view: expected a list, got one table: write [[serve.dns.zone.view]] in " +
      "the place of [serve.dns.zone.view]",
  );
  assert(refusal(`[sync.home]\nservers = ["a", "b:c"]`).startsWith("sync.home.servers[1]:"));
});

test("what is no TOML is refused with its line", () => {
  const wrong: readonly (readonly [string, number])[] = [
    ["[serve\n", 1],
    ["[serve]\nmax-peers = \n", 2],
    ["[serve]\n\n\nmax-peers 5\n", 4],
    ["[serve]\nstate = unquoted\n", 2],
    ["\n[serve]\nstate = 'open\n", 3],
  ];
  for (const [toml, line] of wrong) {
    const message = refusal(toml);
    const named = Number(/line (\d+)/.exec(message)?.[1]);
    // The parser names the line where it noticed, which may be the one after an open value.
    assert(named === line || named === line + 1, `${JSON.stringify(toml)}: ${message}`);
  }
});

test("no text makes it throw anything but a SyntaxError", () => {
  const fragments = fc.constantFrom(
    ..."[]{}=.,\"'#\n\r\t \\_-+:0159aexTZ",
    "[serve]\n",
    "[[serve.group]]\n",
    "[sync.wg0]\n",
    "[[peer]]\n",
    "sync = { wg0 = { port = 1 } }\n",
    "serve.group = [{ id = 1 }]\n",
    "serve = 1\n",
    "serve.listen = []\n",
    "max-peers = 5\n",
    "id = 3\n",
    "name = 'x'\n",
    "__proto__ = 1\n",
    "[__proto__]\n",
    "[serve.__proto__]\n",
    "constructor = {}\n",
    "1979-05-27T07:32:00Z",
    "2020-99-99",
    "07:32:00",
    '"""',
    "'''",
    "\\u12",
    "inf",
    "nan",
    "true",
    "0x",
    "0b1",
    "1e999",
    "é",
    "\u0000",
  );
  fc.assert(
    fc.property(fc.array(fragments, { maxLength: 12 }), (parts) => {
      try {
        parseSettings(parts.join(""));
      } catch (error) {
        assert(error instanceof SyntaxError, String(error));
        assert(error.message !== "");
      }
    }),
    { numRuns: 3000 },
  );
  assertEquals(Object.hasOwn(Object.prototype, "port"), false);
});
