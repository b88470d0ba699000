/**
 * What a service tells systemd of itself, and when.
 *
 * A notice is lines of `NAME=value`: `READY=1` once it serves, `RELOADING=1` until the next
 * `READY=1`, `STOPPING=1`; and `STATUS=` with a line for people, which `systemctl status` shows.
 *
 * Source: sd_notify(3).
 *
 * @module
 */

/** Seconds between two status lines. */
const STATUS_INTERVAL = 10;
/** Characters of a status line. */
const MAX_STATUS = 200;
const CONTROL = /\p{Cc}+/gu;

/** The notices of one service. */
export class ServiceNotices {
  #told = "";
  #toldAt = -Infinity;

  /** It doesn't serve yet, and takes so many seconds more. */
  starting(status: string, seconds: number): string {
    return `EXTEND_TIMEOUT_USEC=${Math.round(seconds * 1e6)}\n${this.#lineOf(status)}`;
  }

  /** It serves, or has new settings in force. @param mono A clock that never jumps, in seconds. */
  ready(status: string, mono: number): string {
    return `READY=1\n${this.#tell(status, mono)}`;
  }

  /** It reads its settings again: {@linkcode ready} follows, whether it could or not. */
  reloading(): string {
    return "RELOADING=1\n";
  }

  /** It ends. */
  stopping(): string {
    return "STOPPING=1\n";
  }

  /** The status line, where it is another one and the last is not of just now; else undefined. */
  status(status: string, mono: number): string | undefined {
    if (status === this.#told || mono - this.#toldAt < STATUS_INTERVAL) return undefined;
    return this.#tell(status, mono);
  }

  #tell(status: string, mono: number): string {
    this.#told = status;
    this.#toldAt = mono;
    return this.#lineOf(status);
  }

  #lineOf(status: string): string {
    return `STATUS=${status.replaceAll(CONTROL, " ").slice(0, MAX_STATUS)}\n`;
  }
}
