/**
 * UDP: what waits at a socket is taken as one batch, and the answers go out as one.
 *
 * @module
 */

import { DatagramBatch, ReplyBatch } from "../../core/datagram_batch.ts";
import type { ConnectedUdpOptions, UdpOptions, UdpSocket } from "../host.ts";
import { isNativeIpv4, type NativeAddress, nativeAddress, ownPort } from "./address.ts";
import { unwatch, watch } from "./loop.ts";
import { checked, nameOf, native } from "./native.ts";

/** What the system says where nothing waits. */
const NOTHING = "EAGAIN";

// A batch is done with before the next one is taken, so that all sockets share them.
let shared: { batch: DatagramBatch; replies: ReplyBatch; problems: Int32Array } | undefined;

function buffers() {
  return shared ??= {
    batch: new DatagramBatch(),
    replies: new ReplyBatch(),
    problems: new Int32Array(64),
  };
}

/**
 * Opens a UDP socket. What comes too fast is dropped by the kernel: nothing is read here that is not
 * answered, and each batch is one turn of the loop.
 */
// deno-lint-ignore require-await -- what throws becomes a rejection
export async function openUdp(options: UdpOptions): Promise<UdpSocket> {
  const { batch, replies, problems } = buffers();
  const fd = checked(
    native.udpOpen(...nativeAddress({ host: options.address, port: options.port })),
  );
  let closed = false;

  function onReadable(): void {
    const count = native.udpReceive(fd, batch.payloads.bytes, batch.lengths, batch.sources.bytes);
    if (count < 0) {
      const code = nameOf(count);
      if (code !== NOTHING) options.onSendError(code);
      return;
    }
    batch.count = count;
    if (count > 0) options.onBatch(batch, replies);
    if (replies.count > 0 && !closed) reply();
    replies.count = 0;
  }

  function reply(): void {
    const { to, offsets, sizes, runs, buffers, count } = replies;
    const failed = native.udpReply(fd, to, offsets, sizes, runs, buffers, count, problems);
    for (let i = 0; i < failed; i++) {
      options.onSendError(native.errorName(problems[Math.min(i, problems.length - 1)]!));
    }
  }

  watch(fd, { onReadable });
  const known = new KnownAddress();
  return {
    port: ownPort(fd),
    send(bytes, to) {
      if (closed) return;
      const result = native.udpSend(fd, bytes, ...known.of(to.host, to.port));
      if (result < 0) options.onSendError(nameOf(result));
    },
    close() {
      if (closed) return;
      closed = true;
      unwatch(fd);
      native.close(fd);
    },
  };
}

/** Remembers the address that was sent to last. */
class KnownAddress {
  #host: string | undefined;
  #port = 0;
  #address: NativeAddress = [new Uint8Array(0), 0, 0];

  of(host: string, port: number): NativeAddress {
    if (host !== this.#host || port !== this.#port) {
      this.#address = nativeAddress({ host, port });
      this.#host = host;
      this.#port = port;
    }
    return this.#address;
  }
}

/** Opens a socket that speaks with one other; see connected.c. */
// deno-lint-ignore require-await -- what throws becomes a rejection
export async function openConnectedUdp(options: ConnectedUdpOptions): Promise<UdpSocket> {
  const { batch, replies } = buffers();
  const { port, raw, to, mark } = options;
  const address = nativeAddress(to);
  const headers = raw ? isNativeIpv4(address) ? 4 : 6 : 0;
  const ports = raw ? [port, to.port] : [];
  const fd = checked(native.connectedOpen(...address, port, raw ? 1 : 0, mark));
  const source = address[0];
  let closed = false;

  watch(fd, {
    onReadable() {
      const count = native.connectedReceive(fd, headers, batch.payloads.bytes, batch.lengths);
      if (count < 0) {
        const code = nameOf(count);
        if (code !== NOTHING) options.onSendError(code);
        return;
      }
      for (let i = 0; i < count; i++) {
        batch.sources.bytes.set(source, batch.sourceAt(i));
        batch.setSourcePort(i, to.port);
      }
      batch.count = count;
      if (count > 0) options.onBatch(batch, replies);
      replies.count = 0;
    },
  });
  return {
    port,
    send(bytes) {
      // The number may be another file's by now.
      if (closed) return;
      const sent = native.connectedSend(fd, bytes, ...ports);
      if (sent < 0) options.onSendError(nameOf(sent));
    },
    close() {
      if (closed) return;
      closed = true;
      unwatch(fd);
      native.close(fd);
    },
  };
}
