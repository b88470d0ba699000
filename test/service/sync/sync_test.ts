import { assertEquals, assertRejects } from "@std/assert";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import type { Signal } from "../../../lib/host/signals.ts";
import type { SyncConfig } from "../../../lib/service/sync/config.ts";
import { sync, type SyncHost } from "../../../lib/service/sync/sync.ts";
import { SYNC_CONFIG as CONFIG } from "../../support/sync_config.ts";
import { idOf } from "../../support/fake_random.ts";
import { DONE, MemoryError, MemoryHost, type MemoryOptions } from "../../support/memory_host.ts";
import { test } from "../../testing.ts";

/** What goes without where the port is borrowed. */
const BORROW_HINT =
  `hint="ways to peers aren't probed, and no ports are guessed or predicted: that ` +
  `needs raw sockets (root, or CAP_NET_RAW)"`;

const LEASE = { acceptRoutes: false, isTrusted: false };
const UNIX = 1_800_000_000;
const OWN = formatKey(idOf(1));
const PEER = formatKey(idOf(2));
const DUMP = `(hidden)\t${OWN}\t51820\toff\n`;

/** What is done first. */
const LOCKED = ["makeFolder /var/run/wgsig", "readlink /proc/self/ns/net"];

/** A memory host whose timers send signals: those of a number, as it elapses. */
function hostWith(
  options: MemoryOptions,
  signals: ReadonlyMap<number, Signal>,
): [SyncHost, MemoryHost] {
  const host = new MemoryHost(options);
  host.wall = UNIX;
  const handlers = new Map<Signal, () => void>();
  let timers = 0;
  const { primitives, out, err, random, runtime } = host;
  return [{
    ...{ primitives, out, err, random, runtime },
    now: () => host.now(),
    after: (seconds, run) => {
      const signal = signals.get(timers++);
      return host.after(seconds, signal === undefined ? run : () => handlers.get(signal)?.());
    },
    onSignal: (signal, run) => {
      handlers.set(signal, run);
      return () => handlers.delete(signal);
    },
    readFile: (path, limit) => host.readFile(path, limit),
    writeFile: (path, bytes, how) => host.writeFile(path, bytes, how),
    replaceFile: (path, how) => host.replaceFile(path, how),
    appendFile: (path, bytes) => host.appendFile(path, bytes),
    identify: (path) => host.identify(path),
    renameFile: (from, to) => host.renameFile(from, to),
    removeFile: (path) => host.removeFile(path),
    makeFolder: (path) => host.makeFolder(path),
    // There is no nft, so that no endpoint was spoken to through another port.
    run: (argv, how) =>
      argv[0] === "nft" ? Promise.reject(new MemoryError("ENOENT")) : host.run(argv, how),
    lockFile: (path) => host.lockFile(path),
    resolve: () => host.resolve(),
    localAddresses: () => host.localAddresses(),
    env: () => undefined,
    sendLocal: (to, bytes) => host.sendLocal(to, bytes),
    udp: () => host.udp(),
    rawUdp: () => host.rawUdp(),
    connectedUdp: () => host.connectedUdp(),
    listFolder: (path) => host.listFolder(path),
    listenLocal: () => Promise.resolve({ close() {} }),
    connectLocal: () => host.connectLocal(),
    tcpConnect: () => host.tcpConnect(),
    tcpListen: () => host.tcpListen(),
  }, host];
}

/** The same settings whenever they are read. */
function synced(host: SyncHost, config: SyncConfig) {
  return sync(host, () => Promise.resolve(config));
}

/** What was logged, without the time. */
function told({ out }: MemoryHost): string[] {
  return out.text.trimEnd().split("\n").map((line) => line.slice(line.indexOf(" ") + 1));
}

/** `wg show` prints this, all else is done. */
function showing(dump: string): MemoryOptions {
  return { run: (argv) => argv.includes("show") ? { ...DONE, out: dump } : DONE };
}

test("sync: a question that fails gives the port back, a signal looks at once, another ends it", async () => {
  const signals = new Map<number, Signal>([[0, "SIGHUP"], [1, "SIGTERM"]]);
  const [host, memory] = hostWith(showing(DUMP), signals);
  assertEquals(await synced(host, CONFIG), 0);
  assertEquals(told(memory), [
    "info interface-found interface=wg0 port=51820 register=borrow " +
    `why="no raw socket: operation not permitted" ${BORROW_HINT}`,
    'warn not-asked why="cannot use UDP port 51820: permission denied"',
    "info reloaded servers=1",
    "info stopped signal=SIGTERM",
  ]);
  const borrowed = [
    "makeFolder /var/run/wgsig",
    "writeFile /var/run/wgsig/wg0.port",
    "wg set wg0 listen-port 0",
    "wg set wg0 listen-port 51820",
    "removeFile /var/run/wgsig/wg0.port",
  ];
  // The private key is not tried to be read again and again.
  const looks = ["wg show wg0 dump", "wg show wg0 private-key", ...borrowed, "wg show wg0 dump"];
  assertEquals(memory.events, [...LOCKED, ...looks, ...borrowed]);
});

test("sync: boringtun's interface, which tells no key, is asked for with that of the settings", async () => {
  const [host, memory] = hostWith(
    showing("(none)\t(none)\t51820\toff\n"),
    new Map([[0, "SIGTERM"]]),
  );
  const config = { ...CONFIG, readKey: () => Promise.resolve(OWN) };
  assertEquals(await synced(host, config), 0);
  assertEquals(memory.events.includes("wg set wg0 listen-port 0"), true, "the port is borrowed");
  assertEquals(memory.out.text.includes("no-private-key"), false);
});

test("sync: the private key proves questions, is told nobody, and wiped", async () => {
  const privateKey = new Uint8Array(32).fill(0x0a);
  const text = formatKey(privateKey);
  const own = formatKey(new ExchangeKey(privateKey, PORTABLE).publicKey.bytes);
  const dump = (key: string) => `${key}\t${key === "(none)" ? key : own}\t51820\toff\n`;
  for (const isTold of [true, false]) {
    const named = privateKey.slice();
    const run: MemoryOptions["run"] = (argv) => {
      const what = argv.includes("show") ? argv.at(-1) : undefined;
      const out = what === "dump"
        ? dump(isTold ? text : "(none)")
        : what === "private-key"
        ? `${isTold ? text : "(none)"}\n`
        : "";
      return { ...DONE, out };
    };
    const [host, memory] = hostWith({ run }, new Map([[0, "SIGTERM"]]));
    let reads = 0;
    const readPrivateKey = () => {
      reads++;
      return Promise.resolve(named);
    };
    const readKey = () => Promise.resolve(own);
    assertEquals(await synced(host, { ...CONFIG, readKey, readPrivateKey }), 0);
    // Where the interface tells its key, the settings' is not needed; else that is read, and wiped.
    assertEquals([reads, named.every((byte) => byte === 0)], isTold ? [0, false] : [1, true]);
    assertEquals(memory.events.filter((each) => each.endsWith("private-key")).length, 1);
    for (const each of [memory.out.text, memory.err.text, ...memory.events]) {
      assertEquals(each.includes(text), false, each);
    }
  }
});

test("sync: what is doubtful in the settings is said once", async () => {
  const signals = new Map<number, Signal>([[0, "SIGHUP"], [1, "SIGTERM"]]);
  const [host, memory] = hostWith(showing(DUMP), signals);
  assertEquals(await synced(host, { ...CONFIG, doubts: ["two are called bob", "x"] }), 0);
  assertEquals(told(memory).filter((line) => line.includes("doubtful")), [
    'warn settings-doubtful why="two are called bob; x"',
  ]);
});

test("sync: SIGHUP reads settings and secret again, and what is wrong with them changes nothing", async () => {
  const signals = new Map<number, Signal>([[0, "SIGHUP"], [1, "SIGHUP"], [2, "SIGTERM"]]);
  const [host, memory] = hostWith(showing(DUMP), signals);
  const read: (() => SyncConfig)[] = [
    () => ({ ...CONFIG, register: "none" }),
    () => {
      throw new UserError("secret file /etc/wgsig/secret has 5 bytes that are no secret");
    },
    () => ({ ...CONFIG, interface: "wg1", addPeers: true, lease: LEASE }),
  ];
  let loads = 0;
  assertEquals(await sync(host, () => Promise.resolve().then(() => read[loads++]!())), 0);
  assertEquals(loads, 3);
  const lines = told(memory);
  assertEquals(lines.filter((line) => !line.includes("server")), [
    'info interface-found interface=wg0 port=51820 register=none why="as the settings say"',
    'warn not-asked why="cannot open a UDP socket: permission denied"',
    'error not-reloaded why="secret file /etc/wgsig/secret has 5 bytes that are no secret" ' +
    'effect="the settings before stay in force"',
    "warn restart-needed changed=interface,lease",
    'info interface-found interface=wg0 port=51820 register=borrow why="no raw socket: operation ' +
    `not permitted" ${BORROW_HINT}`,
    'warn not-asked why="cannot use UDP port 51820: permission denied"',
    "info stopped signal=SIGTERM",
  ]);
  assertEquals(lines.filter((line) => line.includes("reloaded servers=1")).length, 1);
});

test("sync: what waits for a restart is said at each reload, until the settings are the first again", async () => {
  const signals = new Map<number, Signal>([
    ...[0, 1, 2].map((i) => [i, "SIGHUP"] as const),
    [3, "SIGTERM"],
  ]);
  const [host, memory] = hostWith(showing(DUMP), signals);
  const wanted: SyncConfig = { ...CONFIG, lease: LEASE };
  const read = [CONFIG, wanted, wanted, CONFIG];
  let loads = 0;
  assertEquals(await sync(host, () => Promise.resolve(read[loads++]!)), 0);
  assertEquals(told(memory).filter((line) => / (?:reloaded|restart-needed) /.test(line)), [
    ...["info reloaded servers=1", "warn restart-needed changed=lease"],
    ...["info reloaded servers=1", "warn restart-needed changed=lease"],
    "info reloaded servers=1",
  ]);
});

test("sync: a key that the settings name and that can't be read is said, at a reload as well", async () => {
  const signals = new Map<number, Signal>([[0, "SIGHUP"], [1, "SIGTERM"]]);
  const [host, memory] = hostWith(showing(DUMP), signals);
  const why = "cannot read private key file /k: no such file or directory";
  const config = { ...CONFIG, readKey: () => Promise.reject(new UserError(why)) };
  assertEquals(await synced(host, config), 0);
  const hint = "it is needed where the interface doesn't tell its key (boringtun)";
  const line = `warn key-not-read why="${why}" hint="${hint}"`;
  assertEquals(told(memory).filter((each) => each.includes("key-not-read")), [line, line]);
});

test("sync: systemd hears of a reload, also where it failed", async () => {
  const [host] = hostWith(showing(DUMP), new Map([[0, "SIGHUP"], [3, "SIGTERM"]]));
  const sent: string[] = [];
  const told: SyncHost = {
    ...host,
    env: (name) => name === "NOTIFY_SOCKET" ? "/run/notify" : undefined,
    sendLocal: (_, bytes) => void sent.push(new TextDecoder().decode(bytes).split("\n")[0]!),
  };
  let loads = 0;
  const load = () =>
    loads++ === 0
      ? Promise.resolve<SyncConfig>({ ...CONFIG, register: "none" })
      : Promise.reject(new UserError("no"));
  assertEquals(await sync(told, load), 0);
  assertEquals(sent.filter((line) => !line.startsWith("STATUS")), [
    ...["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"],
  ]);
});

test("sync: who comes second waits until the first has ended, in each network namespace", async () => {
  const options: MemoryOptions = {
    run: (argv) => {
      const out = argv[0] === "readlink" ? "net:[7]\n" : argv.includes("show") ? DUMP : "";
      return { ...DONE, out };
    },
  };
  for (const [locked, waits] of [["wg0.7", true], ["wg0.8", false], ["wg1.7", false]] as const) {
    const [host, memory] = hostWith(options, new Map([[2, "SIGTERM"]]));
    memory.locks.add(`/var/run/wgsig/${locked}.lock`);
    assertEquals(await synced(host, { ...CONFIG, register: "none" }), 0);
    const [first = ""] = told(memory);
    assertEquals(first.startsWith("warn interface-busy interface=wg0 "), waits, first);
    assertEquals(memory.events.includes("wg show wg0 dump"), !waits);
    assertEquals([...memory.locks], [`/var/run/wgsig/${locked}.lock`], "its own is given back");
  }
  const [host, memory] = hostWith(options, new Map());
  memory.locks.add("/var/run/wgsig/wg0.7.lock");
  await assertRejects(
    () => synced(host, { ...CONFIG, once: true }),
    UserError,
    "another wgsig sync takes care of wg0 already",
  );
});

test("sync: a port that a killed run has left is given back first", async () => {
  const note = { "/var/run/wgsig/wg0.port": { content: "7\n" } };
  const [host, memory] = hostWith(
    { ...showing(DUMP), files: note },
    new Map([[0, "SIGTERM"]]),
  );
  assertEquals(await synced(host, { ...CONFIG, register: "none" }), 0);
  assertEquals(told(memory)[0], "warn port-mended interface=wg0 port=7");
  assertEquals(memory.events, [
    ...LOCKED,
    "wg show wg0 dump",
    "wg set wg0 listen-port 7",
    "removeFile /var/run/wgsig/wg0.port",
    "wg show wg0 dump",
    "wg show wg0 private-key",
  ]);
});

test("sync: an interface that can't be read is told of once, and ends nothing", async () => {
  const run = () => ({
    code: 1,
    out: "",
    err: "Unable to access interface: Operation not permitted\n",
  });
  const [host, memory] = hostWith({ run }, new Map([[5, "SIGINT"]]));
  assertEquals(await synced(host, CONFIG), 0);
  assertEquals(told(memory), [
    'warn not-done why="cannot read WireGuard interface wg0: Unable to access interface: ' +
    'Operation not permitted; run this as root, or with CAP_NET_ADMIN"',
    "info stopped signal=SIGINT",
  ]);
  assertEquals(memory.events.length, LOCKED.length + 6);
});

test("sync: a single look ends with what stands in its way", async () => {
  const cases: readonly (readonly [MemoryOptions, string])[] = [
    [{}, "cannot run wg: no such file or directory; install wireguard-tools"],
    [
      { run: () => ({ code: 1, out: "", err: "Unable to access interface: No such device\n" }) },
      "there is no WireGuard interface wg0; bring it up first, or leave --once out to wait",
    ],
    [showing(DUMP), "cannot use UDP port 51820: permission denied"],
  ];
  for (const [options, why] of cases) {
    const [host, memory] = hostWith(options, new Map());
    await assertRejects(() => synced(host, { ...CONFIG, once: true }), UserError, why);
    assertEquals(memory.out.text.includes("not-"), false);
  }
});

test("sync: a single look at which the system says no is no fault of the program", async () => {
  const [host] = hostWith(showing(DUMP), new Map());
  const failing = (error: Error) =>
    synced({ ...host, readFile: () => Promise.reject(error) }, { ...CONFIG, once: true });
  await assertRejects(
    () => failing(new MemoryError("EACCES")),
    UserError,
    "the look at wg0 was not done: permission denied",
  );
  const fault = Object.assign(new TypeError("x is undefined"), { code: "ERR_INVALID_ARG_TYPE" });
  await assertRejects(() => failing(fault), TypeError);
});

test("sync: where nothing can be noted, the port is borrowed all the same", async () => {
  const refuses = { makeFolder: "EROFS", writeFile: "EROFS", removeFile: "EROFS" };
  const [host, memory] = hostWith({ ...showing(DUMP), refuses }, new Map([[0, "SIGTERM"]]));
  assertEquals(await synced(host, CONFIG), 0);
  assertEquals(memory.events, [
    "wg show wg0 dump",
    "wg show wg0 private-key",
    "wg set wg0 listen-port 0",
    "wg set wg0 listen-port 51820",
  ]);
});

test("sync: a file in the place of the folder for locks is named", async () => {
  const [host, memory] = hostWith(
    { ...showing(DUMP), refuses: { makeFolder: "EEXIST" } },
    new Map([[0, "SIGTERM"]]),
  );
  assertEquals(await synced(host, CONFIG), 0);
  const why = 'why="/var/run/wgsig is a file; a folder is needed there"';
  const [line = ""] = told(memory).filter((each) => each.includes("not-locked"));
  assertEquals(line.startsWith(`warn not-locked interface=wg0 ${why} hint=`), true, line);
});

test("sync: the end waits for the hook of what has changed", async () => {
  const alive = `${PEER}\t(none)\t192.0.2.7:7\t(none)\t${UNIX}\t1\t1\t25\n`;
  let ended = 0;
  const [host, memory] = hostWith({
    run: async (argv) => {
      if (argv.includes("show")) return { ...DONE, out: DUMP + alive };
      if (argv[0] !== "sh") return DONE;
      for (let i = 0; i < 50; i++) await Promise.resolve();
      ended++;
      return DONE;
    },
  }, new Map());
  const report = { ...CONFIG.report, hook: "logger" };
  const config: SyncConfig = { ...CONFIG, servers: [], once: true, report };
  assertEquals(await synced(host, config), 0);
  assertEquals(told(memory).slice(-2), [
    `info peer-alive key=${PEER} endpoint=192.0.2.7:7`,
    "info looked peers=1 down=0",
  ]);
  assertEquals(ended, 1);
});
