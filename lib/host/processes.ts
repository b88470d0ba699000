/**
 * Other programs.
 *
 * @module
 */

/** What became of a program that was run. */
export interface RunResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The code of a program that took too long, as timeout(1) has it. */
export const TIMED_OUT = 124;

/** How a program is run. */
export interface RunOptions {
  /** What it gets on standard input; nothing where this is left out. */
  readonly input?: string;
  /**
   * It is ended after so many seconds, with {@linkcode TIMED_OUT}: it, and where the system has process
   * groups, what it has started.
   */
  readonly timeout?: number;
  /** Once this is fulfilled, it is ended in the same way. */
  readonly stop?: Promise<void>;
}

/** Runs programs. */
export interface Processes {
  /** Runs a program (`ENOENT` where there is none) and waits for its end. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
}
