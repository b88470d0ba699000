/**
 * What a name server says instead of an answer, in words: what it means, and where to look.
 *
 * @module
 */

import { RCODE } from "../../../wire/dns/answer.ts";

/** What else servers say (RFC 1035, section 4.1.1; RFC 8945, section 5.2). */
const OTHERS: ReadonlyMap<number, string> = new Map([
  [RCODE.formerr, "it can't read the question (FORMERR); is that a DNS server?"],
  [RCODE.notimp, "it doesn't answer such questions (NOTIMP); is that a DNS server for the zone?"],
  [RCODE.notauth, "the zone isn't its own (NOTAUTH); name the zone's own server, or a resolver"],
]);

/**
 * What a person should know of a server that has refused all questions, or failed at them.
 *
 * @param rcode The RCODE of its answers: NOERROR where they point to other servers.
 */
export function explainRefusal(server: string, zone: string, rcode: number): string {
  switch (rcode) {
    case RCODE.noerror:
      return `${server} doesn't serve ${zone}, and points to other name servers; name one of those, ` +
        "or a resolver";
    case RCODE.refused:
      return `${server} refuses to answer for ${zone} (REFUSED): that zone isn't served there, or this ` +
        "host may not ask it; check the zone's name, and there allow-from, views and require-tsig " +
        "(with which key it is asked: tsig-files here)";
    case RCODE.servfail:
      return `${server} fails to answer for ${zone} (SERVFAIL): the interface there can't be read ` +
        "(see its log); or where it is a resolver, it doesn't reach the zone's server, or finds the " +
        "signatures wrong, or the DS above them (dig +cd gets an answer then)";
    default: {
      const why = OTHERS.get(rcode) ?? `it says RCODE ${rcode}; look at its log`;
      return `${server} has no answer for ${zone}: ${why}`;
    }
  }
}
