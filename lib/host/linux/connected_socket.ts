/**
 * A socket that speaks UDP with one server, with a mark for policy routing.
 *
 * A raw one speaks from a port that another socket owns: WireGuard's. It is connected to the server,
 * so the kernel hands over only what comes from there, and a filter in the kernel lets only the
 * right ports through, and nothing that a relay forwards. It needs CAP_NET_RAW, a mark
 * CAP_NET_ADMIN. Sources: raw(7), udp(7), socket(7).
 *
 * @module
 */

import { BATCH_SIZE, DatagramBatch, ReplyBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { isIpv4, parseAddress } from "../../core/net/ip_address.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { ConnectedUdpOptions, UdpSocket } from "../udp.ts";
import { codedError } from "../error.ts";
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
  SOCK_DGRAM,
  SOCK_RAW,
  UDP_HEADER_SIZE,
  udpHeaderAt,
  writeUdpHeader,
} from "./raw_socket.ts";
import { socketAddress } from "./socket_address.ts";
import { int, SO_REUSEADDR, SOL_SOCKET } from "./socket_options.ts";

const MSG_NOSIGNAL = 0x4000;
/** The most that one call can receive without its headers. */
const MAX_PIECE_SIZE = 65_535;

/** Opens a socket. Throws errors with a POSIX `code`. */
export function openConnectedSocket(libc: Libc, options: ConnectedUdpOptions): UdpSocket {
  const { raw, mark } = options;
  const batch = new DatagramBatch();
  const replies = new ReplyBatch();
  if (!parseAddress(options.to.host, batch.sources, 0)) throw codedError("EINVAL");
  const ipv4 = isIpv4(batch.sources, 0);
  for (let i = 0; i < BATCH_SIZE; i++) {
    if (i > 0) copyBytes(batch.sources, 0, batch.sources, batch.sourceAt(i), batch.sourceAt(1));
    batch.setSourcePort(i, options.to.port);
  }

  // A raw socket has no port. A name server may be at a link-local address: `fe80::1%eth0`.
  const server = socketAddress(
    options.to.host,
    raw ? 0 : options.to.port,
    (name) => libc.interfaceIndex(name),
  );

  const segment = raw ? options.segment ?? 0 : 0;
  const heard = { ipv4, from: options.to.port, to: options.port, segment };
  const fd = openPrepared(libc, ipv4, raw ? SOCK_RAW : SOCK_DGRAM, (fd, check) => {
    if (raw) prepareRaw(libc, fd, heard, check);
    else {
      // Several of ours, each to another server, speak from one port.
      check(libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, int(1), 4));
      const own = socketAddress(ipv4 ? "0.0.0.0" : "::", options.port);
      check(libc.bind(fd, own, own.length));
    }
    markAs(libc, fd, mark, check);
    check(libc.connect(fd, server, server.length));
  });

  const packet = new WireBuffer(UDP_HEADER_SIZE + SLOT_SIZE);
  const most = segment > 0 ? MAX_PIECE_SIZE : SLOT_SIZE;
  const received = new WireBuffer(MAX_HEADERS_SIZE + most);
  drain(libc, fd, received);
  let closed = false;
  let timer = setTimeout(poll, POLL_MS);

  function handOver(): void {
    options.onBatch(batch, replies);
    batch.count = 0;
    replies.count = 0;
  }

  function poll(): void {
    batch.count = 0;
    while (batch.count < BATCH_SIZE) {
      const size = libc.recv(fd, received.bytes, received.size, MSG_DONTWAIT);
      if (size < 0) break;
      const at = raw ? udpHeaderAt(received, ipv4) + UDP_HEADER_SIZE : 0;
      const length = size - at;
      const isWhole = segment === 0 || length <= segment || length % segment !== 0;
      if (length < 0 || (isWhole && length > SLOT_SIZE)) continue;
      const step = isWhole ? length : segment;
      let from = at;
      do {
        if (batch.count === BATCH_SIZE) handOver();
        if (closed) return;
        copyBytes(received, from, batch.payloads, batch.count * SLOT_SIZE, step);
        batch.lengths[batch.count++] = step;
        from += step;
      } while (from < size);
    }
    if (batch.count > 0) handOver();
    if (!closed) timer = setTimeout(poll, POLL_MS);
  }

  return {
    port: options.port,
    send(bytes) {
      // The number may be another file's by now.
      if (closed) return;
      let at = 0;
      if (raw) {
        writeUdpHeader(packet, options.port, options.to.port, bytes.length);
        at = UDP_HEADER_SIZE;
      }
      packet.bytes.set(bytes, at);
      const sent = libc.send(fd, packet.bytes, at + bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) options.onSendError(errnoName(libc.errno()), options.to);
    },
    close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      libc.close(fd);
    },
  };
}
