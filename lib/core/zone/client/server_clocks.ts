/**
 * By how much the clocks of name servers are ahead, as long as the program runs: one that refuses the
 * time of this host (BADTIME) does so once, and not at every question.
 *
 * @module
 */

import type { TsigKey } from "../../../wire/dns/tsig.ts";

/** The most that are kept; the one that was learnt first goes. */
const MOST = 64;

/** What `TsigDialog.clockAhead` came to, by server and key: it is only what a signed answer has said. */
export class ServerClocks {
  readonly #ahead = new Map<string, number>();

  /** By how many seconds that server's clock is ahead; 0 where it isn't known to be off. */
  ahead(server: string, { text }: TsigKey): number {
    return this.#ahead.get(`${server} ${text}`) ?? 0;
  }

  /** Keeps it; nothing is kept of one that isn't off. */
  learn(server: string, { text }: TsigKey, ahead: number): void {
    const name = `${server} ${text}`;
    if (ahead === 0) return void this.#ahead.delete(name);
    this.#ahead.set(name, ahead);
    if (this.#ahead.size <= MOST) return;
    const [first] = this.#ahead.keys();
    this.#ahead.delete(first!);
  }
}
