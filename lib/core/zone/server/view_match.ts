/**
 * For which questions a view is.
 *
 * @module
 */

import { encodeName } from "../../../wire/dns/name.ts";
import { areSameBytes } from "../../../wire/bytes/wire_buffer.ts";
import { PrefixSet } from "../../net/ip_prefix.ts";
import type { QueryPath } from "./zone_view.ts";

/** For which questions a view is: where both are given, both must hold; where neither is, for all. */
export interface ViewMatchOptions {
  /** Names of TSIG keys: for questions with one of these. */
  readonly tsig?: readonly string[] | undefined;
  /** IP prefixes: for questions from there. */
  readonly from?: readonly string[] | undefined;
}

/** Says whether a question is for a view. Nothing is made for that. */
export class ViewMatch {
  readonly #names: readonly Uint8Array[] | undefined;
  readonly #from: PrefixSet | undefined;

  /** @throws {SyntaxError} Where a name or a prefix is none. */
  constructor({ tsig, from }: ViewMatchOptions) {
    this.#names = tsig?.map(encodeName);
    this.#from = from === undefined ? undefined : new PrefixSet(from);
  }

  /**
   * Whether it is for a question that came this way.
   *
   * @param key The name of the zone's key that it was signed with, as `encodeName` makes it.
   */
  takes({ source, sourceAt }: QueryPath, key: Uint8Array | undefined): boolean {
    if (this.#names !== undefined && !this.#isNamed(key)) return false;
    return this.#from === undefined || this.#from.contains(source, sourceAt);
  }

  #isNamed(key: Uint8Array | undefined): boolean {
    if (key === undefined) return false;
    for (const name of this.#names ?? []) if (areSameBytes(name, key)) return true;
    return false;
  }
}
