import { assert, assertEquals, assertRejects } from "@std/assert";
import { parseSettings } from "../../../lib/core/settings/settings.ts";
import { EXIT, UserError } from "../../../lib/core/settings/user_error.ts";
import type { JoinOutcome } from "../../../lib/core/roster/client/join_question.ts";
import type { UdpOptions, UdpSocket } from "../../../lib/host/udp.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { parseGiven } from "../../../lib/core/roster/client/given.ts";
import {
  join,
  type JoinTalk,
  type JoinWish,
  type Meeting,
} from "../../../lib/service/roster/joining.ts";
import { readGiven } from "../../../lib/service/sync/roster_note.ts";
import type { RunResult } from "../../../lib/host/processes.ts";
import { idOf } from "../../support/fake_random.ts";
import { DONE, MemoryError, MemoryHost, type MemoryOptions } from "../../support/memory_host.ts";

const LINK = { host: "vps.test", port: 1223, serverKey: idOf(1), token: new Uint8Array(16) };
const WISH: JoinWish = {
  link: LINK,
  name: "wg0",
  settings: "/etc/wgsig/wgsig.toml",
  port: undefined,
  isUp: false,
};
const JOINED: JoinOutcome & { readonly kind: "joined" } = {
  kind: "joined",
  peer: {
    name: "phone",
    group: 7,
    secret: new Uint8Array(32).fill(1),
    addresses: ["10.9.0.2/24"],
    unix: 1_700_000_000,
  },
};
const ALL = [
  "/etc/wireguard/wg0.key",
  "/etc/wgsig/secret",
  "/etc/wireguard/wg0.conf",
  "/etc/wgsig/wgsig.toml",
];

const NOTE = "/etc/wireguard/wg0.roster";

/** A host with programs, and ports of which some are taken. */
class Host extends MemoryHost {
  readonly taken = new Set<number>();
  /** Programs that there are not, and such as fail. */
  readonly missing = new Set<string>();
  readonly failing = new Set<string>();
  hasInterface = false;
  /** What brought an interface up. */
  readonly did: string[] = [];

  constructor(options: MemoryOptions = {}) {
    super({
      ...options,
      run: (argv): RunResult => {
        // What wg-quick and the others say goes to a file.
        const [, , script = "", log = "", ...rest] = argv;
        if (argv[0] === "sh" && script.includes('exec "$@"')) {
          // As a shell does that must not overwrite anything.
          if (!script.includes("set -C") || this.text(log) !== undefined) {
            return { ...DONE, code: 2 };
          }
          this.did.push(rest.join(" "));
          if (!this.failing.has(rest.join(" "))) return DONE;
          void this.writeFile(log, new TextEncoder().encode("some line\nit failed\n"), {
            mode: 0o600,
          });
          return { code: 1, out: "", err: "" };
        }
        const [program = "", ...args] = argv;
        if (this.missing.has(program)) throw new MemoryError("ENOENT");
        if (this.failing.has(argv.join(" "))) return { code: 1, out: "", err: "it failed\n" };
        const isLook = args.includes("show");
        return isLook && this.hasInterface
          ? { ...DONE, out: "9: wg0    inet 10.0.0.1/24\n" }
          : DONE;
      },
    });
  }

  override udp({ port }: UdpOptions = { port: 0 } as UdpOptions): Promise<UdpSocket> {
    if (this.taken.has(port)) return Promise.reject(new MemoryError("EADDRINUSE"));
    return Promise.resolve({ port: port || 40_000, send() {}, close() {} });
  }

  get files(): string[] {
    return ALL.concat("/etc/wgsig/wg0.secret").filter((path) => this.text(path) !== undefined);
  }
}

/** Who is met, unless a test says otherwise: nobody. */
const NOBODY: Meeting = {
  isProved: true,
  known: 0,
  peers: [],
  given: { peers: new Map(), routes: new Set() },
  unix: 1_700_000_000,
};

/** A registry that answers so. */
function asked(
  outcome: JoinOutcome | undefined,
  problems: string[] = [],
  meet: JoinTalk["meet"] = () => Promise.resolve(NOBODY),
): JoinTalk {
  const fresh = () => {
    if (outcome?.kind !== "joined") return outcome;
    // Whoever gets a secret wipes it.
    return { ...outcome, peer: { ...outcome.peer, secret: outcome.peer.secret.slice() } };
  };
  return { ask: () => Promise.resolve({ outcome: fresh(), problems: new Set(problems) }), meet };
}

/** The message and the status with which something fails. */
async function failureOf(work: Promise<unknown>): Promise<UserError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
const refuse = () => Promise.reject(new Error("the registry was asked"));
const never: JoinTalk = { ask: refuse, meet: refuse };

Deno.test("who joins has a key, a secret, settings and wg-quick's file, all its owner's", async () => {
  const host = new Host();
  const secret = JOINED.peer.secret.slice();
  const outcome = { ...JOINED, peer: { ...JOINED.peer, secret } };
  const done = await join(host, WISH, {
    ...asked(JOINED),
    ask: () => Promise.resolve({ outcome, problems: new Set<string>() }),
  });
  assertEquals(done.files, ALL);
  assertEquals(host.text("/etc/wgsig/secret"), `${formatKey(JOINED.peer.secret)}\n`);
  assertEquals(secret, new Uint8Array(32), "it is wiped");
  for (const path of ALL) assertEquals(host.mode(path), 0o600, path);
  const key = host.text(ALL[0]!)!.trim();
  const conf = host.text("/etc/wireguard/wg0.conf")!;
  assert(conf.includes(`PrivateKey = ${key}\nAddress = 10.9.0.2/24\nListenPort = 51820\n`));
  const { sync } = parseSettings(host.text("/etc/wgsig/wgsig.toml")!, "/etc/wgsig/wgsig.toml");
  const options = sync?.get("wg0");
  assertEquals(options?.["trust-registry"], true);
  assertEquals([options?.group, options?.["secret-file"], options?.["private-key-file"]], [
    7,
    "/etc/wgsig/secret",
    "/etc/wireguard/wg0.key",
  ]);
  assertEquals(options?.["server-key"]?.[0]?.key, idOf(1));
  // No secret is in the arguments of a program.
  assert(host.events.every((each) => !each.includes(key)));
  assertEquals([done.isQuick, done.isUp, done.notUp], [true, false, undefined]);
});

Deno.test("what is in the way is said before the token is used, and nothing is left behind", async () => {
  const refused = async (host: Host, wish: Partial<JoinWish>, why: string) => {
    const before = host.files;
    const error = await failureOf(join(host, { ...WISH, ...wish }, never));
    assert(error.message.includes(why), error.message);
    assert(!error.message.includes("\n"));
    assertEquals(host.files, before);
  };
  const file = { content: "x" };
  await refused(
    new Host({ files: { "/etc/wireguard/wg0.conf": file } }),
    {},
    "name another interface",
  );
  await refused(new Host({ files: { [NOTE]: file } }), {}, `${NOTE} is there already`);
  const settings = (content: string) =>
    new Host({ files: { "/etc/wgsig/wgsig.toml": { content } } });
  await refused(settings("[sync.wg1]\n"), {}, "has [sync.wg1] already, and is left as it is; name");
  await refused(
    settings("[sync.wg0]\n"),
    {},
    "if this host has joined, go on with: wgsig sync wg0",
  );
  await refused(settings("sync = {}\n"), {}, "--config");
  await refused(settings("[serve]\nlisten = "), {}, "/etc/wgsig/wgsig.toml: ");
  const secrets = { "/etc/wgsig/secret": file, "/etc/wgsig/wg0.secret": file };
  await refused(new Host({ files: secrets }), {}, "wg0.secret are there already");
  await refused(new Host({ refuses: { writeFile: "EACCES" } }), {}, "cannot write into /etc/wgsig");
  await refused(new Host({ refuses: { makeFolder: "EROFS" } }), {}, "cannot write into /etc/wgsig");
  const closed = new Host();
  closed.identify = () => Promise.reject(new MemoryError("EACCES"));
  await refused(closed, {}, "wg0.conf: permission denied; run this as root");
  const there = new Host();
  there.hasInterface = true;
  await refused(there, {}, "there is an interface wg0 already");
  const busy = new Host();
  busy.taken.add(4000);
  await refused(busy, { port: 4000 }, "UDP port 4000 is in use");
  const bare = new Host();
  bare.missing.add("wg");
  await refused(bare, { isUp: true }, "install wireguard-tools");
  const noKey = new Host({ files: { "/etc/wireguard/wg0.key": { content: "x", mode: 0o644 } } });
  await refused(noKey, {}, "can be read by others");
});

Deno.test("a registry that gives an address in a network of everything is not joined", async () => {
  for (const wide of ["192.168.1.7/0", "10.9.0.2/1", "fd00::2/0"]) {
    const host = new Host();
    const peer = { ...JOINED.peer, addresses: ["10.9.0.2/24", wide] };
    const error = await failureOf(join(host, WISH, asked({ ...JOINED, peer })));
    assert(error.message.includes(wide), error.message);
    assertEquals(host.files, []);
  }
});

Deno.test("what lies where the log of wg-quick goes is not written through", async () => {
  const host = new Host({
    files: { "/etc/wgsig/.wgsig-join.log": { content: "a link, perhaps" } },
  });
  const done = await join(host, { ...WISH, isUp: true }, asked(JOINED));
  assertEquals([done.isUp, host.did], [true, ["wg-quick up wg0"]]);
  assertEquals(host.text("/etc/wgsig/.wgsig-join.log"), undefined);
});

Deno.test("the usual port may be taken, and the usual secret another's", async () => {
  const host = new Host({ files: { "/etc/wgsig/secret": { content: "another" } } });
  host.taken.add(51_820);
  const { made } = await join(host, WISH, asked(JOINED));
  assertEquals([made.listenPort, made.secretFile], [40_000, "/etc/wgsig/wg0.secret"]);
  assertEquals(host.text("/etc/wgsig/secret"), "another");
});

Deno.test("settings with examples alone, as packages bring them, are gone on with", async () => {
  const examples = "# [sync.wg0]\n\n  # servers = []";
  const host = new Host({ files: { "/etc/wgsig/wgsig.toml": { content: examples } } });
  await join(host, WISH, asked(JOINED));
  const text = host.text("/etc/wgsig/wgsig.toml")!;
  assert(text.startsWith(`${examples}\n\n# Written by wgsig join.\n[sync.wg0]\n`));
});

Deno.test("the host of a registry can join: its settings stay, and those of sync come behind them", async () => {
  const before = '[serve]\nstate = "/var/lib/wgsig/state"\n\n[[serve.group]]\nid = 7';
  const host = new Host({ files: { "/etc/wgsig/wgsig.toml": { content: before } } });
  await join(host, WISH, asked(JOINED));
  const text = host.text("/etc/wgsig/wgsig.toml")!;
  assert(text.startsWith(`${before}\n\n# Written by wgsig join.\n[sync.wg0]\n`));
  const { serve, sync } = parseSettings(text);
  assertEquals([serve?.group?.length, sync?.get("wg0")?.group], [1, 7]);
});

Deno.test("a link that is good for nothing says so, and leaves nothing", async () => {
  for (
    const [kind, why] of [["used", "used already"], ["ended", "has ended"], [
      "revoked",
      "was revoked",
    ]] as const
  ) {
    const host = new Host();
    const error = await failureOf(join(host, WISH, asked({ kind })));
    assert(error.message.includes(why), error.message);
    assert(error.message.includes("wgsig invite NAME"));
    assertEquals(host.files, []);
  }
});

Deno.test("where it isn't certain what the registry did, the key stays, and is used again", async () => {
  const host = new Host();
  const error = await failureOf(join(host, WISH, asked(undefined)));
  assert(error.message.includes("no answer"), error.message);
  assertEquals(error.status, EXIT.timedOut);
  assertEquals(host.files, ["/etc/wireguard/wg0.key"]);
  const key = host.text("/etc/wireguard/wg0.key");
  await assertRejects(
    () => join(host, WISH, asked(undefined, ["ECONNREFUSED"])),
    UserError,
    "serve",
  );
  await assertRejects(() => join(host, WISH, asked({ kind: "busy" })), UserError, "no room");
  // Who has used it was this key, perhaps, before a run that was cut short: then it says so.
  await assertRejects(() => join(host, WISH, asked({ kind: "used" })), UserError, "used already");
  await join(host, WISH, asked(JOINED));
  assertEquals(host.text("/etc/wireguard/wg0.key"), key);
  assertEquals(host.files, ALL);
});

Deno.test("a file that can't be written takes the others back, and says how to go on", async () => {
  const host = new Host();
  const talk = asked(JOINED);
  const ask: JoinTalk["ask"] = (question) => {
    host.refuses = { writeFile: "ENOSPC" };
    return talk.ask(question);
  };
  const error = await failureOf(join(host, WISH, { ...talk, ask }));
  assert(error.message.includes("run the same command"), error.message);
  assert(error.message.includes("the link is used"));
  assertEquals(host.files, ["/etc/wireguard/wg0.key"]);
  host.refuses = {};
  assertEquals((await join(host, WISH, asked(JOINED))).files, ALL);
});

Deno.test("an interface is brought up by wg-quick, or by hand where there is none", async () => {
  const quick = new Host();
  assertEquals((await join(quick, { ...WISH, isUp: true }, asked(JOINED))).isUp, true);
  assertEquals(quick.did, ["wg-quick up wg0"]);

  const failing = new Host();
  failing.failing.add("wg-quick up wg0");
  const done = await join(failing, { ...WISH, isUp: true }, asked(JOINED));
  assertEquals([done.isUp, done.notUp], [false, "wg-quick up wg0: it failed"]);
  assertEquals(failing.files, ALL);

  const router = new Host();
  router.missing.add("wg-quick");
  const bare = await join(router, { ...WISH, isUp: true }, asked(JOINED));
  assertEquals(bare.files, ["/etc/wgsig/wg0.key", "/etc/wgsig/secret", "/etc/wgsig/wgsig.toml"]);
  assertEquals(router.did, [
    "ip link add dev wg0 type wireguard",
    "wg set wg0 private-key /etc/wgsig/wg0.key listen-port 51820",
    "ip -4 addr add 10.9.0.2/24 dev wg0",
    "ip link set up dev wg0",
  ]);

  const half = new Host();
  half.missing.add("wg-quick");
  half.failing.add("ip link set up dev wg0");
  const undone = await join(half, { ...WISH, isUp: true }, asked(JOINED));
  assertEquals(undone.isUp, false);
  assertEquals(half.did.at(-1), "ip link del dev wg0");
});

const [BOB, PHONE] = [formatKey(idOf(2)), formatKey(idOf(3))];
/** Bob is known, with a phone that is reached through him. */
const MET: Meeting = {
  isProved: true,
  known: 2,
  peers: [{
    publicKey: BOB,
    name: "bob",
    seen: undefined,
    allowedIps: ["10.9.0.3/32", "10.9.0.4/32", "192.168.4.0/24"],
    persistentKeepalive: 25,
    presharedKey: undefined,
  }],
  given: {
    peers: new Map([[BOB, {
      isWhole: true,
      allowedIps: new Map([["10.9.0.3/32", BOB], ["10.9.0.4/32", PHONE], ["192.168.4.0/24", BOB]]),
    }]]),
    routes: new Set(["192.168.4.0/24"]),
  },
  unix: 1_700_000_000,
};

Deno.test("whom the registry knows is in wg-quick's file before that is brought up, and in a note", async () => {
  const host = new Host();
  const order: string[] = [];
  const done = await join(
    host,
    { ...WISH, isUp: true },
    asked(JOINED, [], () => {
      order.push(...host.files, ...host.did);
      return Promise.resolve(MET);
    }),
  );
  assertEquals(order, ALL);
  assertEquals(host.did, ["wg-quick up wg0"]);
  assertEquals(done.files, [...ALL, NOTE]);
  assertEquals([done.meeting?.known, done.unmet], [2, undefined]);
  for (const path of done.files) assertEquals(host.mode(path), 0o600, path);
  const conf = host.text("/etc/wireguard/wg0.conf")!;
  assert(conf.includes(
    `ListenPort = 51820\n\n[Peer]\n# bob\nPublicKey = ${BOB}\n` +
      "AllowedIPs = 10.9.0.3/32, 10.9.0.4/32, 192.168.4.0/24\n",
  ));
  assertEquals(parseGiven(host.text(NOTE)!, undefined), MET.given);
  // That is what sync begins with, for an interface that nothing was noted of since.
  assertEquals(await readGiven(host, "wg0", ""), MET.given);
});

Deno.test("whatever comes of the first question, this host has joined, and it is said", async () => {
  const silent = new Host();
  const why = "vps.test:1223 does not answer";
  const refused = asked(JOINED, [], () => Promise.reject(new UserError(why)));
  const done = await join(silent, { ...WISH, isUp: true }, refused);
  assertEquals([done.meeting, done.unmet, done.isUp], [undefined, why, true]);
  assertEquals(done.files, ALL);
  assert(!silent.text("/etc/wireguard/wg0.conf")!.includes("[Peer]"));

  const full = new Host();
  const kept = await join(
    full,
    WISH,
    asked(JOINED, [], () => {
      full.refuses = { writeFile: "ENOSPC" };
      return Promise.resolve(MET);
    }),
  );
  assertEquals([kept.meeting, kept.files], [MET, ALL]);
  assert(kept.unmet?.startsWith(`cannot write ${NOTE}`));
  assertEquals(full.text(NOTE), undefined);
  assert(!full.text("/etc/wireguard/wg0.conf")!.includes("[Peer]"));

  const router = new Host();
  router.missing.add("wg-quick");
  const bare = await join(router, WISH, asked(JOINED, [], () => Promise.resolve(MET)));
  assertEquals([bare.unmet, router.text(NOTE)], [undefined, undefined]);
});
