/**
 * What lets a peer in through the own NAT: a small datagram from WireGuard's port to where it is.
 *
 * @module
 */

/** WireGuard takes no notice of anything so short. */
export const OPENER: Uint8Array = new Uint8Array(8);
/** Gives the system time to take what was sent before the socket closes, in seconds. */
export const LINGER = 0.01;
