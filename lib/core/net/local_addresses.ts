/**
 * Which of a host's addresses have a socket of their own beside the one that listens on all of them.
 * What comes to `0.0.0.0` or `::` is answered from the address that the route takes, which may be
 * another one than was asked: NATs and clients that are strict drop such an answer.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE, isIpv4, parseAddress } from "./ip_address.ts";
import { PrefixSet } from "./ip_prefix.ts";

/** The most addresses that have one, of one family. */
export const MAX_LOCAL_SOCKETS = 64;
/** Their answers leave from where they came: loopback has one address, link-local ones need a scope. */
const LEFT_OUT = new PrefixSet(["127.0.0.0/8", "::1/128", "fe80::/10"]);

/** Says which sockets to open and to close. */
export class LocalAddressPlan {
  readonly #isIpv6: boolean;
  readonly #open = new Set<string>();
  /** How often in a row each could not be opened. */
  readonly #failed = new Map<string, number>();

  /** @param isIpv6 Whether `::` is listened on; else `0.0.0.0`. */
  constructor(isIpv6: boolean) {
    this.#isIpv6 = isIpv6;
  }

  /**
   * What to do, where the host has these addresses now. Where it has one alone, each answer is from
   * that. What is to be closed counts as closed; of what is to be opened, tell what came of it.
   */
  next(present: readonly string[]): { readonly close: string[]; readonly open: string[] } {
    const eligible = [...new Set(present.filter((each) => this.#isOwn(each)))];
    const there = new Set(eligible.length < 2 ? [] : eligible);
    for (const each of this.#failed.keys()) if (!there.has(each)) this.#failed.delete(each);
    const close = [...this.#open].filter((each) => !there.has(each));
    for (const each of close) this.#open.delete(each);
    const room = MAX_LOCAL_SOCKETS - this.#open.size;
    const open = [...there].filter((each) => !this.#open.has(each)).slice(0, room);
    return { close, open };
  }

  /**
   * Takes in whether a socket was opened. An address of IPv6 can't be bound for a second or two after it
   * came.
   *
   * @returns Whether it failed, and that is to be said: once, where it failed twice.
   */
  told(address: string, isOpen: boolean): boolean {
    if (isOpen) {
      this.#open.add(address);
      this.#failed.delete(address);
      return false;
    }
    const times = (this.#failed.get(address) ?? 0) + 1;
    this.#failed.set(address, times);
    return times === 2;
  }

  #isOwn(text: string): boolean {
    const address = new WireBuffer(ADDRESS_SIZE);
    return parseAddress(text, address, 0) && isIpv4(address, 0) !== this.#isIpv6 &&
      !LEFT_OUT.contains(address, 0);
  }
}
