/**
 * Endpoints that hold only where the server is: it sees a peer on its own host at 127.0.0.1, one in
 * its own network at a private address, and behind a proxy that rewrites sources (Docker's userland
 * proxy, say) everybody at one.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../net/host_port.ts";
import { reachOf } from "../net/reach.ts";

/** Where a peer is said to be. */
interface Where {
  readonly publicKey: string;
  /** An IP address. */
  readonly address: string;
  /** How the server knows it: that it has seen the peer there, if left out. */
  readonly kind?: string | undefined;
}

/**
 * Adds to each peer whose address holds less far than the server's the same at the server's address:
 * it may be on the server's host, or that may forward the port. The address of another host's
 * loopback is left out.
 *
 * @param server The IP address that has answered; undefined where none has.
 * @param own The public key of whoever asks, whose record stays as it is.
 */
export function besideServer<T extends Where>(
  peers: readonly T[],
  server: string | undefined,
  own: string | undefined,
): readonly T[] {
  const reach = server === undefined ? 0 : reachOf(server);
  if (server === undefined || reach === 0) return peers;
  return peers.flatMap((peer) => {
    const its = reachOf(peer.address);
    const { kind = "seen" } = peer;
    if (its >= reach || peer.publicKey === own || kind !== "seen") return [peer];
    const beside = { ...peer, address: server };
    return its === 0 ? [beside] : [peer, beside];
  });
}

/**
 * Why the endpoint at which a server sees this peer is of no use to others; undefined where nothing
 * is wrong with it.
 *
 * @param name The server as it was named.
 * @param server The IP address that has answered.
 */
export function explainHidden(
  name: string,
  server: string | undefined,
  own: HostPort | undefined,
): string | undefined {
  if (server === undefined || own === undefined) return undefined;
  if (reachOf(server) < 2 || reachOf(own.host) === 2) return undefined;
  return `${name} sees this peer at ${
    formatHostPort(own)
  }, where others can't reach it: a proxy or ` +
    "Docker rewrites sources there (let the server use the host's network), or the way there goes " +
    "through a tunnel";
}
