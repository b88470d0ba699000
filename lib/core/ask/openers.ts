/**
 * Towards whom a client opens its NAT.
 *
 * Anyone with the secret can register any key anywhere, and each client of the group would send a
 * datagram to each of them: so one address gets few, whatever is claimed.
 *
 * @module
 */

/** The most datagrams of a round. */
const MAX_OPENERS = 1000;
/** The most of these to one address: peers may share a NAT. */
const MAX_PER_ADDRESS = 16;

/** Where a peer is. */
export interface OpenedEndpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * Chooses the peers that get a datagram, at most one per endpoint.
 *
 * @param turn Any number: where an address has more peers than it gets datagrams, it says which have
 *   their turn, so that each has it some time.
 */
export function chooseOpeners<P extends OpenedEndpoint>(
  peers: Iterable<P>,
  turn: number,
): readonly P[] {
  const byAddress = new Map<string, Map<number, P>>();
  for (const peer of peers) {
    const there = byAddress.get(peer.address) ?? new Map<number, P>();
    if (!there.has(peer.port)) there.set(peer.port, peer);
    byAddress.set(peer.address, there);
  }
  const chosen = [...byAddress.values()].flatMap((there) =>
    inTurn([...there.values()], MAX_PER_ADDRESS, turn)
  );
  return inTurn(chosen, MAX_OPENERS, turn);
}

/** All of them, or as many as there may be, from another on with each turn. */
function inTurn<T>(all: readonly T[], most: number, turn: number): readonly T[] {
  if (all.length <= most) return all;
  const first = turn * most % all.length;
  return [...all.slice(first), ...all.slice(0, first)].slice(0, most);
}
