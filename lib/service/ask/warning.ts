/**
 * What a person should know of how a registry answered.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import { isoTime } from "../../host/clock.ts";
import { explainCode } from "../../host/error.ts";
import type { AskedServer } from "./asked_server.ts";

/** How the registries were asked. */
export interface AskedQuestion {
  /** GROUP. */
  readonly group: number;
  readonly encrypt: boolean;
  /** In seconds. */
  readonly timeout: number;
}

/**
 * What to say of one registry, on one line, and how to mend it; undefined where there is nothing.
 *
 * @param registers Whether it was to note the endpoint that it saw.
 * @param unix The wall clock, in seconds.
 */
export function warningOf(
  { name, status, exchange, refused, hasIpv4, stranger, problem }: AskedServer,
  question: AskedQuestion,
  registers: boolean,
  unix: number,
): string | undefined {
  const { group, encrypt } = question;
  const timeout = Number(question.timeout.toFixed(3));
  const server = formatHostPort(name);
  const clock = isoTime(unix).slice(0, 19);
  const ipv6Only = registers && !hasIpv4;
  switch (status) {
    case "ok":
      return ipv6Only
        ? `${server} was asked over IPv6, which registers no endpoint; give it an IPv4 address`
        : undefined;
    case "incomplete":
      return `only ${exchange.received} of ${exchange.expected} datagrams came from ${server} ` +
        `within ${timeout} s; give it longer with --timeout` +
        (exchange.received === 1 ? ", or the server a larger answer-budget" : "");
    case "not-found":
      return `cannot find server ${server}; check the name and this host's DNS`;
    case "not-authenticated":
      return `${server} answered with a wrong MAC or for another group; check that group ${group} has the same secret there ` +
        `(wgsigd, the C server, also answers so while it knows no peer)`;
    case "no-answer":
      if (stranger !== undefined) {
        return `no answer from ${server}, but datagrams came from ${stranger}; if that is the same ` +
          `server, let it listen on the address that is asked (serve --listen ADDRESS:PORT)`;
      }
      if (problem !== undefined) {
        return `cannot send to ${server}: ${explainCode(problem)}; ${hintOf(problem)}`;
      }
      return refused > 0
        ? `no answer from ${server}: nothing listens on that port there; start wgsig serve`
        : `no answer from ${server} within ${timeout} s; check that it runs and that UDP gets ` +
          `through, that group ${group} has the same secret there and lets this key in (its ` +
          `allow-list), that it ` +
          `${
            encrypt ? "takes encrypted requests (else: --encryption off)" : "takes plain requests"
          }, ` +
          `and that this clock is right (${clock} UTC)`;
  }
}

/** What to say where another port was asked from, and nothing was registered. */
export function portInUse(port: number): string {
  return `UDP port ${port} is in use, so its endpoint was not registered again`;
}

/** What to look at where the system can't send. */
function hintOf(code: string): string {
  return code === "EPERM" || code === "EACCES"
    ? "look for a firewall rule of this host that drops what it sends"
    : "look at this host's routes";
}
