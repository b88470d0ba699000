/**
 * Fields in the form that the codecs of lib/ take them.
 *
 * @module
 */

import type { PeerRecord } from "../../lib/wire/wgsig/record.ts";
import type { Request } from "../../lib/wire/wgsig/request.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { fromBigEndian, type TwinRecord, type TwinRequest } from "./twins.ts";

/** A record's fields for lib/. */
export function libRecord(record: TwinRecord): PeerRecord {
  return {
    id: new WireBuffer(record.id.slice()),
    address: Number(fromBigEndian(record.address)),
    port: record.port,
    seconds: record.seconds,
    nanoseconds: record.nanoseconds,
  };
}

/** A request's fields for lib/. */
export function libRequest(request: TwinRequest): Request {
  return { ...request, id: new WireBuffer(request.id.slice()) };
}
