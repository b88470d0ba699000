/**
 * Other programs: started with pipes to them, which the loop watches.
 *
 * @module
 */

import { type RunOptions, type RunResult, TIMED_OUT } from "../processes.ts";
import { joinBytes } from "../../wire/bytes/wire_buffer.ts";
import { onSignal, setTimer, unwatch, watch } from "./loop.ts";
import { checked, nameOf, native } from "./native.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const CHUNK = 16_384;

/** What all programs' output is read into. */
let chunk: Uint8Array | undefined;

/** Runs a program and waits for its end: the promise fails where it can't be started. */
// deno-lint-ignore require-await -- what throws becomes a rejection
export async function runProgram(
  argv: readonly string[],
  { input = "", timeout, stop }: RunOptions = {},
): Promise<RunResult> {
  const pipes = new Int32Array(3);
  const pid = checked(native.spawn(argv, pipes));
  return new Promise((resolve) => {
    const program = new Program(pid, pipes, native.encode(input), timeout, resolve);
    void stop?.then(() => program.end());
  });
}

/** A program that runs: it is over when it has ended, and its pipes with it. */
class Program {
  readonly #pid: number;
  /** -1 where it is closed. */
  readonly #pipes: Int32Array;
  readonly #resolve: (result: RunResult) => void;
  readonly #texts: [Uint8Array[], Uint8Array[]] = [[], []];
  readonly #stopTimer: () => void;
  readonly #stopSignal: () => void;
  #input: Uint8Array;
  #code: number | undefined;
  #isLate = false;

  constructor(
    pid: number,
    pipes: Int32Array,
    input: Uint8Array,
    timeout: number | undefined,
    resolve: (result: RunResult) => void,
  ) {
    this.#pid = pid;
    this.#pipes = pipes;
    this.#input = input;
    this.#resolve = resolve;
    this.#stopSignal = onSignal("SIGCHLD", () => this.#reap());
    this.#stopTimer = timeout === undefined ? () => {} : setTimer(timeout * 1000, () => this.end());
    watch(pipes[STDOUT]!, { onReadable: () => this.#read(STDOUT) });
    watch(pipes[STDERR]!, { onReadable: () => this.#read(STDERR) });
    this.#write();
    // It may have ended before the signal was asked for.
    this.#reap();
  }

  #write(): void {
    const fd = this.#pipes[STDIN]!;
    while (this.#input.length > 0) {
      const put = native.writeNow(fd, this.#input, 0, this.#input.length);
      if (put < 0) {
        if (nameOf(put) === "EAGAIN") return watch(fd, { onWritable: () => this.#write() });
        // A program that reads nothing closes its end: that is its right.
        break;
      }
      this.#input = this.#input.subarray(put);
    }
    this.#close(STDIN);
  }

  #read(pipe: typeof STDOUT | typeof STDERR): void {
    chunk ??= new Uint8Array(CHUNK);
    const size = native.read(this.#pipes[pipe]!, chunk, 0, CHUNK);
    if (size > 0) this.#texts[pipe - 1]!.push(chunk.slice(0, size));
    else if (size === 0 || nameOf(size) !== "EAGAIN") this.#close(pipe);
    this.#finish();
  }

  #close(pipe: number): void {
    const fd = this.#pipes[pipe]!;
    if (fd < 0) return;
    this.#pipes[pipe] = -1;
    unwatch(fd);
    native.close(fd);
  }

  #reap(): void {
    if (this.#code !== undefined) return;
    const code = native.reap(this.#pid);
    if (code < 0) return;
    this.#code = code;
    this.#close(STDIN);
    this.#finish();
  }

  /** It took too long. What it has left running may hold the pipes open for longer. */
  end(): void {
    this.#reap();
    if (this.#code === undefined) {
      this.#isLate = true;
      native.kill(this.#pid);
    }
    for (const pipe of [STDIN, STDOUT, STDERR]) this.#close(pipe);
    this.#finish();
  }

  #finish(): void {
    if (this.#code === undefined || this.#pipes[STDOUT] !== -1 || this.#pipes[STDERR] !== -1) {
      return;
    }
    this.#stopTimer();
    this.#stopSignal();
    const [out, err] = this.#texts;
    this.#resolve({
      code: this.#isLate ? TIMED_OUT : this.#code,
      out: decoded(out),
      err: decoded(err),
    });
  }
}

function decoded(pieces: readonly Uint8Array[]): string {
  return native.decode(joinBytes(pieces));
}
