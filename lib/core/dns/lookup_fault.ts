/**
 * What name servers do in the place of an answer, in words.
 *
 * @module
 */

import { RCODE } from "../../wire/dns/answer.ts";

/** What a name server does: it answers with an RCODE that says no, or what is no answer, or not. */
export type NameServerFault = number | "garbled" | "unreachable" | "silent";

/** By the IP addresses of name servers. */
export type NameServerFaults = ReadonlyMap<string, NameServerFault>;

/** What they do: `name server 192.0.2.1 refuses to answer, 192.0.2.2 doesn't answer`. */
export function explainFaults(faults: NameServerFaults): string {
  const all = [...faults].map(([server, fault]) => `${server} ${explainFault(fault)}`);
  return `name server ${all.join(", ")}`;
}

function explainFault(fault: NameServerFault): string {
  switch (fault) {
    case RCODE.servfail:
      return "fails to find an answer (SERVFAIL)";
    case RCODE.refused:
      return "refuses to answer";
    case "garbled":
      return "sends what is no answer";
    case "unreachable":
      return "can't be reached";
    case "silent":
      return "doesn't answer";
    default:
      return `answers with error ${fault}`;
  }
}
