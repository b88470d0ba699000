/**
 * Reads the keys of zones in test/vectors/dnssec.json, and checks their fields.
 *
 * @module
 */

import { assert } from "@std/assert";
import json from "../vectors/dnssec.json" with { type: "json" };
import { decodeBase64 } from "@std/encoding/base64";
import { unhex } from "./bytes.ts";

/** A key of a zone. */
export interface KeyVector {
  readonly source: string;
  readonly zone: string;
  /** The text of its private key file. */
  readonly file: string;
  readonly tag: number;
  readonly dnskey: string;
  /** Its digest is in lower case. */
  readonly ds: string;
  /** Of some: what was signed, and the signature. */
  readonly signed: { readonly message: Uint8Array; readonly signature: Uint8Array } | undefined;
}

function text(value: unknown): string {
  assert(typeof value === "string");
  return value;
}

/** All of them. */
export const KEY_VECTORS: readonly KeyVector[] = json.keys.map((key) => {
  const { source, zone, file, tag, dnskey, ds }: Readonly<Record<string, unknown>> = key;
  assert(typeof tag === "number");
  return {
    source: text(source),
    zone: text(zone),
    file: text(file),
    tag,
    dnskey: text(dnskey),
    ds: text(ds).toLowerCase(),
    signed: key.signed === undefined || key.rrsig === undefined ? undefined : {
      message: unhex(text(key.signed)),
      signature: decodeBase64(text(key.rrsig).split(" ").at(-1) ?? ""),
    },
  };
});
assert(KEY_VECTORS.length >= 7);
