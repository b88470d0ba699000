/**
 * The functions that the program's C sources bring; each says at its place there what it does.
 *
 * Where a number is returned, one below 0 is the negative of an errno; {@linkcode checked} makes an
 * error of it. Bytes go in as an array, an offset and a size; what lies outside of the array is a
 * RangeError.
 *
 * @module
 */

import type { Family } from "../../core/net/host_port.ts";
import { codedError } from "../error.ts";

/** How {@linkcode Native.open} opens a file. */
export const OPEN = { read: 0, create: 1, readUnfollowed: 2, list: 3, append: 4, lock: 5 } as const;
/** In a file's status: it is a regular one. The lower bits are its permissions. */
export const REGULAR: number = 1 << 12;
/** In a file's status: it is a directory. */
export const DIRECTORY: number = 2 << 12;
/** For {@linkcode Native.watch}, and from {@linkcode Native.wait}. */
export const READABLE = 1;
/** The same. */
export const WRITABLE = 2;
/** Size of an end of a connection: an address, and a port after it. */
export const END_SIZE = 18;

/** A message for {@linkcode Native.aeadSeal} and {@linkcode Native.aeadOpen}: its tag follows it. */
export type Sealed = [
  key: Uint8Array,
  nonce: Uint8Array,
  nonceAt: number,
  header: Uint8Array,
  headerAt: number,
  headerLength: number,
  bytes: Uint8Array,
  at: number,
  length: number,
];

/** What C brings. */
export interface Native {
  // system.c
  readonly args: readonly string[];
  readonly target: string;
  user(): number;
  readonly version: string;
  env(name: string): string | undefined;
  forbidDumps(): void;
  fileOf(fd: number): string | undefined;
  now(): number;
  mono(): number;
  random(bytes: Uint8Array): void;
  errorName(errno: number): string;
  exit(status: number): never;
  // text.c
  encode(text: string): Uint8Array<ArrayBuffer>;
  decode(bytes: Uint8Array): string;
  // loop.c
  setLoop(run: () => void): void;
  runJobs(): void;
  collect(): void;
  watch(fd: number, events: number): number;
  wait(ms: number): number;
  signals(wanted: number): number;
  readSignals(): number;
  // files.c
  open(path: string, how: number, mode: number): number;
  read(fd: number, bytes: Uint8Array, at: number, size: number): number;
  write(fd: number, bytes: Uint8Array, at: number, size: number): number;
  writeNow(fd: number, bytes: Uint8Array, at: number, size: number): number;
  sync(fd: number): number;
  syncData(fd: number): number;
  size(fd: number): number;
  lock(fd: number): number;
  close(fd: number): number;
  isTerminal(fd: number): number;
  status(fd: number): number;
  owner(fd: number): number;
  unlink(path: string): number;
  mkdir(path: string, mode: number): number;
  rename(from: string, to: string): number;
  fileAt(path: string): string | number;
  list(path: string): readonly string[] | number;
  // program.c
  spawn(argv: readonly string[], pipes: Int32Array): number;
  reap(pid: number): number;
  kill(pid: number): number;
  // network.c
  ends(fd: number, bytes: Uint8Array): number;
  interfaceIndex(name: string): number;
  localAddresses(bytes: Uint8Array): number;
  sendLocal(to: string, bytes: Uint8Array): number;
  localListen(path: string, backlog: number): number;
  localConnect(path: string): number;
  // udp.c
  udpOpen(
    address: Uint8Array,
    scope: number,
    port: number,
    hears: number,
    mark: number,
    beside: number,
  ): number;
  udpReceive(
    fd: number,
    payloads: Uint8Array,
    lengths: Int32Array,
    sources: Uint8Array,
    most: number,
  ): number;
  udpReply(
    fd: number,
    to: Int32Array,
    offsets: Int32Array,
    sizes: Int32Array,
    runs: Int32Array,
    buffers: readonly Uint8Array[],
    count: number,
    problems: Int32Array,
    destinations: Uint8Array,
  ): number;
  udpSend(
    fd: number,
    bytes: Uint8Array,
    address: Uint8Array,
    scope: number,
    port: number,
  ): number;
  // connected.c
  connectedOpen(
    address: Uint8Array,
    scope: number,
    port: number,
    ownPort: number,
    isRaw: number,
    mark: number,
    segment: number,
  ): number;
  connectedReceive(
    fd: number,
    headers: number,
    payloads: Uint8Array,
    lengths: Int32Array,
    segment: number,
  ): number;
  connectedSend(fd: number, bytes: Uint8Array, ...ports: number[]): number;
  // raw.c
  rawOpen(family: Family, port: number, first: number, count: number, mark: number): number;
  rawHear(fd: number, family: Family, port: number, first: number, count: number): number;
  rawReceive(
    fd: number,
    family: Family,
    payloads: Uint8Array,
    lengths: Int32Array,
    sources: Uint8Array,
    ports: Uint16Array,
  ): number;
  rawSend(
    fd: number,
    bytes: Uint8Array,
    address: Uint8Array,
    scope: number,
    port: number,
    from: number,
    ttl: number,
  ): number;
  // tcp.c
  tcpListen(address: Uint8Array, scope: number, port: number, backlog: number): number;
  accept(fd: number): number;
  tcpConnect(
    address: Uint8Array,
    scope: number,
    port: number,
    ...from: [] | [address: Uint8Array, scope: number, port: number]
  ): number;
  socketError(fd: number): number;
  receive(fd: number, bytes: Uint8Array, at: number, size: number): number;
  send(fd: number, bytes: Uint8Array, at: number, size: number): number;
  endSending(fd: number): number;
  reset(fd: number): number;
  // crypto.c
  sha256(bytes: Uint8Array, digest: Uint8Array): void;
  hmacKey(key: Uint8Array, states: Uint8Array): void;
  hmac(
    states: Uint8Array,
    message: Uint8Array,
    at: number,
    length: number,
    out: Uint8Array,
    outAt: number,
  ): void;
  chacha20(
    key: Uint8Array,
    nonce: Uint8Array,
    nonceAt: number,
    counter: number,
    from: Uint8Array,
    fromAt: number,
    to: Uint8Array,
    toAt: number,
    length: number,
  ): void;
  aeadSeal(...message: Sealed): void;
  aeadOpen(...message: Sealed): boolean;
  x25519(scalar: Uint8Array, point: Uint8Array, out: Uint8Array): void;
}

declare const wgsigNative: Native;

/** What C brings. */
export const native: Native = wgsigNative;

/** The POSIX name of what a result below 0 says. */
export function nameOf(result: number): string {
  return native.errorName(-result);
}

/** A result that is not below 0; else throws an error with a POSIX `code`. */
export function checked(result: number): number {
  if (result < 0) throw codedError(nameOf(result));
  return result;
}
