/**
 * What is logged of a store: once when it is gone, once when it is back, and once an hour between.
 *
 * @module
 */

import type { Counters } from "../../core/net/counters.ts";
import type { LogFields } from "../../core/net/log_line.ts";
import { formatAge } from "../../core/settings/duration.ts";
import type { SharingNews, SharingTrouble } from "../../core/shared/sharing_steps.ts";
import type { Log } from "../log/log.ts";

const ALONE = "goes on with what is known here, and catches up once the store is back";
const AWAITED = "nobody is answered before the store is read (--store-start wait)";
const UNWRITTEN = "others don't hear of what changes here until then; what they write is read";

/** Says how a store is. */
export class SharingLog {
  readonly #log: Log;
  readonly #store: string;
  readonly #counters: Counters;
  #hasRefused = false;

  /** @param store How it is called. */
  constructor(log: Log, store: string, counters: Counters) {
    this.#log = log;
    this.#store = store;
    this.#counters = counters;
  }

  /** Says one thing. @param isAwaited Whether nobody is answered before the store is read. */
  tell(news: SharingNews, isAwaited: boolean): void {
    const store = this.#store;
    if ("of" in news) return this.#tellOfTrouble(news, isAwaited);
    switch (news.event) {
      case "connected":
        return this.#log.write("info", "store-connected", { store, after: ageOf(news.seconds) });
      case "back": {
        const { seconds, wrote, took } = news;
        return this.#log.write("info", "store-back", {
          store,
          away: ageOf(seconds),
          written: wrote,
          read: took,
        });
      }
      case "evicts": {
        const why = "it throws peers and leases away where its memory is full";
        const hint = "set maxmemory-policy noeviction there";
        return this.#log.write("warn", "store-may-forget", { store, why, hint });
      }
      case "apart": {
        const side = news.ahead > 0 ? "ahead of" : "behind";
        const why = `this host's clock is ${formatAge(Math.abs(news.ahead))} ${side} the store's`;
        const hint =
          "set the clock that is wrong: what peers say is heeded by the time that they say";
        return this.#log.write("warn", "store-clock-differs", { store, why, hint });
      }
      case "emptied":
        return this.#log.write("warn", "store-emptied", {
          store,
          effect: "what is known here is written to it anew",
        });
    }
  }

  /** Says that not all could be written before the end. */
  tellOfRest(peers: number): void {
    if (peers === 0) return;
    const hint = "other registries hear of them when they ask there, or when this one is back";
    this.#log.write("warn", "store-left-behind", { store: this.#store, peers, hint });
  }

  /** Says once where records are refused. */
  look(): void {
    const refused = this.#counters.get("shared-bad-mac");
    if (refused === 0 || this.#hasRefused) return;
    this.#hasRefused = true;
    const hint =
      "give all registries of a mesh the same key file (--key), and another mesh another " +
      "database (redis://HOST/N)";
    const why = "records in the store are by registries with another server key";
    this.#log.write("warn", "store-records-refused", { store: this.#store, why, hint });
  }

  #tellOfTrouble(news: SharingTrouble, isAwaited: boolean): void {
    const store = this.#store;
    const isLink = news.of === "link";
    if (news.event === "over") {
      if (isLink) return;
      const lasted = ageOf(news.seconds);
      return this.#log.write("info", "store-written-again", { store, lasted });
    }
    const { why, hint } = news;
    const fields: LogFields = {
      store,
      why,
      ...hint === undefined ? {} : { hint },
      ...news.event === "lasting"
        ? { lasts: ageOf(news.seconds) }
        : { effect: isAwaited ? AWAITED : isLink ? ALONE : UNWRITTEN },
    };
    if (news.event === "lasting" && isLink) this.#log.write("warn", "store-still-gone", fields);
    else if (news.event === "lasting") this.#log.write("warn", "store-still-not-written", fields);
    else if (isLink) this.#log.write("warn", "store-gone", fields);
    else this.#log.write("warn", "store-not-written", fields);
  }
}

function ageOf(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)}ms` : formatAge(seconds);
}
