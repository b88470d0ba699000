/**
 * What to say when an address can't be listened on.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { errorCode, explain } from "../../host/error.ts";

const FIRST_FREE_PORT = 1024;

/** In one line: what failed, and how to mend it. @param flag The option that names the address. */
export function listenProblem(address: HostPort, error: unknown, flag: string): string {
  const hints: Readonly<Record<string, string>> = {
    EADDRINUSE: `; end the program that uses port ${address.port}, or choose another with ${flag}`,
    ...(address.port < FIRST_FREE_PORT
      ? { EACCES: `; ports below ${FIRST_FREE_PORT} need root, or CAP_NET_BIND_SERVICE` }
      : {}),
  };
  const hint = hints[errorCode(error)] ?? "";
  return `cannot listen on ${formatHostPort(address)}: ${explain(error)}${hint}`;
}
