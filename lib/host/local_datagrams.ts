/**
 * Datagrams to programs of this machine.
 *
 * @module
 */

/** Sends datagrams over unix sockets. */
export interface LocalDatagrams {
  /**
   * Sends one, without waiting: `ENOENT` or `ECONNREFUSED` where nobody receives, `EAGAIN` where he is
   * slow, `ENAMETOOLONG`, `ENOSYS` where such sockets are not to be had.
   *
   * @param to A path, or `@` and a name that is no file (unix(7), "abstract").
   */
  sendLocal(to: string, bytes: Uint8Array): void;
}
