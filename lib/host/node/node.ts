/**
 * What Deno and Bun share: files, processes, signals and names through `node:` modules.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { getRandomValues } from "node:crypto";
import { lookup } from "node:dns/promises";
import { constants, fstatSync, write, writeSync } from "node:fs";
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { arch, networkInterfaces, platform } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { isatty } from "node:tty";
import { LONGEST_TIMER_MS } from "../clock.ts";
import type { TextOutput } from "../output.ts";
import type { FileContent, ReadOptions, Replacement } from "../files.ts";
import { type RunOptions, type RunResult, TIMED_OUT } from "../processes.ts";
import { codedError, errorCode } from "../error.ts";
import type { Host } from "../host.ts";
import type { SystemResolver } from "../names.ts";
import { LOCAL_STREAMS } from "./local_streams.ts";
import { nodeSigning } from "./signing.ts";
import { joinBytes } from "../../wire/bytes/wire_buffer.ts";

const STDOUT = 1;
const STDERR = 2;
const PERMISSION_BITS = 0o7777;
const CHUNK = 65_536;
/** PIPE_BUF of Linux. */
const ATOMIC_WRITE = 4096;
const RETRY_MS = 2;
/** Bytes that may wait for a reader. */
const MAX_POSTED = 65_536;
const FLUSH_MS = 1000;
const OWNER_ONLY = 0o700;
/** What resolvers call a name that has no address, or whose servers don't answer. */
const NOT_FOUND = new Set(["ENOTFOUND", "ENODATA", "EAI_NONAME", "EAI_NODATA", "EAI_AGAIN"]);

/** Everything of a host but its sockets of networks, what needs them, and its name. */
export function nodeHost(): Omit<
  Host,
  | "runtime"
  | "resolve"
  | "primitives"
  | "args"
  | "onSignal"
  | "lockFile"
  | "forbidDumps"
  | "sendLocal"
  | "udp"
  | "connectedUdp"
  | "rawUdp"
  | "tcpListen"
  | "tcpConnect"
> {
  let input: Promise<Uint8Array> | undefined;
  return {
    target: `${platform()}-${arch()}`,
    user: process.getuid?.(),
    out: output(STDOUT),
    err: output(STDERR),
    env: (name) => process.env[name],
    now() {
      const mono = performance.now();
      return { unix: (performance.timeOrigin + mono + drift()) / 1000, mono: mono / 1000 };
    },
    random: (bytes) => void getRandomValues(bytes),
    signing: nodeSigning,
    after(seconds, run) {
      const timer = setTimeout(run, Math.min(seconds * 1000, LONGEST_TIMER_MS));
      return () => clearTimeout(timer);
    },
    readFile,
    readInput: (limit) => input ??= readInput(limit),
    writeFile,
    replaceFile,
    appendFile,
    identify: async (path) => identityOf(await stat(path, { bigint: true })),
    listFolder: (path) => readdir(path),
    renameFile: rename,
    removeFile: unlink,
    makeFolder: async (path) => void await mkdir(path, { recursive: true, mode: OWNER_ONLY }),
    run,
    ...LOCAL_STREAMS,
    // Nobody else has to have the library in memory.
    openStore: async (options) => await (await import("./store.ts")).openStore(options),
    localAddresses: () =>
      Object.values(networkInterfaces()).flatMap((each) => each ?? []).map(({ address }) =>
        address
      ),
  };
}

/** The system's resolver: the only one that knows how names are looked up where this isn't Linux. */
export const SYSTEM_RESOLVER: SystemResolver = {
  isOnly: platform() !== "linux",
  async lookUp(name) {
    try {
      return (await lookup(name, { all: true, order: "ipv4first" })).map(({ address }) => address);
    } catch (error) {
      const code = errorCode(error);
      throw codedError(NOT_FOUND.has(code) ? "ENOTFOUND" : code);
    }
  },
};

/**
 * How far the wall clock has been set since the start: `performance` alone doesn't follow it,
 * `Date.now` alone has no fractions.
 */
function drift(): number {
  const off = Date.now() - (performance.timeOrigin + performance.now());
  return Math.abs(off) < 2 ? 0 : off;
}

function identityOf({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}

function fileOf(fd: number): string | undefined {
  try {
    return identityOf(fstatSync(fd, { bigint: true }));
  } catch {
    // It was closed before the start.
    return undefined;
  }
}

function output(fd: number): TextOutput {
  const encoder = new TextEncoder();
  const clock = new Int32Array(new SharedArrayBuffer(4));
  function writeBytes(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      try {
        // A pipe takes a piece of this size whole or not at all, so that nothing is written twice.
        at += writeSync(fd, bytes, at, Math.min(ATOMIC_WRITE, bytes.length - at));
      } catch (error) {
        // A slow reader of a non-blocking pipe is waited for; one that has gone away is no error.
        if (errorCode(error) === "EPIPE") return;
        if (errorCode(error) !== "EAGAIN") throw error;
        Atomics.wait(clock, 0, 0, RETRY_MS);
      }
    }
  }
  let waiting: Uint8Array[] = [];
  let size = 0;
  let draining: Promise<void> | undefined;
  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const bytes = joinBytes(waiting);
      waiting = [];
      for (let at = 0; at < bytes.length;) {
        try {
          const piece = Math.min(ATOMIC_WRITE, bytes.length - at);
          at += await new Promise<number>((resolve, reject) => {
            write(fd, bytes, at, piece, null, (error, n) => error ? reject(error) : resolve(n));
          });
        } catch (error) {
          // A full disk under a log must not end a service, and a reader may have gone away.
          if (errorCode(error) !== "EAGAIN") break;
          await new Promise((done) => setTimeout(done, RETRY_MS));
        }
      }
      size -= bytes.length;
    }
    draining = undefined;
  }
  return {
    isTerminal: isatty(fd),
    file: fileOf(fd),
    write: (text) => writeBytes(encoder.encode(text)),
    writeBytes,
    post(text) {
      const bytes = encoder.encode(text);
      if (size + bytes.length > MAX_POSTED) return false;
      waiting.push(bytes);
      size += bytes.length;
      draining ??= drain();
      return true;
    },
    async flush() {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((done) => timer = setTimeout(done, FLUSH_MS));
      await Promise.race([draining, late]);
      clearTimeout(timer);
    },
  };
}

async function readInput(limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > limit) throw codedError("EFBIG");
    chunks.push(chunk);
  }
  return joinBytes(chunks);
}

async function readFile(
  path: string,
  limit: number,
  { regular = false, beginning = false }: ReadOptions = {},
): Promise<FileContent> {
  // To open a pipe would wait for its writer.
  if (regular) {
    const stat = await lstat(path);
    if (!stat.isFile()) throw codedError(stat.isDirectory() ? "EISDIR" : "EFTYPE");
  }
  const file = await open(path, "r");
  try {
    const stat = await file.stat();
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      // A file is read in one piece; one byte more says whether it has grown.
      const room = Math.max(CHUNK, Math.min(stat.size, limit) - size + 1);
      const wanted = beginning ? Math.min(room, limit - size) : room;
      if (wanted === 0) break;
      const chunk = new Uint8Array(wanted);
      const { bytesRead } = await file.read(chunk, 0, wanted, null);
      if (bytesRead === 0) break;
      size += bytesRead;
      if (size > limit) throw codedError("EFBIG");
      chunks.push(chunk.subarray(0, bytesRead));
    }
    const [mode, owner] = stat.isFile() ? [stat.mode & PERMISSION_BITS, stat.uid] : [];
    // What is large is not copied.
    const isOne = chunks.length === 1 && size > CHUNK;
    return { bytes: isOne ? chunks[0]! : joinBytes(chunks), mode, owner };
  } finally {
    await file.close();
  }
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
const NOTHING = new Uint8Array(0);

async function writeFile(
  path: string,
  bytes: Uint8Array,
  { mode, exclusive = false }: { mode: number; exclusive?: boolean },
): Promise<void> {
  if (!exclusive) {
    const replacement = await replaceFile(path, { mode });
    try {
      await replacement.write(bytes);
      return await replacement.finish(NOTHING);
    } finally {
      await replacement.abandon();
    }
  }
  const file = await open(path, NEW_FILE, mode);
  try {
    await writeWhole(file, bytes);
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  }
  await syncFolder(path);
}

async function replaceFile(path: string, { mode }: { mode: number }): Promise<Replacement> {
  // What lies under the temporary name is nobody's: left by a crash, or put there to be followed.
  const target = `${path}.new`;
  await unlink(target).catch(() => {});
  let file: FileHandle | undefined = await open(target, NEW_FILE, mode);
  const close = async () => {
    const closing = file;
    file = undefined;
    await closing?.close();
  };
  return {
    write: (bytes) => writeAll(file!, bytes),
    async finish(beginning) {
      await writeAll(file!, beginning, 0);
      await file!.sync();
      await close();
      try {
        await rename(target, path);
      } catch (error) {
        await unlink(target).catch(() => {});
        throw error;
      }
      await syncFolder(path);
    },
    async abandon() {
      if (file === undefined) return;
      await close().catch(() => {});
      await unlink(target).catch(() => {});
    },
  };
}

/** A new name, too, must be on the disk. Not every system lets a directory be opened for that. */
async function syncFolder(path: string): Promise<void> {
  const directory = await open(dirname(path), "r").catch(() => undefined);
  await directory?.sync().catch(() => {});
  await directory?.close();
}

async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await writeAll(file, bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** @param from Where in the file; at its end where undefined. */
async function writeAll(file: FileHandle, bytes: Uint8Array, from?: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const place = from === undefined ? null : from + at;
    at += (await file.write(bytes, at, bytes.length - at, place)).bytesWritten;
  }
}

async function appendFile(path: string, bytes: Uint8Array): Promise<number> {
  const { O_WRONLY, O_APPEND } = constants;
  const file = await open(path, O_WRONLY | O_APPEND);
  try {
    await writeAll(file, bytes);
    // Its size comes with that; only times do not.
    await file.datasync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    // Detached, it leads a process group of its own; on Windows it would get a window.
    const detached = process.platform !== "win32";
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached });
    let late = false;
    const end = () => {
      if (child.exitCode === null && child.signalCode === null) {
        late = true;
        killGroup(child);
      }
      // What it has left running may hold the pipes open for longer.
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
    };
    const { timeout, stop } = options;
    const timer = timeout === undefined ? undefined : setTimeout(end, timeout * 1000);
    void stop?.then(end);
    // A program that reads nothing closes its end: that is its right.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    const out: Uint8Array[] = [];
    const err: Uint8Array[] = [];
    child.stdout.on("data", (chunk: Uint8Array) => out.push(chunk));
    child.stderr.on("data", (chunk: Uint8Array) => err.push(chunk));
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: late ? TIMED_OUT : code ?? 1, out: decoded(out), err: decoded(err) });
    });
  });
}

/** Ends a program and, where it leads a process group, what it has started. */
function killGroup(child: { readonly pid?: number | undefined; kill(signal: "SIGKILL"): boolean }) {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // There is no such group: on Windows, say.
    child.kill("SIGKILL");
  }
}

function decoded(chunks: readonly Uint8Array[]): string {
  return new TextDecoder().decode(joinBytes(chunks));
}
