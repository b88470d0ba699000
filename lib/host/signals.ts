/**
 * Signals to the process.
 *
 * @module
 */

/** Signals that the program reacts to. */
export type Signal = "SIGHUP" | "SIGINT" | "SIGTERM" | "SIGUSR1" | "SIGUSR2";

/** Tells of signals. */
export interface Signals {
  /** Calls `run` whenever the signal comes; the returned function ends that. */
  onSignal(signal: Signal, run: () => void): () => void;
}
