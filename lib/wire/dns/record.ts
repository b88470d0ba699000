/**
 * Where the parts of a record lie in a message (RFC 1035, section 4.1.3):
 *
 * ```
 * +-------+----------+-----------+---------+------------------+------+
 * | owner | type (2) | class (2) | TTL (4) | size of data (2) | data |
 * +-------+----------+-----------+---------+------------------+------+
 *         ^ fields                                            ^ data: RECORD_FIELDS later
 * ```
 *
 * @module
 */

import { skipName } from "./name.ts";
import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** Size of type, class, TTL and size of the data of a record, after its owner. */
export const RECORD_FIELDS = 10;

/** Where the fields of the record at `at` are, or -1 where they aren't whole before `end`. */
export function recordFields(buffer: WireBuffer, at: number, end: number): number {
  const fields = skipName(buffer, at, end);
  return fields + RECORD_FIELDS > end ? -1 : fields;
}

/** Where the record ends whose fields are at `fields`: maybe behind the message. */
export function recordEnd({ view }: WireBuffer, fields: number): number {
  return fields + RECORD_FIELDS + view.getUint16(fields + 8);
}
