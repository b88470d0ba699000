import { assertEquals, assertThrows } from "@std/assert";
import { x25519 } from "@noble/curves/ed25519.js";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import type { AeadKey } from "../../../lib/wire/crypto/aead_key.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import type { MacKey } from "../../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import {
  GroupKeys,
  PEER_KEYS_SIZE,
  PeerAgreement,
  PeerKeys,
  type Side,
} from "../../../lib/wire/wgsig2/keys.ts";
import { key32, uint32 } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed } from "../../support/bytes.ts";
import { SMALL_ORDER } from "../../support/points.ts";
import { twinGroupKeys, twinPeerKeys, twinProof } from "../../support/wgsig2_twin.ts";
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

function mac(key: MacKey): string {
  const out = new WireBuffer(32);
  key.compute(NONCE, 0, 3, out, 0);
  return hex(out.bytes.subarray(0, 16));
}

function twinMac(key: Uint8Array): string {
  return hex(Uint8Array.from(twinProof(key, [0], [0, 0])));
}

function agreed(side: Side, own: Uint8Array, other: Uint8Array, secret: Uint8Array) {
  const agreement = new PeerAgreement(new ExchangeKey(own, PORTABLE), side, secret, PORTABLE);
  const out = new WireBuffer(80);
  const is = agreement.agree(placed(other, ODD_PLACE), ODD_PLACE.at, out, 9);
  if (!is) assertEquals(out.bytes, new Uint8Array(80));
  return is ? out : undefined;
}

test("a group's keys are its twin's", () => {
  fc.assert(fc.property(key32, uint32, (secret, group) => {
    const { question, answer } = new GroupKeys(secret, group, PORTABLE);
    assertEquals([tag(question), tag(answer)], twinGroupKeys(secret, group).map(twinTag));
  }));
});

test("peer and registry have the same keys, and these are their twin's", () => {
  fc.assert(
    fc.property(key32, key32, key32, (peer, registry, secret) => {
      const [id, server] = [peer, registry].map((key) => x25519.getPublicKey(key));
      const wanted = twinPeerKeys("peer", peer, server!, secret)!;
      assertEquals(twinPeerKeys("registry", registry, id!, secret), wanted);
      const ours = agreed("peer", peer, server!, secret)!;
      const theirs = agreed("registry", registry, id!, secret)!;
      assertEquals(theirs.bytes, ours.bytes);
      const former = new PeerKeys(new WireBuffer(PEER_KEYS_SIZE), 0, PORTABLE);
      former.rekey(ours, 9);
      for (const keys of [new PeerKeys(ours, 9, PORTABLE), former]) {
        assertEquals(mac(keys.prove), twinMac(wanted[0]));
        assertEquals(tag(keys.answer), twinTag(wanted[1]));
      }
    }),
    { numRuns: 20 },
  );
});

test("with a public key of small order there are no keys", () => {
  const [own, secret] = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
  for (const point of SMALL_ORDER) {
    assertEquals(twinPeerKeys("registry", own!, point, secret!), undefined);
    for (const side of ["peer", "registry"] as const) {
      assertEquals(agreed(side, own!, point, secret!), undefined);
    }
  }
});

test("secrets are not kept where they aren't needed, and keys must lie inside their buffers", () => {
  const secret = new Uint8Array(32).fill(3);
  const own = new ExchangeKey(new Uint8Array(32).fill(4), PORTABLE);
  const agreement = new PeerAgreement(own, "registry", secret, PORTABLE);
  const outs = [new WireBuffer(64), new WireBuffer(64)];
  agreement.agree(own.publicKey, 0, outs[0]!, 0);
  secret.fill(9);
  agreement.agree(own.publicKey, 0, outs[1]!, 0);
  assertEquals(outs[0]!.bytes, outs[1]!.bytes);
  assertNeeds(32, (buffer, at) => agreement.agree(buffer, at, outs[0]!, 0));
  assertNeeds(64, (buffer, at) => agreement.agree(own.publicKey, 0, buffer, at));
  assertNeeds(64, (buffer, at) => new PeerKeys(buffer, at, PORTABLE));
  const keys = new PeerKeys(outs[0]!, 0, PORTABLE);
  assertNeeds(64, (buffer, at) => keys.rekey(buffer, at));
  for (const size of [31, 33]) {
    const wrong = new Uint8Array(size);
    assertThrows(() => new GroupKeys(wrong, 0, PORTABLE), RangeError, "bytes, not 32");
    assertThrows(() => new PeerAgreement(own, "peer", wrong, PORTABLE), RangeError, "not 32");
  }
  assertThrows(() => new GroupKeys(secret, -1, PORTABLE), RangeError, "a group number");
});
