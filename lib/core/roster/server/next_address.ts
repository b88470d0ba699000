/**
 * The next free address of a network.
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { TunnelPrefix } from "../../../wire/wgsig2/name.ts";
import { networkOf, overlap } from "../prefix.ts";

/** Of a network that has more addresses, the first ones are given: the last 32 bits count. */
const COUNTED_BITS = 32;
const IPV4_SIZE = 4;
/** A network of IPv4 that is longer has no address that stands for all (RFC 3021). */
const LONGEST_WITH_ENDS = 30;
/** One of IPv6 that is longer has no address of its routers (RFC 6164). */
const LONGEST_WITH_ROUTERS = 126;

/**
 * The lowest address of a network that is not taken, with the length of the network; never the one
 * that stands for the network, or for all in it.
 *
 * @param taken What may not be given: addresses, and prefixes.
 * @returns Undefined where there is none.
 */
export function nextAddress(
  network: TunnelPrefix,
  taken: readonly TunnelPrefix[],
): TunnelPrefix | undefined {
  const { address: base, length } = networkOf(network);
  const bits = Math.min(COUNTED_BITS, 8 * base.length - length);
  const isIpv4 = base.length === IPV4_SIZE;
  const hasEnds = length <= (isIpv4 ? LONGEST_WITH_ENDS : LONGEST_WITH_ROUTERS);
  const last = 2 ** bits - 1 - (isIpv4 && hasEnds ? 1 : 0);
  const counted = { address: base, length: 8 * base.length - bits };
  const candidate = new WireBuffer(base.slice());
  const tail = base.length - IPV4_SIZE;
  const start = candidate.view.getUint32(tail);
  // From the lowest on: each either leaves it free, or says where the next one may be.
  const near = taken
    .filter((each) => overlap(counted, each))
    .map((each) => spanOf(each, start, bits, base.length))
    .sort((a, b) => a.first - b.first);
  let next = hasEnds ? 1 : 0;
  for (const { first, end } of near) {
    if (first > next) break;
    next = Math.max(next, end);
  }
  if (next > last) return undefined;
  candidate.view.setUint32(tail, start + next);
  return { address: candidate.bytes, length };
}

/** Which of the counted addresses a prefix takes: from the first to before the end. */
function spanOf(
  { address, length }: TunnelPrefix,
  start: number,
  bits: number,
  size: number,
): { readonly first: number; readonly end: number } {
  const taken = 8 * size - length;
  if (taken >= bits) return { first: 0, end: 2 ** bits };
  const { address: low } = networkOf({ address, length });
  const tail = new WireBuffer(low).view.getUint32(size - IPV4_SIZE);
  const first = tail - start;
  return { first, end: first + 2 ** taken };
}
