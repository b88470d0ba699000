/**
 * What a signed zone says of its keys: to those who validate, and to its parent.
 *
 * | owner                   | records                                                              |
 * | ----------------------- | -------------------------------------------------------------------- |
 * | the zone                | DNSKEY                                                               |
 * | the zone                | CDS (with SHA-256), CDNSKEY: what it asks its parent for (RFC 7344)  |
 * | the zone, in its parent | DS, with SHA-256, where a server has both                            |
 *
 * @module
 */

import { ANSWER, type AnswerWriter } from "../../../wire/dns/answer.ts";
import {
  dsData,
  TYPE_CDNSKEY,
  TYPE_CDS,
  TYPE_DNSKEY,
  TYPE_DS,
  TYPE_NSEC,
  TYPE_RRSIG,
} from "../../../wire/dns/dnssec.ts";
import { typeBitmap } from "../../../wire/dns/nsec.ts";
import { TYPE } from "./records.ts";
import type { ZoneKey } from "./zone_key.ts";

/** TTL of keys, and of what is said of them at the parent, in seconds. */
export const KEY_TTL = 300;

/** What a zone asks its parent for: its keys as they are, to be signed no longer, or nothing. */
export type ParentRecords = "publish" | "delete" | "none";

/** RFC 8078, section 4. */
const DELETE_CDS = Uint8Array.of(0, 0, 0, 0, 0);
const DELETE_CDNSKEY = Uint8Array.of(0, 0, 3, 0, 0);

/** One zone's. */
export class KeyRecords {
  /** The types of the zone's own name, as an NSEC says it. */
  readonly apexTypes: Uint8Array;
  readonly #ds: readonly Uint8Array[];
  /** Of the zone's own name, by type. */
  readonly #records: ReadonlyMap<number, readonly Uint8Array[]>;

  /**
   * Makes those of `keys`.
   *
   * @param name The zone's name, as encodeName makes it.
   * @param parent What the zone asks its parent for.
   */
  constructor(name: Uint8Array, keys: readonly ZoneKey[], parent: ParentRecords) {
    const dnskeys = keys.map(({ dnskey }) => dnskey);
    const ds = dnskeys.map((dnskey) => dsData(name, dnskey));
    this.#ds = parent === "delete" ? [] : ds;
    this.#records = new Map([[TYPE_DNSKEY, dnskeys], ...forParent(parent, dnskeys, ds)]);
    const types = [...this.#records.keys()];
    this.apexTypes = typeBitmap([TYPE.ns, TYPE.soa, TYPE_RRSIG, TYPE_NSEC, ...types]);
  }

  /**
   * Writes those of a type at the zone's own name as an answer.
   *
   * @param owner The offset in the message of that name.
   * @returns Whether they fit; undefined where there are none of that type.
   */
  write(type: number, owner: number, writer: AnswerWriter): boolean | undefined {
    const records = this.#records.get(type);
    return records && writeSet(writer, owner, type, records);
  }

  /**
   * Writes the zone's DS as an answer of its parent.
   *
   * @param owner The offset in the message of the zone's name.
   * @returns Whether it fits; undefined where there is none, because the zone wants to have none.
   */
  writeDs(owner: number, writer: AnswerWriter): boolean | undefined {
    return this.#ds.length === 0 ? undefined : writeSet(writer, owner, TYPE_DS, this.#ds);
  }
}

type DataByType = readonly (readonly [number, readonly Uint8Array[]])[];

function forParent(
  parent: ParentRecords,
  dnskeys: readonly Uint8Array[],
  ds: readonly Uint8Array[],
): DataByType {
  switch (parent) {
    case "publish":
      return [[TYPE_CDS, ds], [TYPE_CDNSKEY, dnskeys]];
    case "delete":
      return [[TYPE_CDS, [DELETE_CDS]], [TYPE_CDNSKEY, [DELETE_CDNSKEY]]];
    case "none":
      return [];
  }
}

function writeSet(
  writer: AnswerWriter,
  owner: number,
  type: number,
  records: readonly Uint8Array[],
): boolean {
  let fits = true;
  for (const data of records) {
    writer.open(ANSWER, owner, type, KEY_TTL);
    writer.bytes(data);
    fits = writer.close() && fits;
  }
  return writer.closeSet(fits);
}
