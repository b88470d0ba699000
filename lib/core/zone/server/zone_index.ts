/**
 * All zones of a server by their names: some lie below others.
 *
 * @module
 */

import type { DnsQuery } from "../../../wire/dns/query.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { NameIndex } from "./name_index.ts";
import { TYPE } from "./records.ts";
import type { Zone } from "./zone.ts";

/** Finds zones for the names that are asked. What that costs doesn't grow with their number. */
export class ZoneIndex {
  readonly #zones: NameIndex<Zone>;
  /** The zones' names, and those above them. */
  readonly #above: NameIndex<true>;

  /** Takes zones of different names. */
  constructor(zones: readonly Zone[]) {
    this.#zones = new NameIndex(zones.map((zone) => [zone.name, zone] as const));
    const above: [Uint8Array, true][] = [];
    for (const { name } of zones) {
      for (let at = 0; name[at] !== 0; at += 1 + name[at]!) above.push([name.subarray(at), true]);
    }
    this.#above = new NameIndex(above);
  }

  /**
   * The zone that answers for the name that was asked: of nested ones, the longest that holds it. What
   * DS says of a zone belongs to the one above (RFC 4035, section 3.1.4.1).
   *
   * @param message The buffer that `query` was parsed from.
   */
  find(query: DnsQuery, message: WireBuffer): Zone | undefined {
    const { nameAt, nameSize, labels, labelAt, type } = query;
    let own: Zone | undefined;
    for (let i = 0; i <= labels; i++) {
      const from = labelAt[i]!;
      const zone = this.#zones.find(message, nameAt + from, nameSize - from);
      if (zone === undefined) continue;
      if (i > 0 || type !== TYPE.ds) return zone;
      own = zone;
    }
    return own;
  }

  /** The zone whose name was asked for. */
  at({ nameAt, nameSize }: DnsQuery, message: WireBuffer): Zone | undefined {
    return this.#zones.find(message, nameAt, nameSize);
  }

  /** Whether a zone lies at the name that was asked for, or below it: then the name exists. */
  isAbove({ nameAt, nameSize }: DnsQuery, message: WireBuffer): boolean {
    return this.#above.find(message, nameAt, nameSize) === true;
  }
}
