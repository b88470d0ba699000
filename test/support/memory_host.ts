/**
 * A host without a system: files in memory, clocks that stand until a test moves them.
 *
 * @module
 */

import type {
  FileContent,
  Host,
  RunResult,
  TextOutput,
  UdpSocket,
  WriteOptions,
} from "../../lib/host/host.ts";
import { countingRandom } from "./fake_random.ts";

/** A file: its text or bytes and its mode, or the code with which reading it fails. */
export type MemoryFile =
  | { readonly content: string | Uint8Array; readonly mode?: number | undefined }
  | { readonly fails: string };

/** What is in a {@linkcode MemoryHost}. */
export interface MemoryOptions {
  readonly files?: Readonly<Record<string, MemoryFile>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly target?: string;
}

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
  text = "";

  write(text: string): void {
    this.text += text;
  }

  writeBytes(bytes: Uint8Array): void {
    this.text += new TextDecoder().decode(bytes);
  }
}

const DEFAULT_MODE = 0o600;

/** A host in memory. It has no network and no programs. */
export class MemoryHost implements Host {
  readonly runtime = "memory 1";
  readonly target: string;
  readonly args: readonly string[] = [];
  readonly out: MemoryOutput = new MemoryOutput();
  readonly err: MemoryOutput = new MemoryOutput();
  /** The wall clock, in milliseconds. */
  wall = 1_700_000_000_000;
  /** The paths that were asked for, in order. */
  readonly reads: string[] = [];
  readonly #files: Map<string, MemoryFile>;
  readonly #env: ReadonlyMap<string, string>;
  readonly #input: Uint8Array;
  readonly random = countingRandom();

  constructor({ files = {}, env = {}, input = "", target = "linux-x64" }: MemoryOptions = {}) {
    this.#files = new Map(Object.entries(files));
    this.#env = new Map(Object.entries(env));
    this.#input = bytesOf(input);
    this.target = target;
  }

  env(name: string): string | undefined {
    return this.#env.get(name);
  }

  now(): number {
    return this.wall;
  }

  mono(): number {
    return 0;
  }

  timer(): () => void {
    throw new MemoryError("ENOSYS");
  }

  onSignal(): () => void {
    throw new MemoryError("ENOSYS");
  }

  readFile(path: string, limit: number): Promise<FileContent> {
    this.reads.push(path);
    const file = this.#files.get(path);
    if (file === undefined) return Promise.reject(new MemoryError("ENOENT"));
    if ("fails" in file) return Promise.reject(new MemoryError(file.fails));
    const bytes = bytesOf(file.content);
    if (bytes.length > limit) return Promise.reject(new MemoryError("EFBIG"));
    return Promise.resolve({ bytes, mode: "mode" in file ? file.mode : DEFAULT_MODE });
  }

  readInput(limit: number): Promise<Uint8Array> {
    if (this.#input.length > limit) return Promise.reject(new MemoryError("EFBIG"));
    return Promise.resolve(this.#input.slice());
  }

  writeFile(path: string, bytes: Uint8Array, { mode, exclusive }: WriteOptions): Promise<void> {
    if (exclusive && this.#files.has(path)) return Promise.reject(new MemoryError("EEXIST"));
    this.#files.set(path, { content: bytes.slice(), mode });
    return Promise.resolve();
  }

  renameFile(from: string, to: string): Promise<void> {
    const file = this.#files.get(from);
    if (file === undefined) return Promise.reject(new MemoryError("ENOENT"));
    this.#files.set(to, file);
    this.#files.delete(from);
    return Promise.resolve();
  }

  run(): Promise<RunResult> {
    return Promise.reject(new MemoryError("ENOENT"));
  }

  resolve(): Promise<string[]> {
    return Promise.reject(new MemoryError("ENOTFOUND"));
  }

  udp(): Promise<UdpSocket> {
    return Promise.reject(new MemoryError("EACCES"));
  }

  removeFile(): Promise<void> {
    return Promise.reject(new MemoryError("EACCES"));
  }

  makeFolder(): Promise<void> {
    return Promise.reject(new MemoryError("EACCES"));
  }

  localAddresses(): string[] {
    return ["127.0.0.1"];
  }

  rawUdp(): Promise<UdpSocket> {
    return Promise.reject(new MemoryError("EPERM"));
  }
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content.slice();
}
