import { assert, assertEquals } from "@std/assert";
import { Prover } from "../../../lib/core/ask/prover.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import type { Primitives } from "../../../lib/wire/crypto/primitives.ts";
import { OWN_PRIVATE, OWN_PUBLIC } from "../../support/conversation_driver.ts";
import { SECRET } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

/** Primitives that count how often a key is agreed on. */
function counting(): { primitives: Primitives; count: () => number } {
  let count = 0;
  const primitives: Primitives = {
    ...PORTABLE,
    x25519: (key) => {
      const scalar = PORTABLE.x25519(key);
      return {
        multiply: (point, product) => {
          count++;
          scalar.multiply(point, product);
        },
      };
    },
  };
  return { primitives, count: () => count };
}

function keyOf(first: number): WireBuffer {
  return new WireBuffer(new Uint8Array(32).fill(first + 9));
}

test("what is shared with a registry is computed once, also where there is nothing", () => {
  const { primitives, count } = counting();
  const prover = new Prover(OWN_PRIVATE, SECRET, primitives);
  assertEquals(prover.publicKey.bytes, OWN_PUBLIC);
  const before = count();
  const keys = prover.keysFor(keyOf(1));
  assert(keys !== undefined);
  assertEquals(prover.keysFor(keyOf(1)), keys);
  const zero = new WireBuffer(32);
  assertEquals([prover.keysFor(zero), prover.keysFor(zero)], [undefined, undefined]);
  assertEquals(count() - before, 2);
});

test("of many registries' keys, some are kept", () => {
  const { primitives, count } = counting();
  const prover = new Prover(OWN_PRIVATE, SECRET, primitives);
  for (let i = 0; i < 40; i++) prover.keysFor(keyOf(i));
  const before = count();
  for (let i = 8; i < 40; i++) prover.keysFor(keyOf(i));
  assertEquals(count(), before);
  prover.keysFor(keyOf(0));
  assertEquals(count(), before + 1);
});
