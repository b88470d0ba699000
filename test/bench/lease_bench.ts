/**
 * What a lease server with 10 000 leases spends on a request. Files and processes are real, but `wg`
 * is `cat` and `true`, and connections are in memory: what is measured is this program's part. Runs on
 * Bun, and on Deno.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { setImmediate } from "node:timers";
import { Counters } from "../../lib/core/net/counters.ts";
import { LeaseBook } from "../../lib/core/lease/server/book.ts";
import { LeaseSession } from "../../lib/core/lease/server/session.ts";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import type { TcpConnection, TcpEvents, TcpListenOptions } from "../../lib/host/tcp.ts";
import { codedError } from "../../lib/host/error.ts";
import type { Host } from "../../lib/host/host.ts";
import { LeaseService } from "../../lib/service/lease/server/service.ts";
import { Log } from "../../lib/service/log/log.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { commonHost as system } from "../support/common_host.ts";
import { encodeAdded, encodeLeases } from "../support/saved_leases.ts";
import { idOf } from "../support/fake_random.ts";

const LEASES = 10_000;
/** So many of them ask. */
const CLIENTS = 500;
const POOLS = ["10.20.0.0/16", "fd00:20::/64"];
const WATCH = 2;
const NAME_WIDTH = 34;
const WIDTH = 11;
const OWNER = { mode: 0o600 };
const LOOKS = 5;
/** Between two looks whether anything else has its turn, in milliseconds. */
const STOP_TICK = 2;
const ANY = "request_ip=1\nip=0.0.0.0\nip=::\n\n";

const keyOf = (i: number) => formatKey(idOf(100 + i));
const addressOf = (i: number) => `fe80::1:${i.toString(16)}`;

const none = () => Promise.reject(codedError("ENOSYS"));

function say(text: string): void {
  system.out.write(`${text}\n`);
}

/** A client's end of a connection. */
class Client implements TcpConnection {
  readonly local = { host: "fe80::", port: 970 };
  readonly remote;
  readonly waiting = 0;
  readonly request: Uint8Array;
  events: TcpEvents | undefined;
  done: (isAnswered: boolean) => void = () => {};

  constructor(i: number, text: string) {
    this.remote = { host: addressOf(i), port: 970 };
    this.request = new TextEncoder().encode(text);
  }

  write(bytes: Uint8Array): void {
    // "ip=" is what a grant begins with.
    if (bytes.length > 0) this.done(bytes[0] === 0x69);
  }

  abort(): void {
    this.done(false);
    this.events?.onClose(undefined);
  }

  end(): void {}
  pause(): void {}
  resume(): void {}

  ask(): Promise<boolean> {
    return new Promise((done) => {
      this.done = done;
      this.events?.onData(this.request);
    });
  }
}

/** A server with its leases. */
class Scene {
  readonly folder: string;
  readonly book: LeaseBook;
  readonly service: LeaseService;
  #listening: TcpListenOptions | undefined;
  #watch: () => void = () => {};
  #looked: () => void = () => {};
  /** Seconds by which the server's clocks are ahead: a look comes when it is called for. */
  #ahead = 0;

  constructor(folder: string) {
    this.folder = folder;
    const options = { reserved: [], fixed: new Map(), leaseTime: 3600, maxLeases: LEASES };
    this.book = new LeaseBook({ pools: POOLS, ...options }, system.random);
    for (let i = 0; i < LEASES; i++) this.book.request(keyOf(i), { ipv4: 0n, ipv6: 0n }, 0);
    this.service = new LeaseService(
      {
        host: this.#host(),
        log: new Log(this.#host(), { format: "text", verbosity: "quiet" }),
        counters: new Counters(),
      },
      {
        interface: "wg0",
        pools: POOLS,
        ...options,
        routes: [],
        state: `${folder}/leases`,
        configure: false,
      },
    );
  }

  #host(): Host {
    const { folder } = this;
    return {
      ...system,
      runtime: "",
      lockFile: () => Promise.resolve(() => {}),
      args: [],
      primitives: PORTABLE,
      onSignal: () => () => {},
      forbidDumps() {},
      sendLocal() {},
      udp: none,
      connectedUdp: none,
      rawUdp: none,
      resolve: none,
      tcpConnect: none,
      localAddresses: () => [],
      run: (argv) => {
        const line = argv.join(" ");
        if (line.startsWith("wg show")) return system.run(["cat", `${folder}/${argv[3]}`]);
        if (line.startsWith("wg set")) return system.run(["true"]);
        const addr = `3: wg0    inet6 fe80::/128 scope link\n`;
        const out = line.startsWith("ip -o addr") ? addr : "fe80::/64 proto kernel\n";
        return Promise.resolve({ code: 0, out, err: "" });
      },
      tcpListen: (options) => {
        this.#listening = options;
        return Promise.resolve({ port: 970, close() {} });
      },
      now: () => {
        const { unix, mono } = system.now();
        return { unix: unix + this.#ahead, mono: mono + this.#ahead };
      },
      after: (seconds, run) => {
        if (Math.abs(seconds - WATCH) > 0.1) return system.after(seconds, run);
        this.#watch = run;
        this.#looked();
        return () => {};
      },
    };
  }

  async start(): Promise<void> {
    const { folder, book } = this;
    const allowed = (i: number) => [`${addressOf(i)}/128`, ...book.addressesOf(keyOf(i))];
    const all = Array.from({ length: LEASES }, (_, i) => i);
    const dump = all.map((i) =>
      `${keyOf(i)}\t(none)\t203.0.113.1:${1 + i}\t${allowed(i)}\t1700000000\t${i}\t${i}\t25\n`
    );
    const allowedIps = all.map((i) => `${keyOf(i)}\t${allowed(i).join(" ")}\n`);
    const write = (name: string, text: string) =>
      system.writeFile(`${folder}/${name}`, new TextEncoder().encode(text), OWNER);
    await write("dump", `(none)\t${keyOf(-1)}\t5\toff\n${dump.join("")}`);
    await write("allowed-ips", allowedIps.join(""));
    const state = encodeLeases(book, { unix: system.now().unix, mono: 0 });
    await system.writeFile(`${folder}/leases`, state, OWNER);
    await this.service.start();
  }

  /** The next look at the device. */
  async look(): Promise<void> {
    const looked = new Promise<void>((done) => this.#looked = done);
    this.#ahead += WATCH;
    this.#watch();
    await looked;
  }

  connect(text: (i: number) => string): Client[] {
    return Array.from({ length: CLIENTS }, (_, i) => {
      const client = new Client(i, text(i));
      client.events = this.#listening!.onConnection(client);
      return client;
    });
  }

  /** A renewal of a peer's lease. */
  renewal(i: number): string {
    return `request_ip=1\nip=${this.book.addressesOf(keyOf(i)).join("\nip=")}\n\n`;
  }
}

/** Finds out for how long nothing else had its turn, at most. */
class Stops {
  #last = performance.now();
  #longest = 0;
  readonly #timer = setInterval(() => this.#note(), STOP_TICK);

  #note(): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
  }

  /** Milliseconds. */
  end(): number {
    this.#note();
    clearInterval(this.#timer);
    return Math.max(0, this.#longest - STOP_TICK);
  }
}

/** µs of CPU that this process has had. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function sayRow(name: string, columns: readonly string[]): void {
  say(`${name.padEnd(NAME_WIDTH)}${columns.map((each) => each.padStart(WIDTH)).join("")}`);
}

async function measure(name: string, clients: Client[], inFlight: number, seconds: number) {
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  let next = 0;
  let wrong = 0;
  const stops = new Stops();
  const start = performance.now();
  const before = cpu();
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (performance.now() < end) {
      const client = clients[next++ % clients.length]!;
      const asked = performance.now();
      if (!await client.ask()) wrong++;
      times.push(performance.now() - asked);
      // What comes from a network comes in a turn of its own.
      await new Promise((done) => setImmediate(done));
    }
  }));
  const spent = cpu() - before;
  const taken = performance.now() - start;
  times.sort((a, b) => a - b);
  const part = (share: number) => times[Math.floor(share * (times.length - 1))]!;
  sayRow(name, [
    (times.length / taken * 1000).toFixed(0),
    (spent / times.length).toFixed(0),
    (part(0.5) * 1000).toFixed(0),
    (part(0.99) * 1000).toFixed(0),
    stops.end().toFixed(1),
    String(wrong),
  ]);
}

/** Requests alone, without connections, disk and device. */
function measureCore(book: LeaseBook, times: number): void {
  const renewals = Array.from({ length: CLIENTS }, (_, i) => {
    const text = `request_ip=1\nip=${book.addressesOf(keyOf(i)).join("\nip=")}\n\n`;
    return new TextEncoder().encode(text);
  });
  const any = new TextEncoder().encode(ANY);
  const now = { unix: system.now().unix, mono: 1 };
  for (
    const [name, requestOf] of [["renewal", (i: number) => renewals[i]!], [
      "new addresses",
      () => any,
    ]] as const
  ) {
    const start = cpu();
    for (let n = 0; n < times; n++) {
      const i = n % CLIENTS;
      new LeaseSession(keyOf(i), book).receive(requestOf(i), now);
      for (const { publicKey, gone } of book.takeChanges()) book.settled(publicKey, gone);
      encodeAdded(book, now);
    }
    sayRow(`core: ${name}`, ["", ((cpu() - start) / times).toFixed(0)]);
  }
}

const seconds = Number(process.env["WGSIG_BENCH_SECONDS"] ?? 0.6);
const folder = await mkdtemp(`${tmpdir()}/wgsig-bench-`);
try {
  const scene = new Scene(folder);
  await scene.start();
  sayRow(`${LEASES} leases`, ["per s", "µs CPU", "p50 µs", "p99 µs", "stop ms", "wrong"]);
  const stops = new Stops();
  const before = cpu();
  const start = performance.now();
  for (let i = 0; i < LOOKS; i++) await scene.look();
  sayRow("a look at the device", [
    "",
    ((cpu() - before) / LOOKS).toFixed(0),
    ((performance.now() - start) / LOOKS * 1000).toFixed(0),
    "",
    stops.end().toFixed(1),
  ]);
  for (
    const [name, text, inFlight] of [
      ["renewal, 1 in flight", (i: number) => scene.renewal(i), 1],
      ["renewal, 64 in flight", (i: number) => scene.renewal(i), 64],
      [
        "with news of peers, 64 in flight",
        (i: number) => scene.renewal(i).replace("\n\n", "\nwant=peers\n\n"),
        64,
      ],
      ["new addresses, 1 in flight", () => ANY, 1],
      ["new addresses, 64 in flight", () => ANY, 64],
    ] as const
  ) {
    const clients = scene.connect(text);
    await measure(name, clients, inFlight, seconds);
    for (const client of clients) client.abort();
    // What was renewed comes to the disk. Addresses that are new are not in the file of the device.
    if (name.startsWith("renewal")) await scene.look();
  }
  await scene.service.close();
  measureCore(scene.book, 5000);
} finally {
  await rm(folder, { recursive: true });
}
