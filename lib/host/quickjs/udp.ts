/**
 * UDP: what waits at a socket is taken as one batch, and the answers go out as one.
 *
 * @module
 */

import { NONE } from "../../core/net/none.ts";
import { BATCH_SIZE, DatagramBatch, ReplyBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import type { ConnectedUdpOptions, UdpOptions, UdpSocket } from "../udp.ts";
import { isNativeIpv4, type NativeAddress, nativeAddress, ownPort } from "./address.ts";
import { unwatch, watch } from "./loop.ts";
import { checked, nameOf, native } from "./native.ts";
import type { RawUdpOptions, RawUdpSocket } from "../raw_udp.ts";
import { codedError, errorCode } from "../error.ts";

/** What the system says where nothing waits. */
const NOTHING = "EAGAIN";

/** After a turn that took so long, others shall come sooner. */
const LONG_TURN_MS = 8;
const SMALLEST_BATCH = 4;
/** Where more has been coming for so long than can be answered, only the newest are. */
const OVERLOAD_MS = 1000;
/** So many are thrown away in a turn, at most: what the socket's buffer holds. */
const MAX_SKIPPED = 4096;

/** The most ports that there are. */
const MAX_PORT = 0xffff;
const MAX_TTL = 255;

// A batch is done with before the next one is taken, so that all sockets share them.
let shared: {
  readonly batch: DatagramBatch;
  readonly replies: ReplyBatch;
  readonly problems: Int32Array;
  readonly ports: Uint16Array;
} | undefined;

function buffers() {
  return shared ??= {
    batch: new DatagramBatch(),
    replies: new ReplyBatch(),
    problems: new Int32Array(64),
    ports: new Uint16Array(BATCH_SIZE),
  };
}

/**
 * Opens a UDP socket. Each batch is one turn of the loop. What comes too fast is dropped by the
 * kernel, and where that goes on, a server throws away what has waited longest.
 */
export function openUdp(options: UdpOptions): Promise<UdpSocket> {
  return open(options, NONE);
}

/** @param beside The socket that has the port already, for all addresses; or NONE. */
// deno-lint-ignore require-await -- what throws becomes a rejection
async function open(options: UdpOptions, beside: number): Promise<UdpSocket> {
  const { batch, replies, problems } = buffers();
  const address = nativeAddress({ host: options.address, port: options.port });
  const isServer = options.onOverload !== undefined;
  const mark = options.mark ?? 0;
  const fd = checked(native.udpOpen(...address, isServer ? 0 : 1, mark, beside));
  let closed = false;
  let most = BATCH_SIZE;
  /** Since when there were always more than a batch. */
  let busySince = Infinity;

  /** Takes a batch, and returns how many there are. */
  function receive(most: number): number {
    const { payloads, lengths, sources } = batch;
    const count = native.udpReceive(fd, payloads.bytes, lengths, sources.bytes, most);
    if (count >= 0) return count;
    const code = nameOf(count);
    if (code !== NOTHING) options.onSendError(code);
    return 0;
  }

  /** Takes the newest that wait, in the place of `count` others. Who waited long asks again. */
  function skip(count: number): number {
    let skipped = 0;
    while (skipped < MAX_SKIPPED) {
      const next = receive(most);
      if (next === 0) break;
      skipped += count;
      count = next;
      if (next < most) break;
    }
    if (skipped > 0) options.onOverload?.(skipped);
    return count;
  }

  function onReadable(): void {
    const start = native.mono();
    let count = receive(most);
    busySince = count < most ? Infinity : Math.min(busySince, start);
    if (isServer && start - busySince > OVERLOAD_MS) count = skip(count);
    batch.count = count;
    if (count > 0) options.onBatch(batch, replies);
    if (replies.count > 0 && !closed) reply(replies);
    replies.count = 0;
    // The more there is to do for each, the fewer are taken in a turn.
    most = native.mono() - start > LONG_TURN_MS
      ? Math.max(SMALLEST_BATCH, most >>> 1)
      : Math.min(BATCH_SIZE, 2 * most);
  }

  function reply(replies: ReplyBatch): void {
    const { to, offsets, sizes, runs, buffers, count, destinations: { bytes } } = replies;
    const failed = native.udpReply(fd, to, offsets, sizes, runs, buffers, count, problems, bytes);
    for (let i = 0; i < failed; i++) {
      options.onSendError(native.errorName(problems[Math.min(i, problems.length - 1)]!));
    }
  }

  watch(fd, { onReadable });
  const known = new KnownAddress();
  const port = ownPort(fd);
  return {
    port,
    beside: (other) => open({ ...other, port }, closed ? NONE : fd),
    send(bytes, to) {
      if (closed) return;
      const result = native.udpSend(fd, bytes, ...known.of(to.host, to.port));
      if (result < 0) options.onSendError(nameOf(result), to);
    },
    sendBatch(batch) {
      if (!closed) reply(batch);
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
  const segment = raw ? options.segment ?? 0 : 0;
  const address = nativeAddress(to);
  const headers = raw ? isNativeIpv4(address) ? 4 : 6 : 0;
  const ports = raw ? [port, to.port] : [];
  const fd = checked(native.connectedOpen(...address, port, raw ? 1 : 0, mark, segment));
  const source = address[0];
  let closed = false;

  watch(fd, {
    onReadable() {
      const count = native.connectedReceive(
        fd,
        headers,
        batch.payloads.bytes,
        batch.lengths,
        segment,
      );
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
      if (sent < 0) options.onSendError(nameOf(sent), to);
    },
    close() {
      if (closed) return;
      closed = true;
      unwatch(fd);
      native.close(fd);
    },
  };
}

/** Opens a raw socket; see raw.c. */
// deno-lint-ignore require-await -- what throws becomes a rejection
export async function openRawUdp(options: RawUdpOptions): Promise<RawUdpSocket> {
  const { batch, ports } = buffers();
  const { family, port } = options;
  const fd = checked(native.rawOpen(family, port, 0, 0, options.mark));
  const known = new KnownAddress();
  let closed = false;

  watch(fd, {
    onReadable() {
      const { payloads, lengths, sources } = batch;
      const count = native.rawReceive(fd, family, payloads.bytes, lengths, sources.bytes, ports);
      if (count < 0) {
        const code = nameOf(count);
        if (code !== NOTHING) options.onSendError(code);
        return;
      }
      batch.count = count;
      if (count > 0) options.onBatch(batch, ports);
    },
  });
  return {
    send(bytes, to, { from = port, ttl } = {}) {
      // The number may be another file's by now.
      if (closed) return;
      if (bytes.length > SLOT_SIZE) return options.onSendError("EMSGSIZE", to);
      if (ttl !== undefined && !(ttl >= 1 && ttl <= MAX_TTL)) {
        return options.onSendError("EINVAL", to);
      }
      try {
        checked(native.rawSend(fd, bytes, ...known.of(to.host, to.port), from, ttl ?? 0));
      } catch (error) {
        // What others claim may be no address.
        options.onSendError(errorCode(error), to);
      }
    },
    hearAlso(first, count) {
      if (closed) return;
      const last = first + count - 1;
      if (count < 0 || (count > 0 && !(first >= 1 && last <= MAX_PORT))) throw codedError("EINVAL");
      checked(native.rawHear(fd, family, port, count > 0 ? first : 0, count));
    },
    close() {
      if (closed) return;
      closed = true;
      unwatch(fd);
      native.close(fd);
    },
  };
}
