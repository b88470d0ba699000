import { assert, assertEquals, assertThrows } from "@std/assert";
import { x25519 } from "@noble/curves/ed25519.js";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import type { AeadKey } from "../../../lib/wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PairKeys } from "../../../lib/wire/probe/pair_keys.ts";
import { key32 } from "../../support/arbitraries.ts";
import { hex } from "../../support/bytes.ts";
import { SMALL_ORDER } from "../../support/points.ts";
import { twinPair } from "../../support/probe_twin.ts";
import { test } from "../../testing.ts";

const NONCE = new WireBuffer(24);

/** What a key makes of nothing. */
function tag(key: AeadKey): string {
  const out = new WireBuffer(16);
  key.seal(NONCE, 0, NONCE, 0, 0, out, 0, 0);
  return hex(out.bytes);
}

function twinTag(key: Uint8Array): string {
  return hex(xchacha20poly1305(key, NONCE.bytes).encrypt(new Uint8Array()));
}

function agreed(own: Uint8Array, peer: Uint8Array): PairKeys | undefined {
  return PairKeys.agree(new ExchangeKey(own, PORTABLE), peer, PORTABLE);
}

test("both sides of a pair have the same keys, crosswise, and these are their twin's", () => {
  fc.assert(
    fc.property(key32, key32, (a, b) => {
      const [publicA, publicB] = [a, b].map((key) => x25519.getPublicKey(key));
      const twin = twinPair(a, publicB!);
      fc.pre(twin !== undefined);
      const [ours, theirs] = [agreed(a, publicB!), agreed(b, publicA!)];
      assert(ours !== undefined && theirs !== undefined);
      assertEquals(
        [tag(ours.send), tag(ours.receive)],
        [twin.own, twin.peer].map(({ key }) => twinTag(key)),
      );
      assertEquals([ours.sendTag, ours.receiveTag], [twin.own.tag, twin.peer.tag]);
      assertEquals([tag(theirs.receive), tag(theirs.send)], [tag(ours.send), tag(ours.receive)]);
      assertEquals([theirs.receiveTag, theirs.sendTag], [ours.sendTag, ours.receiveTag]);
      assertEquals(ours.isSmaller, hex(publicA!) < hex(publicB!));
      assertEquals(theirs.isSmaller, !ours.isSmaller);
    }),
    { numRuns: 20 },
  );
});

test("there are no keys with a public key of small order, nor with oneself", () => {
  const own = new Uint8Array(32).fill(5);
  for (const point of SMALL_ORDER) assertEquals(agreed(own, point), undefined);
  assertEquals(agreed(own, x25519.getPublicKey(own)), undefined);
});

test("a public key has 32 bytes, and is not kept", () => {
  const own = new Uint8Array(32).fill(5);
  const peer = x25519.getPublicKey(new Uint8Array(32).fill(6));
  const before = agreed(own, peer)!;
  const [sent, received] = [tag(before.send), tag(before.receive)];
  peer.fill(0);
  assertEquals([tag(before.send), tag(before.receive)], [sent, received]);
  for (const size of [0, 31, 33]) {
    assertThrows(() => agreed(own, new Uint8Array(size)), RangeError, "bytes, not 32");
  }
});
