/**
 * The lease service on a host whose `wg` and `ip` are scripted.
 *
 * @module
 */

import { assert } from "@std/assert";
import { Counters } from "../../../../lib/core/net/counters.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import type { TcpConnection, TcpEvents, TcpListenOptions } from "../../../../lib/host/tcp.ts";
import { type LeaseConfig, LeaseService } from "../../../../lib/service/lease/server/service.ts";
import { Log } from "../../../../lib/service/log/log.ts";
import { idOf } from "../../../support/fake_random.ts";
import { DONE, MemoryError, MemoryHost } from "../../../support/memory_host.ts";

export const HUB = formatKey(idOf(1));
export const ALICE = formatKey(idOf(2));
export const BOB = formatKey(idOf(3));
export const ANY = "request_ip=1\nip=0.0.0.0\n\n";
export const CONFIG: LeaseConfig = {
  interface: "wg0",
  pools: ["10.20.0.0/24"],
  reserved: [],
  fixed: new Map(),
  leaseTime: 60,
  routes: [],
  state: "/state",
  configure: false,
};

/** A connection that keeps what was written. */
export class FakeConnection implements TcpConnection {
  readonly local = { host: "fe80::", port: 970 };
  readonly remote;
  waiting = 0;
  text = "";
  state = "open";
  paused = false;
  events: TcpEvents | undefined;

  constructor(host: string, port = 970) {
    this.remote = { host, port };
  }

  write(bytes: Uint8Array): void {
    if (this.state === "open") this.text += new TextDecoder().decode(bytes);
  }

  end(): void {
    if (this.state === "open") this.state = "ended";
  }

  abort(): void {
    if (this.state === "aborted") return;
    this.state = "aborted";
    this.events?.onClose(undefined);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

/** A host with a device, whose timers elapse when the test says so. */
export class Scene extends MemoryHost {
  /** By public key, the AllowedIPs; undefined where there is no device. */
  peers: Map<string, string[]> | undefined = new Map([
    [ALICE, ["fe80::a/128"]],
    [BOB, ["fe80::b/128", "192.168.7.0/24"]],
  ]);
  /** By prefix, who was given it last. */
  readonly owners = new Map<string, string>();
  index = 3;
  /** What `wg set` says. */
  fails = "";
  listening: TcpListenOptions | undefined;
  listened = 0;
  /** The codes with which the next attempts to listen fail. */
  readonly unheard: string[] = [];
  /** What they do, and after how long. */
  readonly timers = new Map<() => void, number>();
  readonly counters = new Counters();
  readonly service: LeaseService;

  constructor(config: Partial<LeaseConfig> = {}, files = {}) {
    super({ files, run: (argv) => this.#program(argv) });
    const log = new Log(this, { format: "text", verbosity: "normal" });
    const { counters } = this;
    this.service = new LeaseService({ host: this, log, counters }, { ...CONFIG, ...config });
  }

  #program([program, ...args]: readonly string[]) {
    const { peers } = this;
    const line = args.join(" ");
    if (program === "ip") {
      const addr = `${this.index}: wg0    inet6 fe80::/128 scope link\n`;
      return { ...DONE, out: line.startsWith("-o addr") ? addr : "fe80::/64 proto kernel\n" };
    }
    if (peers === undefined) return { code: 1, out: "", err: "No such device\n" };
    if (line === "show wg0 dump") {
      const lines = [...peers].map(([key, ips]) =>
        [key, "(none)", "(none)", ips.join(",") || "(none)", 0, 0, 0, "off"].join("\t")
      );
      return { ...DONE, out: [`(none)\t${HUB}\t51820\toff`, ...lines].join("\n") };
    }
    if (line === "show wg0 allowed-ips") {
      const lines = [...peers].map(([key, ips]) => `${key}\t${ips.join(" ") || "(none)"}\n`);
      return { ...DONE, out: lines.join("") };
    }
    if (this.fails !== "") return { code: 1, out: "", err: this.fails };
    for (let i = 2; i < args.length; i += 4) {
      const [, key = "", , allowed = ""] = args.slice(i);
      const prefixes = allowed.split(",").filter((each) => each !== "");
      for (const prefix of prefixes) {
        const owner = this.owners.get(prefix);
        const had = owner === undefined || owner === key ? undefined : peers.get(owner);
        if (had?.includes(prefix)) peers.set(owner!, had.filter((each) => each !== prefix));
        this.owners.set(prefix, key);
      }
      peers.set(key, prefixes);
    }
    return DONE;
  }

  override after(seconds: number, run: () => void): () => void {
    // A rest between two slices.
    if (seconds === 0) {
      setTimeout(run, 0);
      return () => {};
    }
    this.timers.set(run, seconds);
    return () => this.timers.delete(run);
  }

  override tcpListen(options?: TcpListenOptions) {
    if (options === undefined) return super.tcpListen();
    const code = this.unheard.shift();
    if (code !== undefined) return Promise.reject(new MemoryError(code));
    this.listening = options;
    this.listened++;
    return Promise.resolve({
      port: options.port,
      close: () => void (this.listening = undefined),
    });
  }

  connect(host: string, port?: number): FakeConnection {
    const connection = new FakeConnection(host, port);
    const { listening } = this;
    assert(listening !== undefined, this.err.text);
    connection.events = listening.onConnection(connection);
    return connection;
  }

  send(connection: FakeConnection, text: string): Promise<void> {
    connection.events?.onData(new TextEncoder().encode(text));
    return this.settle();
  }

  /** Lets the service do all that it can do now. */
  async settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await new Promise((done) => setTimeout(done, 0));
  }

  /** The next look at the device, some seconds later. */
  async look(seconds = 2): Promise<void> {
    this.elapsed += seconds;
    this.wall += seconds;
    // The watch is the only timer where there is no connection.
    this.#elapse(Infinity);
    await this.settle();
  }

  /** So many seconds without a look at the device, nor anything else that takes longer. */
  async wait(seconds: number): Promise<void> {
    this.elapsed += seconds;
    this.wall += seconds;
    this.#elapse(seconds);
    await this.settle();
  }

  #elapse(most: number): void {
    for (const [run, seconds] of [...this.timers]) {
      if (seconds > most) continue;
      this.timers.delete(run);
      run();
    }
  }

  get log(): string {
    return this.out.text + this.err.text;
  }
}

/** A scene whose service has begun. */
export async function started(config?: Partial<LeaseConfig>, files = {}): Promise<Scene> {
  const scene = new Scene(config, files);
  await scene.service.start();
  return scene;
}
