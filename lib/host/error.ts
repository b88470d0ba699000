/**
 * What a host throws: errors that carry a POSIX name in `code` (`ENOENT`, `EACCES`, `EADDRINUSE`, …;
 * see {@linkcode errorCode}), `ENOTFOUND` for a name that doesn't resolve.
 *
 * @module
 */

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

/** Whether an error carries a POSIX name: then the system says no, and no fault of the program. */
export function isCoded(error: unknown): boolean {
  const code = errorCode(error);
  // Runtimes have names for faults of their own, such as ERR_INVALID_ARG_TYPE.
  return POSIX_NAME.test(code) && !code.startsWith("ERR_");
}

const POSIX_NAME = /^E[A-Z0-9_]+$/;
/** What the system calls its errors, for people: without the name, which nobody has to know. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  E2BIG: "too many arguments",
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "no such address on this host",
  EAFNOSUPPORT: "this host has no such kind of address",
  EAGAIN: "it is busy",
  EALREADY: "it is being done already",
  EBADF: "it is closed",
  EBUSY: "it is in use",
  ECHILD: "there is no such process",
  ECONNABORTED: "the connection was given up",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the other side has cut the connection",
  EDESTADDRREQ: "an address is missing",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  EFAULT: "wrong address in memory",
  EFBIG: "it is too large",
  EFTYPE: "it is no regular file, or a link to one",
  EHOSTDOWN: "the host is down",
  EHOSTUNREACH: "no route to host",
  EINPROGRESS: "it is under way",
  EINTR: "interrupted",
  EINVAL: "invalid argument",
  EIO: "the device has failed (input/output error)",
  EISCONN: "it is connected already",
  EISDIR: "it is a directory",
  ELOOP: "it is a symbolic link",
  EMFILE: "this program has too many files and sockets open (see ulimit -n)",
  EMLINK: "too many links",
  EMSGSIZE: "too long for a datagram here",
  ENAMETOOLONG: "the name is too long",
  ENETDOWN: "network is down",
  ENETRESET: "the network has cut the connection",
  ENETUNREACH: "network is unreachable",
  ENFILE: "the system has too many files and sockets open",
  ENOBUFS: "the system has no room for it now",
  ENODEV: "no such device or interface",
  ENOENT: "no such file or directory",
  ENOEXEC: "it is no program for this system",
  ENOLCK: "no lock is to be had there",
  ENOMEM: "out of memory",
  ENOPROTOOPT: "this system has no such option",
  ENOSPC: "no space left",
  ENOSYS: "not to be had on this system",
  ENOTCONN: "it is not connected",
  ENOTDIR: "a part of the path is no directory",
  ENOTEMPTY: "the directory is not empty",
  ENOTFOUND: "host not found",
  ENOTSOCK: "it is no socket",
  ENOTSUP: "not to be had here",
  ENXIO: "no such device or address",
  EOPNOTSUPP: "not to be had here",
  EPERM: "operation not permitted",
  EPIPE: "nobody reads it any more",
  EPROTO: "the other side breaks the protocol",
  EPROTONOSUPPORT: "this system has no such protocol",
  EROFS: "read-only file system",
  ESHUTDOWN: "it is shut down",
  ESTALE: "the file is gone from its server",
  ETIMEDOUT: "timed out",
  ETXTBSY: "it is a program that runs",
  EXDEV: "it is on another file system",
};

/** What went wrong, in words. */
export function explain(error: unknown): string {
  return explainCode(errorCode(error));
}

/** What a POSIX name means, in words; a text that is none is left as it is. */
export function explainCode(code: string): string {
  return EXPLANATIONS[code] ?? (POSIX_NAME.test(code) ? `the system says ${code}` : code);
}
