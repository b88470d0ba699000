/**
 * Files and standard input. What is on a disk is read and written at once: the loop waits for it.
 *
 * @module
 */

import type { FileContent, ReadOptions, WriteOptions } from "../files.ts";
import { codedError } from "../error.ts";
import type { Host } from "../host.ts";
import { unwatch, watch } from "./loop.ts";
import { checked, DIRECTORY, nameOf, native, OPEN, REGULAR } from "./native.ts";

const STDIN = 0;
const PERMISSION_BITS = 0o7777;
const CHUNK = 16_384;
const OWNER_ONLY = 0o700;
const OWNER_FILE = 0o600;
const NO_FILE = -1;
/** What opening says of a link, a socket, and a device that nothing drives. */
const IRREGULAR = new Set(["ELOOP", "ENXIO", "ENODEV"]);

/** The part of a host that is files. */
export function quickjsFiles(): Pick<
  Host,
  | "readFile"
  | "readInput"
  | "writeFile"
  | "replaceFile"
  | "appendFile"
  | "removeFile"
  | "makeFolder"
  | "identify"
  | "listFolder"
  | "renameFile"
  | "lockFile"
> {
  let input: Promise<Uint8Array> | undefined;
  return {
    readFile,
    readInput: (limit) => input ??= readAll(STDIN, limit),
    // deno-lint-ignore require-await -- what throws becomes a rejection
    writeFile: async (path, bytes, options) => writeFile(path, bytes, options),
    // deno-lint-ignore require-await -- the same
    replaceFile: async (path, { mode }) => {
      const replacement = new QuickjsReplacement(path, mode);
      return {
        // deno-lint-ignore require-await -- the same
        write: async (bytes) => replacement.put(bytes),
        // deno-lint-ignore require-await -- the same
        finish: async (beginning) => replacement.end(beginning),
        // deno-lint-ignore require-await -- the same
        abandon: async () => replacement.drop(),
      };
    },
    // deno-lint-ignore require-await -- the same
    appendFile: async (path, bytes) => appendFile(path, bytes),
    // deno-lint-ignore require-await -- the same
    removeFile: async (path) => void checked(native.unlink(path)),
    // deno-lint-ignore require-await -- the same
    makeFolder: async (path) => makeFolder(path),
    // deno-lint-ignore require-await -- the same
    identify: async (path) => identify(path),
    // deno-lint-ignore require-await -- the same
    listFolder: async (path) => listFolder(path),
    // deno-lint-ignore require-await -- the same
    renameFile: async (from, to) => void checked(native.rename(from, to)),
    // deno-lint-ignore require-await -- the same
    lockFile: async (path) => lockFile(path),
  };
}

/** Bytes that come in pieces, up to a limit. */
class Pieces {
  readonly #limit: number;
  readonly #chunk = new Uint8Array(CHUNK);
  readonly #pieces: Uint8Array[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes what there is to read; false at the end. `EFBIG` where it is too much. */
  read(fd: number): boolean {
    const result = native.read(fd, this.#chunk, 0, CHUNK);
    if (result < 0 && nameOf(result) === "EAGAIN") return true;
    const size = checked(result);
    this.#size += size;
    if (this.#size > this.#limit) throw codedError("EFBIG");
    if (size > 0) this.#pieces.push(this.#chunk.slice(0, size));
    return size > 0;
  }

  joined(): Uint8Array {
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

/** See `Host.readFile`. */
export async function readFile(
  path: string,
  limit: number,
  { regular = false, beginning = false }: ReadOptions = {},
): Promise<FileContent> {
  const fd = native.open(path, regular ? OPEN.readUnfollowed : OPEN.read, 0);
  if (fd < 0 && regular && IRREGULAR.has(nameOf(fd))) throw codedError("EFTYPE");
  checked(fd);
  try {
    const status = checked(native.status(fd));
    const isRegular = (status & REGULAR) !== 0;
    if (regular && !isRegular) {
      throw codedError((status & DIRECTORY) === 0 ? "EFTYPE" : "EISDIR");
    }
    const bytes = beginning ? readSome(fd, limit) : await readAll(fd, limit);
    return isRegular
      ? { bytes, mode: status & PERMISSION_BITS, owner: native.owner(fd) }
      : { bytes, mode: undefined, owner: undefined };
  } finally {
    native.close(fd);
  }
}

/** Reads the beginning of a file. */
function readSome(fd: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  return bytes.subarray(0, checked(native.read(fd, bytes, 0, size)));
}

/** Reads to the end: waits for a pipe or a terminal, and reads a file at once. */
async function readAll(fd: number, limit: number): Promise<Uint8Array> {
  const pieces = new Pieces(limit);
  for (;;) {
    const isWatched = await readable(fd);
    try {
      if (!pieces.read(fd)) return pieces.joined();
    } finally {
      if (isWatched) unwatch(fd);
    }
  }
}

/** Waits until there is something to read. False for what is always ready, and is not watched. */
async function readable(fd: number): Promise<boolean> {
  try {
    await new Promise<void>((resolve) => watch(fd, { onReadable: resolve }));
    return true;
  } catch {
    return false;
  }
}

function writeFile(
  path: string,
  bytes: Uint8Array,
  { mode, exclusive = false }: WriteOptions,
): void {
  if (!exclusive) {
    const replacement = new QuickjsReplacement(path, mode);
    try {
      replacement.put(bytes);
      return replacement.end(new Uint8Array(0));
    } finally {
      replacement.drop();
    }
  }
  const fd = checked(native.open(path, OPEN.create, mode));
  try {
    try {
      checked(native.write(fd, bytes, 0, bytes.length));
      checked(native.sync(fd));
    } finally {
      native.close(fd);
    }
  } catch (error) {
    native.unlink(path);
    throw error;
  }
  syncFolder(path);
}

/** See {@linkcode Replacement}. */
class QuickjsReplacement {
  readonly #path: string;
  readonly #target: string;
  #fd: number;

  constructor(path: string, mode: number) {
    this.#path = path;
    // What lies under the temporary name is nobody's: left by a crash, or put there to be followed.
    this.#target = `${path}.new`;
    native.unlink(this.#target);
    this.#fd = checked(native.open(this.#target, OPEN.create, mode));
  }

  put(bytes: Uint8Array): void {
    checked(native.write(this.#fd, bytes, 0, bytes.length));
  }

  end(beginning: Uint8Array): void {
    if (beginning.length > 0) this.#overwrite(beginning);
    checked(native.sync(this.#fd));
    native.close(this.#fd);
    this.#fd = NO_FILE;
    try {
      checked(native.rename(this.#target, this.#path));
    } catch (error) {
      native.unlink(this.#target);
      throw error;
    }
    syncFolder(this.#path);
  }

  drop(): void {
    if (this.#fd === NO_FILE) return;
    native.close(this.#fd);
    this.#fd = NO_FILE;
    native.unlink(this.#target);
  }

  /** As a file is opened to be locked, it is written to from its beginning. */
  #overwrite(bytes: Uint8Array): void {
    const fd = checked(native.open(this.#target, OPEN.lock, OWNER_FILE));
    try {
      checked(native.write(fd, bytes, 0, bytes.length));
    } finally {
      native.close(fd);
    }
  }
}

/** A new name, too, must be on the disk. Not every system lets a directory be opened for that. */
function syncFolder(path: string): void {
  const folder = native.open(folderOf(path), OPEN.list, 0);
  if (folder < 0) return;
  native.sync(folder);
  native.close(folder);
}

function appendFile(path: string, bytes: Uint8Array): number {
  const fd = checked(native.open(path, OPEN.append, 0));
  try {
    checked(native.write(fd, bytes, 0, bytes.length));
    // Its size comes with that; only times do not.
    checked(native.syncData(fd));
    return checked(native.size(fd));
  } finally {
    native.close(fd);
  }
}

function identify(path: string): string {
  const file = native.fileAt(path);
  if (typeof file === "number") throw codedError(nameOf(file));
  return file;
}

function listFolder(path: string): readonly string[] {
  const names = native.list(path);
  if (typeof names === "number") throw codedError(nameOf(names));
  return names;
}

function lockFile(path: string): () => void {
  const fd = checked(native.open(path, OPEN.lock, OWNER_FILE));
  const result = native.lock(fd);
  if (result >= 0) return () => void native.close(fd);
  native.close(fd);
  throw codedError(nameOf(result));
}

function folderOf(path: string): string {
  const end = path.replace(/\/+$/, "").lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, end) || "/";
}

function makeFolder(path: string): void {
  const made = native.mkdir(path, OWNER_ONLY);
  if (made >= 0) return;
  const code = nameOf(made);
  if (code === "EEXIST" && isFolder(path)) return;
  const above = folderOf(path);
  if (code !== "ENOENT" || above === path || path === "") throw codedError(code);
  makeFolder(above);
  checked(native.mkdir(path, OWNER_ONLY));
}

function isFolder(path: string): boolean {
  const fd = native.open(path, OPEN.list, 0);
  if (fd >= 0) native.close(fd);
  // One that may not be read is one, too.
  return fd >= 0 || nameOf(fd) === "EACCES";
}
