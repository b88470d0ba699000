/**
 * What went wrong with TSIG, in words: a line that says what, where, and how to mend it.
 *
 * @module
 */

import type { TsigFault } from "./tsig_dialog.ts";

/** What a person should know of answers that were dropped. @param key The name of the key. */
export function explainTsigFault(server: string, key: string, fault: TsigFault): string {
  switch (fault) {
    case "unsigned":
      return `${server} doesn't sign its answers with TSIG, and they were left out; give it the key ` +
        `${key} there, name the zone's own server where this is a resolver, or ask without tsig-files`;
    case "wrong-mac":
      return `${server} doesn't sign its answers with this secret of the key ${key}, and they were left out; copy ` +
        "the key file that it has, or name the zone's own server where this is a resolver";
    case "badtime":
      return `${server} takes no question at the time of this host (BADTIME); set the clocks of both`;
    case "badsig":
      return `${server} says that it has another secret for the key ${key} (BADSIG, not authenticated); ` +
        "copy the key file that it has";
    case "badkey":
      return `${server} says that it doesn't know the key ${key} (BADKEY, not authenticated), or not for ` +
        "hmac-sha256; give it that key there, or name the file of another in tsig-files";
    default:
      return `${server} refuses what is signed with the key ${key} (TSIG error ${fault}); look at its log`;
  }
}

/** That this host's clock isn't the server's. @param ahead By how many seconds that one is ahead. */
export function explainClock(server: string, ahead: number): string {
  const side = ahead > 0 ? "behind" : "ahead of";
  return `this host's clock is ${
    Math.abs(ahead)
  } s ${side} that of ${server}, which was asked at its ` +
    "own time; set it with: timedatectl set-ntp true, or: ntpd -q -p pool.ntp.org";
}

/** That somebody sent answers that aren't the server's, or it has sent some that aren't signed. */
export function explainForged(server: string, key: string, count: number): string {
  return `${server}: ${count} answers that aren't signed with the key ${key} were left out; look who ` +
    "on the way forges them";
}
