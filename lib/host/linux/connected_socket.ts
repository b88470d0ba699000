/**
 * A socket that speaks UDP with one server, with a mark for policy routing.
 *
 * A raw one speaks from a port that another socket owns: WireGuard's. It is connected to the server,
 * so the kernel hands over only what comes from there, and a filter in the kernel lets only the
 * right ports through. It needs CAP_NET_RAW, a mark CAP_NET_ADMIN. Sources: raw(7), udp(7), ipv6(7),
 * socket(7); RFC 768 for the header of a raw one.
 *
 * ```
 *  0          2          4        6          8
 * +----------+----------+--------+----------+- - -
 * | from     | to       | length | checksum | payload     IPv4: 0 is no checksum
 * +----------+----------+--------+----------+- - -        IPv6: the kernel writes it
 * ```
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
import { AF_INET, AF_INET6, socketAddress } from "./socket_address.ts";
import { setMark, SOL_SOCKET } from "./socket_options.ts";

const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_UDP = 17;
const IPPROTO_IPV6 = 41;
const IPV6_CHECKSUM = 7;
const SO_REUSEADDR = 2;
const SO_ATTACH_FILTER = 26;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Offset of the checksum in a UDP header. */
const CHECKSUM = 6;
const UDP_HEADER_SIZE = 8;
const MAX_IPV4_HEADER_SIZE = 60;
const POLL_MS = 5;
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

  const type = (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC;
  const fd = libc.socket(ipv4 ? AF_INET : AF_INET6, type, IPPROTO_UDP);
  if (fd < 0) throw codedError(errnoName(libc.errno()));
  const check = (result: number) => {
    if (result >= 0) return;
    const code = errnoName(libc.errno());
    libc.close(fd);
    throw codedError(code);
  };
  if (raw) {
    const filter = portFilter(ipv4, options.to.port, options.port);
    const program = filterProgram(libc, filter);
    check(libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length));
    if (!ipv4) check(libc.setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, int(CHECKSUM), 4));
  } else {
    // Several of ours, each to another server, speak from one port.
    check(libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, int(1), 4));
    const own = socketAddress(ipv4 ? "0.0.0.0" : "::", options.port);
    check(libc.bind(fd, own, own.length));
  }
  // Set to the mark of WireGuard's own datagrams, ours take the way that theirs take.
  if (mark !== 0) check(setMark(libc, fd, mark));
  check(libc.connect(fd, server, server.length));

  const packet = new WireBuffer(UDP_HEADER_SIZE + SLOT_SIZE);
  const segment = raw ? options.segment ?? 0 : 0;
  const most = segment > 0 ? MAX_PIECE_SIZE : SLOT_SIZE;
  const received = new WireBuffer(MAX_IPV4_HEADER_SIZE + UDP_HEADER_SIZE + most);
  // What came before the filter and the connection were in force may be from anybody.
  while (libc.recv(fd, received.bytes, received.size, MSG_DONTWAIT) >= 0);
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
      const at = raw ? (ipv4 ? (received.bytes[0]! & 15) * 4 : 0) + UDP_HEADER_SIZE : 0;
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
        packet.view.setUint16(0, options.port);
        packet.view.setUint16(2, options.to.port);
        packet.view.setUint16(4, UDP_HEADER_SIZE + bytes.length);
        packet.view.setUint16(CHECKSUM, 0);
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

/** An int of C, in this machine's byte order. */
function int(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer);
}

// Classic BPF (bpf(4), linux/filter.h).
const LOAD_HALF_ABSOLUTE = 0x28;
const LOAD_HALF_INDEXED = 0x48;
const LOAD_IPV4_HEADER_SIZE = 0xb1;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const WHOLE = 0xffff;
const INSTRUCTION_SIZE = 8;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** Lets only datagrams between these ports through. An IPv4 socket sees the IP header, too. */
function portFilter(ipv4: boolean, from: number, to: number): Instruction[] {
  const load = ipv4 ? LOAD_HALF_INDEXED : LOAD_HALF_ABSOLUTE;
  return [
    ...(ipv4 ? [[LOAD_IPV4_HEADER_SIZE, 0, 0, 0] as const] : []),
    [load, 0, 0, 0],
    [JUMP_IF_EQUAL, 0, 3, from],
    [load, 0, 0, 2],
    [JUMP_IF_EQUAL, 0, 1, to],
    [RETURN, 0, 0, WHOLE],
    [RETURN, 0, 0, 0],
  ];
}

/** The instructions must stay where they are until the kernel has read them. */
let keptInstructions = new Uint8Array(0);

/** struct sock_fprog: a length, and a pointer to struct sock_filter, in this machine's byte order. */
function filterProgram(libc: Libc, filter: readonly Instruction[]): Uint8Array {
  keptInstructions = new Uint8Array(filter.length * INSTRUCTION_SIZE);
  filter.forEach(([code, ifTrue, ifFalse, value], i) => {
    const at = i * INSTRUCTION_SIZE;
    keptInstructions.set(new Uint8Array(new Uint16Array([code]).buffer), at);
    keptInstructions.set([ifTrue, ifFalse], at + 2);
    keptInstructions.set(new Uint8Array(new Uint32Array([value]).buffer), at + 4);
  });
  const program = new Uint8Array(16);
  program.set(new Uint8Array(new Uint16Array([filter.length]).buffer));
  program.set(new Uint8Array(new BigUint64Array([libc.addressOf(keptInstructions)]).buffer), 8);
  return program;
}
