/**
 * A raw UDP socket on a port that WireGuard owns, which speaks with anybody. See raw_socket.ts.
 *
 * @module
 */

import { BATCH_SIZE, DatagramBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { writeIpv4 } from "../../core/net/ip_address.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { codedError, errorCode } from "../error.ts";
import type { RawUdpOptions, RawUdpSocket } from "../raw_udp.ts";
import { errnoName } from "./errno.ts";
import type { Libc } from "./libc.ts";
import {
  drain,
  markAs,
  MAX_HEADERS_SIZE,
  MSG_DONTWAIT,
  openPrepared,
  POLL_MS,
  prepareRaw,
  SOCK_RAW,
  UDP_HEADER_SIZE,
  udpHeaderAt,
  writeUdpHeader,
} from "./raw_socket.ts";
import { SOCKADDR_IN6_SIZE, socketAddress } from "./socket_address.ts";
import { attachFilter } from "./socket_filter.ts";
import { int } from "./socket_options.ts";

const IPPROTO_IP = 0;
const IP_TTL = 2;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
/** Of both: the system's default. */
const DEFAULT_TTL = -1;
const MAX_TTL = 255;
const MAX_PORT = 0xffff;
/** Milliseconds between two looks where nothing goes to and fro: they take time of the processor. */
const IDLE_POLL_MS = 25;
/** Looks without anything until that is so. */
const BUSY_POLLS = 40;
const ADDRESS_SIZE = 16;
/** Where the address lies in a struct sockaddr. */
const ADDRESS = 4;
const ADDRESS6 = 8;

/** Opens a socket. @throws Errors with a POSIX `code`. */
export function openRawUdp(libc: Libc, options: RawUdpOptions): RawUdpSocket {
  const { family, port } = options;
  const ipv4 = family === 4;
  const fd = openPrepared(libc, ipv4, SOCK_RAW, (fd, check) => {
    prepareRaw(libc, fd, { ipv4, to: port }, check);
    markAs(libc, fd, options.mark, check);
  });
  const batch = new DatagramBatch();
  const ports = new Uint16Array(BATCH_SIZE);
  const packet = new WireBuffer(UDP_HEADER_SIZE + SLOT_SIZE);
  // One byte more shows that a datagram is too long.
  const received = new WireBuffer(MAX_HEADERS_SIZE + SLOT_SIZE + 1);
  const source = new WireBuffer(SOCKADDR_IN6_SIZE);
  const sourceSize = new Uint8Array(4);
  drain(libc, fd, received);
  let sentTo: { host: string; address: Uint8Array } | undefined;
  let ttlNow = DEFAULT_TTL;
  let closed = false;
  let quietPolls = 0;
  let timer = setTimeout(poll, POLL_MS);

  /** An answer to what was just sent is not to wait. */
  function hurry(): void {
    if (quietPolls >= BUSY_POLLS) {
      clearTimeout(timer);
      timer = setTimeout(poll, POLL_MS);
    }
    quietPolls = 0;
  }

  /** A raw socket sends to addresses without a port. */
  function addressOf(host: string): Uint8Array {
    if (sentTo?.host !== host) {
      sentTo = { host, address: socketAddress(host, 0, (name) => libc.interfaceIndex(name)) };
    }
    return sentTo.address;
  }

  /** @returns Whether it has it now. */
  function setTtl(ttl: number): boolean {
    if (ttl === ttlNow) return true;
    const set = ipv4
      ? libc.setsockopt(fd, IPPROTO_IP, IP_TTL, int(ttl), 4)
      : libc.setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, int(ttl), 4);
    if (set < 0) return false;
    ttlNow = ttl;
    return true;
  }

  function poll(): void {
    batch.count = 0;
    for (let tries = 0; tries < BATCH_SIZE; tries++) {
      sourceSize.set([SOCKADDR_IN6_SIZE, 0, 0, 0]);
      const { bytes, size: room } = received;
      const size = libc.recvfrom(fd, bytes, room, MSG_DONTWAIT, source.bytes, sourceSize);
      if (size < 0) break;
      take(size);
    }
    quietPolls++;
    if (batch.count > 0) {
      quietPolls = 0;
      options.onBatch(batch, ports);
    }
    if (!closed) timer = setTimeout(poll, quietPolls < BUSY_POLLS ? POLL_MS : IDLE_POLL_MS);
  }

  function take(size: number): void {
    const header = udpHeaderAt(received, ipv4);
    const length = size - header - UDP_HEADER_SIZE;
    if (length < 0 || length > SLOT_SIZE) return;
    const i = batch.count++;
    copyBytes(received, header + UDP_HEADER_SIZE, batch.payloads, i * SLOT_SIZE, length);
    batch.lengths[i] = length;
    const at = batch.sourceAt(i);
    if (ipv4) writeIpv4(batch.sources, at, source.view.getUint32(ADDRESS));
    else copyBytes(source, ADDRESS6, batch.sources, at, ADDRESS_SIZE);
    batch.setSourcePort(i, received.view.getUint16(header));
    ports[i] = received.view.getUint16(header + 2);
  }

  return {
    send(bytes, to, { from = port, ttl } = {}) {
      // The number may be another file's by now.
      if (closed) return;
      if (bytes.length > SLOT_SIZE) return options.onSendError("EMSGSIZE", to);
      if (ttl !== undefined && !(ttl >= 1 && ttl <= MAX_TTL)) {
        return options.onSendError("EINVAL", to);
      }
      try {
        const address = addressOf(to.host);
        writeUdpHeader(packet, from, to.port, bytes.length);
        packet.bytes.set(bytes, UDP_HEADER_SIZE);
        const size = UDP_HEADER_SIZE + bytes.length;
        const sent = setTtl(ttl ?? DEFAULT_TTL) &&
          libc.sendto(fd, packet.bytes, size, MSG_DONTWAIT, address, address.length) >= 0;
        if (!sent) return options.onSendError(errnoName(libc.errno()), to);
        hurry();
      } catch (error) {
        // What others claim may be no address.
        options.onSendError(errorCode(error), to);
      }
    },
    hearAlso(first, count) {
      if (closed) return;
      const last = first + count - 1;
      if (count < 0 || (count > 0 && !(first >= 1 && last <= MAX_PORT))) throw codedError("EINVAL");
      const also = count > 0 ? { first, last } : undefined;
      if (attachFilter(libc, fd, { ipv4, to: port, also }) < 0) {
        throw codedError(errnoName(libc.errno()));
      }
    },
    close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      libc.close(fd);
    },
  };
}
