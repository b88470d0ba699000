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
export function chooseOpeners<P extends OpenedEndpoint>(peers: Iterable<P>, turn: number): P[] {
  const byAddress = new Map<string, Map<number, P>>();
  for (const peer of peers) {
    const there = byAddress.get(peer.address) ?? new Map<number, P>();
    if (!there.has(peer.port)) there.set(peer.port, peer);
    byAddress.set(peer.address, there);
  }
  const chosen: P[] = [];
  for (const there of byAddress.values()) {
    const all = [...there.values()];
    const first = all.length <= MAX_PER_ADDRESS ? 0 : turn * MAX_PER_ADDRESS % all.length;
    chosen.push(...[...all.slice(first), ...all.slice(0, first)].slice(0, MAX_PER_ADDRESS));
  }
  const first = chosen.length <= MAX_OPENERS ? 0 : turn * MAX_OPENERS % chosen.length;
  return [...chosen.slice(first), ...chosen.slice(0, first)].slice(0, MAX_OPENERS);
}
