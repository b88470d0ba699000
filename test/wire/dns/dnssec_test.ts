import { assertEquals } from "@std/assert";
import { portableSigning } from "../../../lib/wire/crypto/portable_signing.ts";
import { dnskeyData, dnskeyText, dsData, dsText, keyTag } from "../../../lib/wire/dns/dnssec.ts";
import { encodeName } from "../../../lib/wire/dns/name.ts";
import { parseKeyFile } from "../../../lib/core/zone/server/key_file.ts";
import { KEY_VECTORS } from "../../support/dnssec_vectors.ts";
import { test } from "../../testing.ts";

test("DNSKEY, key tag and DS are those of the RFCs, BIND and ldns", () => {
  for (const { source, zone, file, tag, dnskey, ds } of KEY_VECTORS) {
    const { algorithm, privateKey } = parseKeyFile(new TextEncoder().encode(file));
    const data = dnskeyData(portableSigning(algorithm, privateKey));
    assertEquals(dnskeyText(data), dnskey, source);
    assertEquals(keyTag(data), tag, source);
    assertEquals(dsText(dsData(encodeName(zone), data)).toLowerCase(), ds, source);
  }
});

test("a key tag adds up pairs of bytes, and what they carry", () => {
  assertEquals(keyTag(Uint8Array.of(0x12, 0x34, 0x56)), 0x1234 + 0x5600);
  assertEquals(keyTag(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x00, 0x02)), 0x0001 + 0x0001);
  assertEquals(keyTag(new Uint8Array(0)), 0);
});

test("the DS of a name depends on the zone", () => {
  const key = dnskeyData({ algorithm: 13, publicKey: new Uint8Array(64).fill(7) });
  const [one, two] = ["a.example", "b.example"].map((zone) => dsData(encodeName(zone), key));
  assertEquals(one!.length, 36);
  assertEquals(one!.subarray(0, 4), two!.subarray(0, 4));
  assertEquals(one!.every((byte, i) => byte === two![i]), false);
});
