/**
 * What the program needs of a runtime. One implementation per runtime stands beside this file;
 * nothing else in the project touches one.
 *
 * Errors that a host throws carry a POSIX name in `code` (`ENOENT`, `EACCES`, `EADDRINUSE`, …; see
 * {@linkcode errorCode}), `ENOTFOUND` for a name that doesn't resolve.
 *
 * @module
 */

import type { DatagramBatch, ReplyBatch } from "../core/datagram_batch.ts";
import type { HostPort } from "../core/host_port.ts";

/** Signals that the program reacts to. */
export type Signal = "SIGHUP" | "SIGINT" | "SIGTERM" | "SIGUSR1" | "SIGUSR2";

/** Standard output or standard error. */
export interface TextOutput {
  /** Whether a person looks at it. */
  readonly isTerminal: boolean;
  /**
   * Writes all of the text before it returns. A reader that has gone away is no error; a full disk
   * (`ENOSPC`) is one.
   */
  write(text: string): void;
  /** The same for bytes. */
  writeBytes(bytes: Uint8Array): void;
  /**
   * Writes when the reader is ready for it, and holds nothing up until then.
   *
   * @returns Whether it will be written: where too much waits already, it is left out.
   */
  post(text: string): boolean;
  /** Waits until what was posted is written, or the reader takes nothing for a second. */
  flush(): Promise<void>;
}

/** A file as it was read. */
export interface FileContent {
  readonly bytes: Uint8Array;
  /** Permission bits, such as 0o600, or undefined where it is no regular file (a pipe, say). */
  readonly mode: number | undefined;
}

/** How a file is written. */
export interface WriteOptions {
  /** Permission bits. */
  readonly mode: number;
  /** Refuse (`EEXIST`) to replace a file. Else it is replaced at once and whole, or not at all. */
  readonly exclusive?: boolean;
}

/** What became of a program that was run. */
export interface RunResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** How a program is run. */
export interface RunOptions {
  /** What it gets on standard input; nothing where this is left out. */
  readonly input?: string;
  /** It is ended after so many milliseconds, with code 124. */
  readonly timeout?: number;
}

/** A UDP socket to open. */
export interface UdpOptions {
  /** An IP address of this host; `0.0.0.0` for all of IPv4, `::` for all of IPv6 and no more. */
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /**
   * Called with datagrams that came in. What it puts into `replies` is sent when it returns.
   * Both batches are the socket's, filled anew for the next call.
   */
  onBatch(batch: DatagramBatch, replies: ReplyBatch): void;
  /** Called when a datagram could not be sent, or the system reports that one didn't arrive. */
  onSendError(code: string): void;
}

/** A socket that speaks UDP from a port that another socket owns. */
export interface RawUdpOptions extends Omit<UdpOptions, "address"> {
  /** The port that is spoken from. */
  readonly port: number;
  /** The one that is spoken to: an IP address and a port. */
  readonly to: HostPort;
  /** The mark (SO_MARK) of the datagrams that are sent, or 0: for policy routing. */
  readonly mark: number;
}

/** A UDP socket. */
export interface UdpSocket {
  /** The port that it is bound to. */
  readonly port: number;
  /** Sends bytes to an IP address. They are the caller's again when it returns. */
  send(bytes: Uint8Array, to: HostPort): void;
  /** Closes it. Nothing is called any more. */
  close(): void;
}

/** A runtime. */
export interface Host {
  /** `deno`, `bun`, `quickjs`, with its version. */
  readonly runtime: string;
  /** The operating system and the processor, such as `linux-x64`. */
  readonly target: string;
  /** The command line without the program. */
  readonly args: readonly string[];
  readonly out: TextOutput;
  readonly err: TextOutput;
  /** A variable of the environment. */
  env(name: string): string | undefined;
  /** The wall clock: milliseconds since 1970, with fractions. */
  now(): number;
  /** A clock that never jumps, in milliseconds, from any start. */
  mono(): number;
  /** Fills `bytes` with random bytes that are fit for keys. */
  random(bytes: Uint8Array): void;
  /** Calls `run` once after `ms` milliseconds; the returned function prevents it. */
  timer(ms: number, run: () => void): () => void;
  /** Calls `run` whenever the signal comes; the returned function ends that. */
  onSignal(signal: Signal, run: () => void): () => void;
  /**
   * Reads a file of at most `limit` bytes (`EFBIG` where it is larger). With `regular`, links, pipes
   * and devices are refused (`EFTYPE`).
   */
  readFile(
    path: string,
    limit: number,
    options?: { readonly regular?: boolean },
  ): Promise<FileContent>;
  /**
   * Reads standard input to its end, at most `limit` bytes (`EFBIG`). Called again, it returns the
   * same bytes.
   */
  readInput(limit: number): Promise<Uint8Array>;
  /** Writes a file and waits until it is on the disk. */
  writeFile(path: string, bytes: Uint8Array, options: WriteOptions): Promise<void>;
  /** Removes a file. */
  removeFile(path: string): Promise<void>;
  /** Makes a folder, and those above it, where there is none; for the owner alone. */
  makeFolder(path: string): Promise<void>;
  /** Gives a file another name. */
  renameFile(from: string, to: string): Promise<void>;
  /** Runs a program (`ENOENT` where there is none) and waits for its end. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** The IP addresses of a name, as the system's resolver gives them (`ENOTFOUND`). */
  resolve(name: string): Promise<string[]>;
  /** The IP addresses of this host. */
  localAddresses(): string[];
  /** Opens a UDP socket. */
  udp(options: UdpOptions): Promise<UdpSocket>;
  /** Opens a raw socket (`EPERM` without CAP_NET_RAW, `ENOSYS` where there is none). */
  rawUdp(options: RawUdpOptions): Promise<UdpSocket>;
}

/** An error with a POSIX name. */
export function codedError(code: string, message: string = code): Error {
  return Object.assign(new Error(message), { code });
}

/** The POSIX name of what went wrong, or the error's text where it has none. */
export function errorCode(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error) {
    if (typeof error.code === "string") return error.code;
  }
  return error instanceof Error ? error.message : String(error);
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EBADF: "it is closed",
  EADDRNOTAVAIL: "no such address on this host",
  EAFNOSUPPORT: "this host has no such kind of address",
  EEXIST: "it exists already",
  EFBIG: "it is too large",
  EFTYPE: "it is no regular file",
  EISDIR: "it is a directory",
  EINVAL: "invalid argument",
  ELOOP: "it is a symbolic link",
  ENOENT: "no such file or directory",
  ENOSYS: "not to be had on this system",
  ENOSPC: "no space left",
  ENOTDIR: "a part of the path is no directory",
  ENOTFOUND: "host not found",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
};

/** What went wrong, in words. */
export function explain(error: unknown): string {
  const code = errorCode(error);
  return EXPLANATIONS[code] ?? code;
}
