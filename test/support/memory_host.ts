/**
 * A host without a system: files in memory, clocks that stand until a test moves them.
 *
 * @module
 */

import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { portableSigning } from "../../lib/wire/crypto/portable_signing.ts";
import type { MakeSigningKey } from "../../lib/wire/crypto/signing.ts";
import type { Now } from "../../lib/core/net/clock.ts";
import type { TextOutput } from "../../lib/host/output.ts";
import type { FileContent, ReadOptions, Replacement, WriteOptions } from "../../lib/host/files.ts";
import { joinBytes } from "../../lib/wire/bytes/wire_buffer.ts";
import type { RunOptions, RunResult } from "../../lib/host/processes.ts";
import type { LocalConnection, LocalListener } from "../../lib/host/local_streams.ts";
import type { RawUdpSocket } from "../../lib/host/raw_udp.ts";
import type { UdpSocket } from "../../lib/host/udp.ts";
import type { TcpConnection, TcpListener } from "../../lib/host/tcp.ts";
import type { Host } from "../../lib/host/host.ts";
import { countingRandom } from "./fake_random.ts";

/** A file: its text or bytes and its mode, or the code with which reading it fails. */
export type MemoryFile =
  | {
    readonly content: string | Uint8Array;
    readonly mode?: number | undefined;
    readonly owner?: number;
  }
  | { readonly fails: string };

/** What a scripted program does: it leaves this, or fails with a {@linkcode MemoryError}. */
export type MemoryProgram = (
  argv: readonly string[],
  options: RunOptions,
) => RunResult | Promise<RunResult>;

/** What a host may refuse. */
export type Refusable = "writeFile" | "appendFile" | "removeFile" | "makeFolder" | "lockFile";

/** What is in a {@linkcode MemoryHost}. */
export interface MemoryOptions {
  readonly files?: Readonly<Record<string, MemoryFile>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly target?: string;
  /** What happens where a program is run; without it there are no programs. */
  readonly run?: MemoryProgram;
  /** The codes with which calls fail. */
  readonly refuses?: Readonly<Partial<Record<Refusable, string>>>;
}

/** A program that ended well and printed nothing. */
export const DONE: RunResult = { code: 0, out: "", err: "" };

/** An error as hosts throw it. */
export class MemoryError extends Error {
  override readonly name = "MemoryError";

  constructor(readonly code: string) {
    super(`the memory host says ${code}`);
  }
}

/** Output that is kept. */
export class MemoryOutput implements TextOutput {
  readonly isTerminal = false;
  readonly file = "8:15";
  text = "";

  write(text: string): void {
    this.text += text;
  }

  writeBytes(bytes: Uint8Array): void {
    this.text += new TextDecoder().decode(bytes);
  }

  post(text: string): boolean {
    this.text += text;
    return true;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }
}

const DEFAULT_MODE = 0o600;

/**
 * A host in memory. It has no network, and no programs but scripted ones. Its timers elapse at once,
 * which moves both clocks.
 */
export class MemoryHost implements Host {
  readonly runtime = "memory 1";
  readonly target: string;
  readonly user: number = 1000;
  readonly args: readonly string[] = [];
  readonly primitives = PORTABLE;
  readonly signing: MakeSigningKey | undefined = portableSigning;
  readonly out: MemoryOutput = new MemoryOutput();
  readonly err: MemoryOutput = new MemoryOutput();
  /** The wall clock, in seconds. */
  wall = 1_700_000_000;
  /** The clock that never jumps, in seconds. */
  elapsed = 0;
  /** The paths that were asked for, in order. */
  readonly reads: string[] = [];
  /** What was done to files and which programs were run, in order. */
  readonly events: string[] = [];
  /** The files that are locked. */
  readonly locks = new Set<string>();
  /** Datagrams to programs of this machine: where to, and what. */
  readonly notices: string[] = [];
  /** How each program was run. */
  readonly runs: RunOptions[] = [];
  /** Seconds of each timer that has elapsed. */
  readonly pauses: number[] = [];
  readonly #files: Map<string, MemoryFile>;
  readonly #env: ReadonlyMap<string, string>;
  readonly #input: Uint8Array;
  readonly #program: MemoryProgram | undefined;
  /** May be changed on the way. */
  refuses: Readonly<Partial<Record<Refusable, string>>>;
  readonly random = countingRandom();

  constructor(options: MemoryOptions = {}) {
    const { files = {}, env = {}, input = "", target = "linux-x64", run, refuses = {} } = options;
    this.#program = run;
    this.refuses = refuses;
    this.#files = new Map(Object.entries(files));
    this.#env = new Map(Object.entries(env));
    this.#input = bytesOf(input);
    this.target = target;
  }

  env(name: string): string | undefined {
    return this.#env.get(name);
  }

  now(): Now {
    return { unix: this.wall, mono: this.elapsed };
  }

  after(seconds: number, run: () => void): () => void {
    let cancelled = false;
    queueMicrotask(() => {
      if (cancelled) return;
      this.wall += seconds;
      this.elapsed += seconds;
      this.pauses.push(seconds);
      run();
    });
    return () => void (cancelled = true);
  }

  /** The text of a file, or undefined where there is none. */
  text(path: string): string | undefined {
    const file = this.#files.get(path);
    if (file === undefined || "fails" in file) return undefined;
    return new TextDecoder().decode(bytesOf(file.content));
  }

  /** The mode of a file. */
  mode(path: string): number | undefined {
    const file = this.#files.get(path);
    return file === undefined || "fails" in file ? undefined : file.mode ?? DEFAULT_MODE;
  }

  /** Fails where the test wants it, else notes what is done. */
  #note(call: Refusable, path: string): Promise<void> {
    const code = this.refuses[call];
    if (code !== undefined) return Promise.reject(new MemoryError(code));
    this.events.push(`${call} ${path}`);
    return Promise.resolve();
  }

  onSignal(): () => void {
    throw new MemoryError("ENOSYS");
  }

  readFile(
    path: string,
    limit: number,
    { beginning = false }: ReadOptions = {},
  ): Promise<FileContent> {
    this.reads.push(path);
    const file = this.#files.get(path);
    if (file === undefined) return Promise.reject(new MemoryError("ENOENT"));
    if ("fails" in file) return Promise.reject(new MemoryError(file.fails));
    const bytes = bytesOf(file.content);
    if (bytes.length > limit && !beginning) return Promise.reject(new MemoryError("EFBIG"));
    return Promise.resolve({
      bytes: bytes.subarray(0, limit),
      mode: "mode" in file ? file.mode : DEFAULT_MODE,
      owner: file.owner ?? this.user,
    });
  }

  readInput(limit: number): Promise<Uint8Array> {
    if (this.#input.length > limit) return Promise.reject(new MemoryError("EFBIG"));
    // The same each time, as on other hosts.
    return Promise.resolve(this.#input);
  }

  async writeFile(
    path: string,
    bytes: Uint8Array,
    { mode, exclusive }: WriteOptions,
  ): Promise<void> {
    const content = bytes.slice();
    await this.#note("writeFile", path);
    if (exclusive && this.#files.has(path)) throw new MemoryError("EEXIST");
    this.#files.set(path, { content, mode });
  }

  /** All of it is written at once, at its end: that counts as `writeFile`. */
  replaceFile(path: string, { mode }: Pick<WriteOptions, "mode">): Promise<Replacement> {
    const pieces: Uint8Array[] = [];
    return Promise.resolve({
      write(bytes) {
        pieces.push(bytes.slice());
        return Promise.resolve();
      },
      finish: (beginning) => {
        const whole = joinBytes(pieces);
        whole.set(beginning);
        return this.writeFile(path, whole, { mode });
      },
      abandon: () => Promise.resolve(),
    });
  }

  async appendFile(path: string, bytes: Uint8Array): Promise<number> {
    const added = bytes.slice();
    await this.#note("appendFile", path);
    const file = this.#files.get(path);
    if (file === undefined) throw new MemoryError("ENOENT");
    if ("fails" in file) throw new MemoryError(file.fails);
    const before = bytesOf(file.content);
    const content = new Uint8Array(before.length + added.length);
    content.set(before);
    content.set(added, before.length);
    this.#files.set(path, { ...file, content });
    return content.length;
  }

  /** A file has one name here. */
  identify(path: string): Promise<string> {
    return this.#files.has(path)
      ? Promise.resolve(path)
      : Promise.reject(new MemoryError("ENOENT"));
  }

  renameFile(from: string, to: string): Promise<void> {
    const file = this.#files.get(from);
    if (file === undefined) return Promise.reject(new MemoryError("ENOENT"));
    this.#files.set(to, file);
    this.#files.delete(from);
    return Promise.resolve();
  }

  /** Locks end with this host. */
  lockFile(path: string): Promise<() => void> {
    const code = this.refuses.lockFile ?? (this.locks.has(path) ? "EAGAIN" : undefined);
    if (code !== undefined) return Promise.reject(new MemoryError(code));
    this.locks.add(path);
    if (!this.#files.has(path)) this.#files.set(path, { content: "" });
    return Promise.resolve(() => void this.locks.delete(path));
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    this.events.push(argv.join(" "));
    this.runs.push(options);
    if (this.#program === undefined) throw new MemoryError("ENOENT");
    return await this.#program(argv, options);
  }

  resolve(): Promise<string[]> {
    return Promise.reject(new MemoryError("ENOTFOUND"));
  }

  udp(): Promise<UdpSocket> {
    return Promise.reject(new MemoryError("EACCES"));
  }

  async removeFile(path: string): Promise<void> {
    await this.#note("removeFile", path);
    if (!this.#files.delete(path)) throw new MemoryError("ENOENT");
  }

  makeFolder(path: string): Promise<void> {
    return this.#note("makeFolder", path);
  }

  forbidDumps(): void {}

  /** Kept in `notices`. */
  sendLocal(to: string, bytes: Uint8Array): void {
    this.notices.push(`${to} ${new TextDecoder().decode(bytes)}`);
  }

  localAddresses(): string[] {
    return ["127.0.0.1"];
  }

  connectedUdp(): Promise<UdpSocket> {
    return Promise.reject(new MemoryError("EPERM"));
  }

  rawUdp(): Promise<RawUdpSocket> {
    return Promise.reject(new MemoryError("EPERM"));
  }

  listFolder(path: string): Promise<readonly string[]> {
    const inside = [...this.#files.keys()].filter((each) => each.startsWith(`${path}/`));
    return inside.length > 0
      ? Promise.resolve(inside.map((each) => each.slice(path.length + 1)))
      : Promise.reject(new MemoryError("ENOENT"));
  }

  listenLocal(): Promise<LocalListener> {
    return Promise.reject(new MemoryError("EACCES"));
  }

  connectLocal(): Promise<LocalConnection> {
    return Promise.reject(new MemoryError("ENOENT"));
  }

  tcpListen(): Promise<TcpListener> {
    return Promise.reject(new MemoryError("EACCES"));
  }

  tcpConnect(): Promise<TcpConnection> {
    return Promise.reject(new MemoryError("ENETUNREACH"));
  }
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content.slice();
}
