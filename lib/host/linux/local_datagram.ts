/**
 * Datagrams over unix sockets, through libc: neither Bun nor Deno has them.
 *
 * Source: unix(7).
 *
 * @module
 */

import { codedError } from "../error.ts";
import { errnoName } from "./errno.ts";
import type { Libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Size of sun_family, and of the room behind it. */
const FAMILY_SIZE = 2;
const PATH_SIZE = 108;

/** See `LocalDatagrams`. @param open Opens libc, or throws where there is none. */
export function sendLocalDatagram(
  open: () => Pick<Libc, "socket" | "connect" | "send" | "close" | "errno">,
  to: string,
  bytes: Uint8Array,
): void {
  const address = unixAddress(to);
  let libc;
  try {
    libc = open();
  } catch {
    throw codedError("ENOSYS");
  }
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw codedError(errnoName(libc.errno()));
  const isSent = libc.connect(fd, address, address.length) >= 0 &&
    libc.send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
  const errno = isSent ? 0 : libc.errno();
  libc.close(fd);
  if (!isSent) throw codedError(errnoName(errno));
}

/** struct sockaddr_un: a path has a zero behind it, an abstract name one before it. */
function unixAddress(to: string): Uint8Array {
  const isAbstract = to.startsWith("@");
  const name = new TextEncoder().encode(isAbstract ? `\0${to.slice(1)}` : `${to}\0`);
  if (name.length > PATH_SIZE) throw codedError("ENAMETOOLONG");
  const address = new Uint8Array(FAMILY_SIZE + name.length);
  address.set(new Uint8Array(Uint16Array.of(AF_UNIX).buffer));
  address.set(name, FAMILY_SIZE);
  return address;
}
