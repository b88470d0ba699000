/**
 * Files and standard input.
 *
 * @module
 */

/** A file as it was read. */
export interface FileContent {
  readonly bytes: Uint8Array;
  /** Permission bits, such as 0o600, or undefined where it is no regular file (a pipe, say). */
  readonly mode: number | undefined;
  /** The number of the user whom it belongs to, or undefined where it is no regular file. */
  readonly owner: number | undefined;
}

/** How a file is read. */
export interface ReadOptions {
  /** Refuse links, pipes and devices (`EFTYPE`). */
  readonly regular?: boolean;
  /** Read the beginning of a file that is larger than the limit, instead of `EFBIG`. */
  readonly beginning?: boolean;
}

/** How a file is written. */
export interface WriteOptions {
  /** Permission bits. */
  readonly mode: number;
  /** Refuse (`EEXIST`) to replace a file. Else it is replaced at once and whole, or not at all. */
  readonly exclusive?: boolean;
}

/** A file that is written piece by piece, and comes into the place of another once it is whole. */
export interface Replacement {
  /** Adds bytes to it, which are the caller's again then. */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Writes these bytes over its beginning, waits until all of it is on the disk, and puts it into its
   * place.
   */
  finish(beginning: Uint8Array): Promise<void>;
  /** Gives it up: nothing is left of it. It doesn't fail, and does nothing where it is finished. */
  abandon(): Promise<void>;
}

/** The files of a host. */
export interface Files {
  /** Reads a file of at most `limit` bytes (`EFBIG` where it is larger). */
  readFile(path: string, limit: number, options?: ReadOptions): Promise<FileContent>;
  /** Writes a file and waits until it is on the disk. */
  writeFile(path: string, bytes: Uint8Array, options: WriteOptions): Promise<void>;
  /** Begins a file that comes into the place of the one of this name. */
  replaceFile(path: string, options: Pick<WriteOptions, "mode">): Promise<Replacement>;
  /**
   * Adds bytes to the end of a file (`ENOENT` where there is none) and waits until they are on the
   * disk. Where it fails, some of them may be there.
   *
   * @returns The size of the file then.
   */
  appendFile(path: string, bytes: Uint8Array): Promise<number>;
  /** Removes a file. */
  removeFile(path: string): Promise<void>;
  /** Makes a folder, and those above it, where there is none; for the owner alone. */
  makeFolder(path: string): Promise<void>;
  /** The names of what is in a folder, but for `.` and `..`, in any order. */
  listFolder(path: string): Promise<readonly string[]>;
  /**
   * What tells a file from all others, whatever its names are: links are followed, and nothing is
   * opened (`ENOENT` where there is none).
   */
  identify(path: string): Promise<string>;
  /** Gives a file another name. */
  renameFile(from: string, to: string): Promise<void>;
}

/** Standard input. */
export interface Input {
  /**
   * Reads standard input to its end, at most `limit` bytes (`EFBIG`). Called again, it returns the
   * same bytes.
   */
  readInput(limit: number): Promise<Uint8Array>;
}
