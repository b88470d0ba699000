/**
 * Reads the vectors of TSIG, and makes keys for tests.
 *
 * @module
 */

import json from "../vectors/tsig.json" with { type: "json" };
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { encodeName } from "../../lib/wire/dns/name.ts";
import { TsigKey } from "../../lib/wire/dns/tsig.ts";
import { unhex } from "./bytes.ts";

/** A message that another program has signed. */
export interface TsigMessage {
  readonly name: string;
  readonly program: string;
  readonly key: TsigKey;
  /** The MAC of the question, of an answer. */
  readonly requestMac: Uint8Array | undefined;
  readonly message: Uint8Array<ArrayBuffer>;
  readonly time: number;
  readonly fudge: number;
  readonly mac: Uint8Array;
  readonly originalId: number;
  readonly error: number;
  readonly other: Uint8Array;
}

/** The key of this name, with this secret or one that is made of the name. */
export function tsigKey(
  name: string,
  secret: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => name.length + 3 * i),
): TsigKey {
  return new TsigKey(encodeName(name), secret, PORTABLE);
}

const keys = new Map(
  Object.entries(json.secrets).map(([name, secret]) => [name, tsigKey(name, unhex(secret))]),
);

/** What programs have signed. */
export const tsigMessages: readonly TsigMessage[] = json.messages.map((each) => ({
  name: `${each.name} (${each.program})`,
  program: each.program,
  key: keys.get(each.key.toLowerCase())!,
  requestMac: each.requestMac === "" ? undefined : unhex(each.requestMac),
  message: unhex(each.message),
  time: each.time,
  fudge: each.fudge,
  mac: unhex(each.mac),
  originalId: each.originalId,
  error: each.error,
  other: unhex(each.other),
}));
