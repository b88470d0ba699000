/**
 * What the program needs of a runtime. One implementation per runtime stands beside this file;
 * nothing else in the project touches one.
 *
 * Errors that a host throws carry a POSIX name in `code` (`ENOENT`, `EACCES`, `EADDRINUSE`, …; see
 * {@linkcode errorCode}), `ENOTFOUND` for a name that doesn't resolve.
 *
 * @module
 */

import type { DatagramBatch, ReplyBatch } from "../core/net/datagram_batch.ts";
import type { HostPort } from "../core/net/host_port.ts";
import type { Primitives } from "../wire/crypto/primitives.ts";

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

/** The code of a program that took too long, as timeout(1) has it. */
export const TIMED_OUT = 124;

/** How a program is run. */
export interface RunOptions {
  /** What it gets on standard input; nothing where this is left out. */
  readonly input?: string;
  /** It is ended after so many milliseconds, with {@linkcode TIMED_OUT}. */
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
  /**
   * Called with how many datagrams were thrown away unread, because so many came that nothing else
   * would have had its turn. Without it, none are: who asked for them wants them all.
   */
  onOverload?(count: number): void;
  /** Called when a datagram could not be sent, or the system reports that one didn't arrive. */
  onSendError(code: string): void;
}

/** A socket that speaks UDP with one other. */
export interface ConnectedUdpOptions extends Omit<UdpOptions, "address"> {
  /** The port that is spoken from. */
  readonly port: number;
  /** Whether it is a raw socket, because another socket owns the port. It needs CAP_NET_RAW. */
  readonly raw: boolean;
  /** The one that is spoken to: an IP address and a port. */
  readonly to: HostPort;
  /** The mark (SO_MARK) of the datagrams that are sent, for policy routing; 0 is none. */
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

/** What a TCP connection tells. */
export interface TcpEvents {
  /** Called with bytes that came in, at least one. They are the host's: copy what you keep. */
  onData(bytes: Uint8Array): void;
  /**
   * Called once when the other side has sent all that it will. What this side writes still goes
   * there, until it ends the connection as well.
   */
  onEnd(): void;
  /**
   * Called exactly once, when the connection is over both ways, and nothing else is called after it.
   * Where this side aborts it, it is called before `abort` or the listener's `close` returns.
   *
   * @param code A POSIX name (`ECONNRESET`, `ETIMEDOUT`, `EPIPE`, …) where the system ended it, or
   *   undefined where both sides had ended it, or this side aborted it.
   */
  onClose(code: string | undefined): void;
  /** Called whenever all that was written has been taken by the system. */
  onDrain?(): void;
}

/** A TCP connection. After it is over, no method does anything. */
export interface TcpConnection {
  /** This side: an IP address without its scope (IPv4-mapped as IPv4), and a port. */
  readonly local: HostPort;
  /** The other side, in the same form. */
  readonly remote: HostPort;
  /** Bytes that were written and that the system has not taken yet. The caller limits them. */
  readonly waiting: number;
  /** Sends bytes. They are the caller's again when it returns. After `end` it does nothing. */
  write(bytes: Uint8Array): void;
  /**
   * Closes this side's way once what was written is sent. What the other side sends still comes in:
   * the connection is over when that side has ended it, too. Abort it where that takes too long.
   */
  end(): void;
  /** Ends both ways at once, with a reset where the runtime can. What waits is lost. */
  abort(): void;
  /**
   * Takes nothing more from the system, so that the other side has to wait. Neither its end nor a
   * failure may be noticed until `resume`.
   */
  pause(): void;
  /** Undoes `pause`. */
  resume(): void;
}

/** Where TCP connections are taken. */
export interface TcpListenOptions {
  /**
   * An IP address of this host, with a scope where it needs one (`fe80::%wg0`); `0.0.0.0` for all of
   * IPv4, `::` for all of IPv6 and no more.
   */
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /**
   * So many at once; one more is closed at once. It must stay well below the number of descriptors
   * that the process may have (by 200): where none is left, Deno's listener takes no more, ever.
   */
  readonly maxConnections: number;
  /** Called with each new connection; what it returns gets the connection's events. */
  onConnection(connection: TcpConnection): TcpEvents;
  /** Called when a connection was closed for `maxConnections`. */
  onRefused?(): void;
}

/** A socket that takes TCP connections. */
export interface TcpListener {
  /** The port that it is bound to. */
  readonly port: number;
  /** Stops listening and aborts the connections. Nothing is called after it returns. */
  close(): void;
}

/** Where a TCP connection goes. */
export interface TcpConnectOptions {
  /** An IP address, with a scope where it needs one, and a port. */
  readonly to: HostPort;
  /** What it comes from: an IP address of this host, perhaps with a scope; port 0 is any. */
  readonly from?: HostPort;
  /** Milliseconds until it must be connected (`ETIMEDOUT`). */
  readonly timeout: number;
}

/** What timers can count to, in milliseconds. */
export const LONGEST_TIMER_MS = 0x7fff_ffff;

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
  /** What the runtime computes faster than portable code. */
  readonly primitives?: Partial<Primitives>;
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
  /**
   * Adds bytes to the end of a file (`ENOENT` where there is none) and waits until they are on the
   * disk. Where it fails, some of them may be there.
   *
   * @returns The size of the file then.
   */
  appendFile(path: string, bytes: Uint8Array): Promise<number>;
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
  /**
   * Opens a socket that speaks with one other (`EPERM` where it is raw without CAP_NET_RAW, or has a
   * mark without CAP_NET_ADMIN; `ENOSYS` where there is none).
   */
  connectedUdp(options: ConnectedUdpOptions): Promise<UdpSocket>;
  /**
   * Takes TCP connections: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `ENODEV` where the scope is no
   * interface. An address whose connections have just ended is free to be listened on.
   */
  tcpListen(options: TcpListenOptions): Promise<TcpListener>;
  /**
   * Makes a TCP connection: `ECONNREFUSED` (on Bun, also where there is no way there), `ETIMEDOUT`,
   * `ENETUNREACH`, `EADDRNOTAVAIL`, `EADDRINUSE`, `ENODEV`, …; no event comes then, nor before the
   * promise is fulfilled. A name instead of an address is `EINVAL`.
   */
  tcpConnect(options: TcpConnectOptions, events: TcpEvents): Promise<TcpConnection>;
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
