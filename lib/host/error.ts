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

const EXPLANATIONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EBADF: "it is closed",
  EADDRNOTAVAIL: "no such address on this host",
  EAFNOSUPPORT: "this host has no such kind of address",
  EEXIST: "it exists already",
  EFBIG: "it is too large",
  EFTYPE: "it is no regular file",
  EHOSTUNREACH: "no route to host",
  EISDIR: "it is a directory",
  EINVAL: "invalid argument",
  ELOOP: "it is a symbolic link",
  ENOENT: "no such file or directory",
  ENOSYS: "not to be had on this system",
  ENOSPC: "no space left",
  ENETDOWN: "network is down",
  ENETUNREACH: "network is unreachable",
  ENOTDIR: "a part of the path is no directory",
  ENOTFOUND: "host not found",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
  ETIMEDOUT: "timed out",
};

/** What went wrong, in words. */
export function explain(error: unknown): string {
  return explainCode(errorCode(error));
}

/** What a POSIX name means, in words. */
export function explainCode(code: string): string {
  return EXPLANATIONS[code] ?? code;
}
