/**
 * Locks on files.
 *
 * @module
 */

/** Locks that end with the process that has them, however it ends. */
export interface FileLocks {
  /**
   * Takes the lock on a file, which is made where there is none, and left where it is. `EAGAIN` where
   * another process has it, or this one already; `ENOSYS`, `ENOLCK` or `EOPNOTSUPP` where the system
   * or the file system has no locks.
   *
   * @returns Gives it back.
   */
  lockFile(path: string): Promise<() => void>;
}
