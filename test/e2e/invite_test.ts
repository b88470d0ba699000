/** `wgsig invite` and `wgsig registry` as people run them, against a `serve` that says what it is told to. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type {
  Configured,
  InvitationFacts,
  Invited,
  Listed,
} from "../../lib/core/roster/requests.ts";
import { UserError } from "../../lib/core/settings/user_error.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";
import { namespaceEnding, RUN_FOLDER } from "../../lib/service/files/own_folders.ts";
import { statusPlace } from "../../lib/service/status/places.ts";
import { type AnswerRequest, StatusSocket } from "../../lib/service/status/socket.ts";
import { isRouterBinary, testWith, wgsig, withFolder } from "../support/program.ts";

const HOST = denoHost({ libc: false });
/** No server has a port of that name. */
const NAME = `t${Deno.pid}`;
const KEY = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
const CODE = "AbC-".repeat(17);
const HOUR = 3600;

const FACTS: InvitationFacts = {
  group: 0,
  name: "laptop",
  addresses: ["10.9.0.2/24"],
  prefixes: [],
  uses: 1,
  ends: Math.floor(Date.now() / 1000) + 24 * HOUR,
};
const INVITED: Invited = {
  ...FACTS,
  link: `wgsig://vps.example.com/${CODE}`,
  network: ["10.9.0.0/24"],
  isNewNetwork: false,
};
const CONFIGURED: Configured = {
  group: 0,
  name: "phone",
  prefixes: ["10.9.0.3/32"],
  via: "hub",
  addresses: ["10.9.0.3/24"],
  network: ["10.9.0.0/24"],
  isNewNetwork: false,
  hubKey: KEY,
  endpoint: "203.0.113.9:51820",
  allowedIps: ["10.9.0.0/24"],
  why: "it has no NAT in its way",
};
const LISTED: Listed = {
  unix: 1_800_000_000,
  groups: [{
    id: 0,
    network: ["10.9.0.0/24"],
    peers: [
      {
        name: "hub",
        publicKey: KEY,
        prefixes: ["10.9.0.1/32", "192.168.178.0/24", "fd12:3456:789a:bcde::/64"],
        via: null,
        age: 12,
      },
      { name: "phone \x1b[31m", publicKey: KEY, prefixes: ["10.9.0.3/32"], via: "hub", age: null },
    ],
    invitations: [
      {
        ...FACTS,
        name: "a name that is as long as a name can be, which no column has",
        ends: 1_800_000_000 + 2 * HOUR,
        state: "open",
        used: 0,
      },
      { ...FACTS, name: "bob", uses: 5, state: "used", used: 5 },
      { ...FACTS, name: "eve", state: "revoked", used: 0 },
    ],
    refused: [],
  }, { id: 7, network: [], peers: [], invitations: [], refused: [KEY] }],
};

/** Answers as `serve` would, and keeps what it was asked. */
async function withServe(
  answers: Readonly<Record<string, unknown>>,
  body: (asked: [string, unknown][]) => Promise<void>,
  name = NAME,
): Promise<void> {
  const asked: [string, unknown][] = [];
  const words = { status: {}, ...answers };
  const socket = new StatusSocket(
    HOST,
    Object.fromEntries(
      Object.entries(words).map(([word, answer]): [string, AnswerRequest] => [word, (request) => {
        if (word !== "status") asked.push([word, request]);
        if (typeof answer === "string") return Promise.reject(new UserError(answer));
        return Promise.resolve(Object.fromEntries(Object.entries(answer ?? {})));
      }]),
    ),
  );
  await HOST.makeFolder(RUN_FOLDER);
  await socket.open(statusPlace("serve", name, await namespaceEnding(HOST)).path);
  try {
    await body(asked);
  } finally {
    socket.close();
  }
}

/** A command that asks the `serve` of this test. */
async function command(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return await wgsig([...args, "--serve", NAME]);
}

testWith(["root"], "invite: the link is alone on standard output", async () => {
  await withServe({ invite: INVITED }, async (asked) => {
    const { code, out, err } = await command("invite", "laptop", "--lifetime", "2h");
    assertEquals([code, out], [0, `${INVITED.link}\n`]);
    assertMatch(err, /one peer can join group 0 as laptop, until \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    assertMatch(err, /\nwgsig: laptop gets 10\.9\.0\.2\/24\n/);
    assertMatch(err, /on the new peer: wgsig join LINK --up/);
    assertEquals(err.includes(CODE), false);
    const request = { name: "laptop", prefixes: [], addresses: [], uses: 1, lifetime: 7200 };
    assertEquals(asked, [["invite", request]]);
    const json = await command("invite", "laptop", "--json");
    assertEquals<unknown>(JSON.parse(json.out), { schema: 1, ...INVITED });
  });
});

testWith(
  ["root"],
  "invite: what a link is wanted for goes to the registry as it was said",
  async () => {
    await withServe({ invite: { ...INVITED, isNewNetwork: true } }, async (asked) => {
      const args = ["--group", "7", "--allowed-ips", "192.168.4.0/24,fd04::/64", "--uses", "3"];
      const { err } = await command("invite", "my laptop", ...args, "--server", "vps.example.com");
      assertMatch(err, /^wgsig: the tunnel of group 0 has the network 10\.9\.0\.0\/24 from now on/);
      assertEquals(asked, [["invite", {
        group: 7,
        name: "my laptop",
        prefixes: ["192.168.4.0/24", "fd04::/64"],
        addresses: [],
        uses: 3,
        lifetime: 86_400,
        server: "vps.example.com",
      }]]);
    });
  },
);

testWith(["root"], "invite: what is wrong is one line, and nobody is asked", async () => {
  await withServe({ invite: INVITED }, async (asked) => {
    const wrong: [RegExp, ...string[]][] = [
      [/who is to join\?.*wgsig invite laptop/, "invite"],
      [/this name: expected a name of at most 63 bytes/, "invite", "x".repeat(64)],
      [/this name: expected a name/, "invite", " x"],
      [/--lifetime: expected a duration of 1s or more, got "0"/, "invite", "x", "--lifetime", "0"],
      [/--uses: expected a whole number from 1/, "invite", "x", "--uses", "0"],
      [/--address: expected an IP address/, "invite", "x", "--address", "10.0.0.2/24"],
      [/--endpoint is for --wg-conf/, "invite", "x", "--endpoint", "203.0.113.9:51820"],
      [/--uses is for a link/, "invite", "x", "--wg-conf", "--uses", "2"],
      [/--qr and --json exclude/, "invite", "x", "--qr", "--json"],
      [/unknown action "revok" \(did you mean "revoke"\?\)/, "registry", "revok", "x"],
      [/wgsig registry rename needs PEER and NAME/, "registry", "rename", "x"],
      [/wgsig registry list needs nothing else/, "registry", "list", "x"],
      [/--via is for: wgsig registry add/, "registry", "forget", "x", "--via", "y"],
      [/this name: expected/, "registry", "rename", "x", "a\tb"],
      [/public key file nosuch: /, "registry", "add", "x", "nosuch"],
    ];
    for (const [message, ...args] of wrong) {
      const { code, out, err } = await command(...args);
      assertEquals([code, out, err.match(/\n/g)?.length], [6, "", 1], err);
      assertMatch(err, message);
    }
    assertEquals(asked, []);
  });
});

testWith(["root"], "invite: what the registry refuses is said as it says it", async () => {
  const why = 'the name "laptop" is taken: by a peer with the key …';
  await withServe({ invite: why, "wg-conf": why, list: why }, async () => {
    for (const args of [["invite", "laptop"], ["invite", "a", "--wg-conf"], ["registry"]]) {
      assertEquals(await command(...args), { code: 1, out: "", err: `wgsig: ${why}\n` });
    }
  });
  await withServe({ invite: { link: 5 }, list: {} }, async () => {
    for (const args of [["invite", "laptop"], ["registry"]]) {
      const { code, out, err } = await command(...args);
      assertEquals([code, out], [1, ""]);
      assertMatch(err, /^wgsig: cannot ask at .*; it is of another release: restart it\n$/);
    }
  });
});

testWith(["root"], "invite: it is said where no serve runs, and that several do", async () => {
  const { code, out, err } = await command("invite", "laptop");
  assertEquals([code, out], [1, ""]);
  assertMatch(err, new RegExp(`^wgsig: no wgsig serve with --serve ${NAME} runs here .*start one`));
  await withServe({}, async () => {
    await withServe({}, async () => {
      const several = await wgsig(["invite", "laptop"]);
      assertEquals([several.code, several.out], [6, ""]);
      assertMatch(several.err, /^wgsig: several wgsig serve run here; say which: --serve /);
      assertStringIncludes(several.err, `--serve ${NAME}-2`);
    }, `${NAME}-2`);
  });
});

testWith(["root"], "invite --wg-conf: a key pair of which the registry sees one half", async () => {
  await withFolder(async (folder) => {
    await withServe({ "wg-conf": CONFIGURED }, async (asked) => {
      const { code, out, err } = await command("invite", "phone", "--wg-conf", "--via", "hub");
      assertEquals(code, 0);
      const [, privateKey = ""] = /^PrivateKey = (\S{44})$/m.exec(out) ?? [];
      const { out: publicKey } = await wgsig(["keygen", "public"], { input: privateKey });
      assertEquals(asked, [["wg-conf", {
        name: "phone",
        publicKey: publicKey.trim(),
        prefixes: [],
        addresses: [],
        via: "hub",
      }]]);
      assertEquals(
        out.replace(privateKey, "KEY"),
        `[Interface]\nPrivateKey = KEY\nAddress = 10.9.0.3/24\n\n[Peer]\nPublicKey = ${KEY}\n` +
          "AllowedIPs = 10.9.0.0/24\nEndpoint = 203.0.113.9:51820\nPersistentKeepalive = 25\n",
      );
      assertMatch(err, /through hub at 203\.0\.113\.9:51820: it has no NAT in its way\n/);
      assertEquals(err.includes(privateKey), false);

      const file = `${folder}/phone.conf`;
      const written = await command("invite", "phone", "--wg-conf", "--output", file);
      assertEquals([written.code, written.out], [0, ""]);
      const { mode } = await Deno.stat(file);
      assertEquals((mode ?? 0) & 0o777, 0o600);
      const text = await Deno.readTextFile(file);
      assertMatch(text, /^# Made by wgsig.*\n\[Interface\]\nPrivateKey = /);
      const json = await command("invite", "a", "--wg-conf", "--json", "--output", `${file}2`);
      assertEquals(json.out.includes("PrivateKey"), false);
      assertEquals(JSON.parse(json.out).configuration, null);
      const other = await command("invite", "phone", "--wg-conf", "--output", file);
      assertMatch(other.err, new RegExp(`wgsig: ${file} had something else: .* ${file}.old now\n`));
      assertEquals(await Deno.readTextFile(`${file}.old`), text);
    });
  });
});

testWith(["root"], "invite --qr: a code above the link, or of a whole configuration", async () => {
  await withServe({ invite: INVITED, "wg-conf": CONFIGURED }, async (asked) => {
    const link = await command("invite", "laptop", "--qr");
    if (isRouterBinary()) {
      // Nobody is asked in vain.
      const err = /^wgsig: QR codes are left out of the program for small routers; .*qrencode/;
      assertMatch(link.err, err);
      assertEquals([link.code, link.out, asked], [1, "", []]);
      return;
    }
    assertEquals(link.code, 0);
    assertMatch(link.out, /^█+\n/);
    const lines = link.out.trimEnd().split("\n");
    assertEquals(lines.at(-1), INVITED.link);
    for (const line of lines.slice(0, -1)) assert(line.length <= 80);
    const { code, out, err } = await command("invite", "phone", "--wg-conf", "--qr");
    assertEquals([code, out.includes("PrivateKey"), err.includes("PrivateKey")], [0, false, false]);
    assertMatch(out, /^█+\n/);
  });
});

testWith(
  ["root"],
  "invite --wg-conf: the peer is taken back where nobody gets its key",
  async () => {
    const changed = { group: 0, name: "phone", peer: true, invitations: 0 };
    const many = Array.from({ length: 16 }, (_, i) => `fd12:3456:789a:bcde::${i}/128`);
    const answers = { "wg-conf": { ...CONFIGURED, allowedIps: many }, forget: changed };
    await withServe(answers, async (asked) => {
      if (isRouterBinary()) return;
      const { code, out, err } = await command("invite", "phone", "--wg-conf", "--qr");
      assertEquals([code, out], [1, ""]);
      assertMatch(err, /^wgsig: this configuration has \d+ bytes, too many for a QR code/);
      assertEquals(asked.at(-1), ["forget", { group: 0, name: "phone" }]);
    });
    await withServe(answers, async (asked) => {
      const file = "/dev/null";
      const { code } = await command("invite", "phone", "--wg-conf", "--output", file);
      assertEquals([code, asked], [6, []]);
    });
  },
);

testWith(["root"], "registry list: a table of 80 columns, JSON, and names alone", async () => {
  await withServe({ list: LISTED }, async (asked) => {
    const { code, out, err } = await command("registry");
    assertEquals([code, err, asked], [0, "", [["list", {}]]]);
    assertEquals(
      out,
      `group 0, network 10.9.0.0/24

PEER                 HEARD                  ALLOWED IPS
hub                  12 s ago
  10.9.0.1/32, 192.168.178.0/24, fd12:3456:789a:bcde::/64
  ${KEY}
phone ?[31m          through hub            10.9.0.3/32
  ${KEY}

INVITATION           STATE                  ADDRESSES
a name that is as l… open, 2 h left         10.9.0.2/24
bob                  used 5/5               10.9.0.2/24
eve                  revoked                10.9.0.2/24

group 7, no network yet

no peers; make a link for one: wgsig invite NAME

keys that are refused:
  ${KEY}
`,
    );
    const json = await command("registry", "list", "--json", "--group", "0");
    assertEquals<unknown>(JSON.parse(json.out), { schema: 1, ...LISTED });
    const names = await command("registry", "list", "--names");
    const [long] = LISTED.groups[0]!.invitations;
    assertEquals(names.out, `hub\nphone ?[31m\n${long!.name}\n`);
  });
});

testWith(["root"], "registry: what was done is said, and what was not", async () => {
  const peer = { group: 0, name: "alice", peer: true, invitations: 0 };
  const both = { ...peer, invitations: 2 };
  const added = { group: 0, name: "alice", prefixes: ["10.9.0.7/32"], via: null };
  await withServe({ add: added, rename: peer, forget: both, revoke: both }, async (asked) => {
    const args = ["registry", "add", "alice", KEY, "--allowed-ips", "10.9.0.7"];
    assertEquals(
      (await command(...args)).out,
      "alice is a peer of group 0 now: 10.9.0.7/32\n",
    );
    assertEquals(
      (await command("registry", "rename", "al", "alice")).out,
      "al is called alice now\n",
    );
    assertMatch(
      (await command("registry", "forget", "alice")).out,
      /^alice is forgotten: .*\n2 links for alice are dead\nits key may register again.*\n$/,
    );
    assertMatch(
      (await command("registry", "revoke", "alice")).out,
      /^alice is revoked: its key is refused .*\n2 links .*\nif it joined with a link, it still knows the group's secret: .*\n$/,
    );
    const json = await command("registry", "revoke", "alice", "--json", "--group", "0");
    assertEquals<unknown>(JSON.parse(json.out), { schema: 1, ...both });
    assertEquals(asked, [
      ["add", { name: "alice", publicKey: KEY, prefixes: ["10.9.0.7"] }],
      ["rename", { name: "al", to: "alice" }],
      ["forget", { name: "alice" }],
      ["revoke", { name: "alice" }],
      ["revoke", { group: 0, name: "alice" }],
    ]);
  });
});
