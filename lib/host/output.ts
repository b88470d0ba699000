/**
 * Standard output and standard error.
 *
 * @module
 */

/** Standard output or standard error. */
export interface TextOutput {
  /** Whether a person looks at it. */
  readonly isTerminal: boolean;
  /** The numbers of its device and inode, `DEVICE:INODE`; undefined where files have none. */
  readonly file: string | undefined;
  /**
   * Writes all of the text before it returns. A reader that has gone away is no error; a full disk
   * (`ENOSPC`) is one.
   */
  write(text: string): void;
  /** The same for bytes. */
  writeBytes(bytes: Uint8Array): void;
  /**
   * Writes when the reader is ready for it, and holds nothing up until then.
   *
   * @returns Whether it will be written: where too much waits already, it is left out.
   */
  post(text: string): boolean;
  /** Waits until what was posted is written, or the reader takes nothing for a second. */
  flush(): Promise<void>;
}

/** Where a program says what it does. */
export interface Outputs {
  readonly out: TextOutput;
  readonly err: TextOutput;
}
