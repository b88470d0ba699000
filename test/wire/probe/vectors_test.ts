/**
 * What an independent implementation has made of docs/protocol-2.md, "Between peers": read, and
 * written the same.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PairKeys } from "../../../lib/wire/probe/pair_keys.ts";
import {
  newEcho,
  newProbe,
  openEcho,
  openProbe,
  PROBE_SIZE,
  readProbeTag,
  readProbeType,
  sealEcho,
  sealProbe,
} from "../../../lib/wire/probe/probe.ts";
import { DATAGRAM } from "../../../lib/wire/wgsig2/datagram.ts";
import { hex, ODD_PLACE, placed, written } from "../../support/bytes.ts";
import { plainEcho, plainProbe } from "../../support/probe_codecs.ts";
import {
  type ProbeDatagram,
  probeDatagrams,
  probeLowOrder,
  probePairs,
  probeRefused,
} from "../../support/probe_vectors.ts";
import { test } from "../../testing.ts";

const { at } = ODD_PLACE;

function pair(own: Uint8Array, peer: Uint8Array): PairKeys | undefined {
  return PairKeys.agree(new ExchangeKey(own, PORTABLE), peer, PORTABLE);
}

/** The keys of the two sides of the first pair. */
const SIDES = [0, 1].map((i) => {
  return pair(probePairs[0]![i]!.privateKey, probePairs[0]![1 - i]!.publicKey)!;
});

type Sent = Pick<ProbeDatagram, "type" | "sender" | "asked" | "datagram">;

/** What the other side reads; undefined where it means nothing. */
function read({ type, sender, asked, datagram }: Sent) {
  const buffer = placed(datagram, ODD_PLACE);
  if (readProbeType(buffer, at, datagram.length) !== type) return undefined;
  const keys = SIDES[1 - sender]!;
  const [probe, echo] = [newProbe(), newEcho()];
  if (type === DATAGRAM.probe) return openProbe(keys, buffer, at, probe) ? probe : undefined;
  return openEcho(keys, buffer, at, new WireBuffer(asked!), 0, echo) ? echo : undefined;
}

function told(value: ReturnType<typeof plainProbe> | ReturnType<typeof plainEcho>): unknown {
  const token = hex(Uint8Array.from(value.token));
  if (!("seen" in value)) return { ...value, token };
  const address = hex(Uint8Array.from(value.seen.address));
  return { ...value, token, seen: { ...value.seen, address } };
}

test("the keys of pairs are those of the vectors, on both sides", () => {
  for (const sides of probePairs) {
    for (const [own, other] of [[sides[0]!, sides[1]!], [sides[1]!, sides[0]!]] as const) {
      const keys = pair(own.privateKey, other.publicKey)!;
      assertEquals([keys.sendTag, keys.receiveTag], [own.tag, other.tag]);
    }
  }
  assertEquals(probePairs.length, 3);
  for (const point of probeLowOrder) {
    assertEquals(pair(probePairs[0]![0]!.privateKey, point), undefined);
  }
  assertEquals(probeLowOrder.length, 7);
});

for (const vector of probeDatagrams) {
  const { name, type, sender, nonce, asked, datagram, isCanonical, fields } = vector;

  test(`${name}: is read`, () => {
    const buffer = placed(datagram, ODD_PLACE);
    assertEquals(readProbeType(buffer, at, datagram.length), type);
    assertEquals(readProbeTag(buffer, at), probePairs[0]![sender]!.tag);
    const opened = read(vector);
    assert(opened !== undefined);
    assertEquals(told("seen" in opened ? plainEcho(opened) : plainProbe(opened)), fields);
  });

  if (!isCanonical) continue;
  test(`${name}: is written`, () => {
    const opened = read(vector)!;
    const out = written(PROBE_SIZE, ODD_PLACE, (buffer, at) => {
      const keys = SIDES[sender]!;
      const drawn = new WireBuffer(nonce);
      const isFit = "seen" in opened
        ? sealEcho(keys, opened, new WireBuffer(asked!), 0, drawn, 0, buffer, at)
        : sealProbe(keys, opened, drawn, 0, buffer, at);
      assert(isFit);
    });
    assertEquals(hex(out), hex(datagram));
  });
}

for (const vector of probeRefused) {
  test(`${vector.name}: means nothing`, () => assertEquals(read(vector), undefined));
}
