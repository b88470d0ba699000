/**
 * For which questions a view is.
 *
 * @module
 */

import { encodeName } from "../../../wire/dns/name.ts";
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
    if (this.#names !== undefined && (key === undefined || !has(this.#names, key))) return false;
    return this.#from === undefined || this.#from.contains(source, sourceAt);
  }
}

function has(names: readonly Uint8Array[], wanted: Uint8Array): boolean {
  for (const name of names) {
    let i = name.length === wanted.length ? 0 : -1;
    while (i >= 0 && i < name.length && name[i] === wanted[i]) i++;
    if (i === name.length) return true;
  }
  return false;
}
