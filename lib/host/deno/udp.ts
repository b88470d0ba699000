/**
 * UDP sockets through Deno's FFI: many datagrams a system call, and none of them an object. It needs
 * `--allow-ffi`. A thread of Deno's waits for each socket while nothing comes.
 *
 * Sources: socket(7), udp(7), ipv6(7), recvmmsg(2), poll(2), shutdown(2).
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { BATCH_SIZE, DatagramBatch, ReplyBatch } from "../../core/net/datagram_batch.ts";
import type { UdpOptions, UdpSocket } from "../udp.ts";
import { codedError } from "../error.ts";
import { type BatchSender, batchSenderFor } from "../linux/batch_sender.ts";
import { errnoName } from "../linux/errno.ts";
import { type DenoLibc, denoLibc } from "../linux/libc_deno.ts";
import { ReceiveVector } from "../linux/receive_vector.ts";
import { AF_INET, AF_INET6, SOCKADDR_IN_SIZE, socketAddress } from "../linux/socket_address.ts";
import { growBuffers, setMark, setPortSharing } from "../linux/socket_options.ts";

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/**
 * Opens a socket, or returns undefined where sockets can't be had this way: another libc or processor,
 * or no permission for FFI. Throws what {@linkcode UdpOptions} says.
 *
 * @param beside The socket that has the port already, for all addresses.
 */
export function openDenoUdp(options: UdpOptions, beside?: number): UdpSocket | undefined {
  let libc: DenoLibc;
  try {
    libc = denoLibc();
  } catch {
    return undefined;
  }
  const fd = beside === undefined ? bound(libc, options) : boundBeside(libc, options, beside);
  const sender = batchSenderFor(libc, fd, options.onSendError);
  if (sender === undefined) {
    libc.close(fd);
    return undefined;
  }
  growBuffers(libc, fd);
  return new LibcSocket(libc, fd, sender, options);
}

function boundBeside(libc: DenoLibc, options: UdpOptions, beside: number): number {
  setPortSharing(libc, beside, true);
  try {
    return bound(libc, options, true);
  } finally {
    setPortSharing(libc, beside, false);
  }
}

/** A socket that has its address. @param shares Whether another one has the port. */
function bound(libc: DenoLibc, options: UdpOptions, shares = false): number {
  const at = socketAddress(options.address, options.port, (name) => libc.interfaceIndex(name));
  const ipv4 = at.length === SOCKADDR_IN_SIZE;
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = libc.socket(ipv4 ? AF_INET : AF_INET6, type, 0);
  const check = (result: number) => {
    if (result >= 0) return;
    const code = errnoName(libc.errno());
    if (fd >= 0) libc.close(fd);
    throw codedError(code);
  };
  check(fd);
  const on = new Uint8Array(Int32Array.of(1).buffer);
  if (!ipv4) check(libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, on, on.length));
  if (shares) setPortSharing(libc, fd, true);
  check(libc.bind(fd, at, at.length));
  if (shares) setPortSharing(libc, fd, false);
  if (options.mark) check(setMark(libc, fd, options.mark));
  return fd;
}

class LibcSocket implements UdpSocket {
  readonly port: number;
  readonly #libc: DenoLibc;
  readonly #fd: number;
  readonly #sender: BatchSender;
  readonly #options: UdpOptions;
  #closed = false;

  constructor(libc: DenoLibc, fd: number, sender: BatchSender, options: UdpOptions) {
    this.#libc = libc;
    this.#fd = fd;
    this.#sender = sender;
    this.#options = options;
    const name = new Uint8Array(32);
    libc.getsockname(fd, name, new Uint8Array(Int32Array.of(name.length).buffer));
    this.port = new DataView(name.buffer).getUint16(2);
    void this.#receiveAll(!options.address.includes(":"));
  }

  send(bytes: Uint8Array, to: { readonly host: string; readonly port: number }): void {
    // The number may be another file's by now.
    if (!this.#closed) this.#sender.sendOne(this.#fd, bytes, to);
  }

  sendBatch(replies: ReplyBatch): void {
    if (!this.#closed) this.#sender.send(this.#fd, undefined, replies);
  }

  // deno-lint-ignore require-await -- what throws becomes a rejection
  async beside(options: Omit<UdpOptions, "port">): Promise<UdpSocket> {
    const socket = this.#closed
      ? undefined
      : openDenoUdp({ ...options, port: this.port }, this.#fd);
    if (socket === undefined) throw codedError("EBADF");
    return socket;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#libc.wake(this.#fd);
  }

  /** Answers a batch a turn of the event loop, until the socket is closed. */
  async #receiveAll(ipv4: boolean): Promise<void> {
    const vector = new ReceiveVector(this.#libc, ipv4, new DatagramBatch());
    const replies = new ReplyBatch();
    while (!this.#closed) {
      if (vector.receive(this.#fd, BATCH_SIZE) === 0) {
        await this.#libc.readable(this.#fd);
        continue;
      }
      this.#options.onBatch(vector.batch, replies);
      if (!this.#closed) this.#sender.send(this.#fd, vector, replies);
      vector.batch.count = 0;
      replies.count = 0;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#libc.close(this.#fd);
  }
}
