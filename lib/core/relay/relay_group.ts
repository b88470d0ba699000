/**
 * What a relay has to know of a group of peers. Members are numbers that the group has for them.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";

/** Size of an endpoint: a 16-byte address, and a port after it. */
export const ENDPOINT_SIZE: number = ADDRESS_SIZE + 2;

/** The members of a group, and where they are registered. */
export interface RelayGroup {
  /** Whether a member is registered at the endpoint at `at`, and may be relayed to. */
  isAt(member: number, sources: WireBuffer, at: number): boolean;
  /**
   * Writes where a member is registered in a family, 18 bytes.
   *
   * @returns Whether it is, and may be relayed to.
   */
  readEndpoint(member: number, isIpv4: boolean, into: WireBuffer, at: number): boolean;
  /** The socket through which it registered in a family, or NONE where that is not known. */
  socketOf(member: number, isIpv4: boolean): number;
  /** Writes the public key of a member, 32 bytes. */
  readId(member: number, into: WireBuffer, at: number): void;
}
