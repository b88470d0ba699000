/**
 * Standard output and standard error.
 *
 * @module
 */

import type { TextOutput } from "../output.ts";
import { checked, nameOf, native } from "./native.ts";
import { setTimer, unwatch, watch } from "./loop.ts";

/** PIPE_BUF of Linux: a pipe that is ready takes so many bytes at once. */
const ATOMIC_WRITE = 4096;
/** Bytes that may wait for a reader. */
const MAX_POSTED = 65_536;
const FLUSH_MS = 1000;

/** Standard output (1) or standard error (2). */
export function standardOutput(fd: number): TextOutput {
  const waiting: Uint8Array[] = [];
  let size = 0;
  /** Called when nothing waits any more. */
  let flushed: () => void = () => {};

  function writeBytes(bytes: Uint8Array): void {
    const result = native.write(fd, bytes, 0, bytes.length);
    // A reader that has gone away is no error.
    if (result < 0 && nameOf(result) !== "EPIPE") checked(result);
  }

  /** Writes what can be written now, and waits with the rest. */
  function drain(): void {
    for (let bytes = waiting[0]; bytes !== undefined; bytes = waiting[0]) {
      const piece = Math.min(ATOMIC_WRITE, bytes.length);
      const put = native.writeNow(fd, bytes, 0, piece);
      if (put < 0 && nameOf(put) === "EAGAIN") return watch(fd, { onWritable: drain });
      // A full disk under a log must not end a service, and a reader may have gone away.
      const gone = put < 0 ? bytes.length : put;
      size -= gone;
      if (gone === bytes.length) waiting.shift();
      else waiting[0] = bytes.subarray(gone);
    }
    unwatch(fd);
    flushed();
  }

  return {
    isTerminal: native.isTerminal(fd) === 1,
    file: native.fileOf(fd),
    write: (text) => writeBytes(native.encode(text)),
    writeBytes,
    post(text) {
      const bytes = native.encode(text);
      if (size + bytes.length > MAX_POSTED) return false;
      size += bytes.length;
      waiting.push(bytes);
      if (waiting.length === 1) drain();
      return true;
    },
    async flush() {
      if (waiting.length === 0) return;
      await new Promise<void>((done) => {
        const cancel = setTimer(FLUSH_MS, done);
        flushed = () => {
          cancel();
          done();
        };
      });
    },
  };
}
