import { assert, assertEquals } from "@std/assert";
import { NonceSource } from "../../../lib/core/net/random.ts";
import { hex } from "../../support/bytes.ts";
import { countingRandom } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

const COUNT = 2000;

function drawn(source: NonceSource, count: number): string[] {
  return Array.from({ length: count }, () => {
    const at = source.next();
    const nonce = source.buffer.bytes.slice(at, at + 12);
    assertEquals(nonce.length, 12);
    return hex(nonce);
  });
}

test("no nonce is handed out twice", () => {
  const nonces = drawn(new NonceSource(countingRandom()), COUNT);
  assertEquals(new Set(nonces).size, COUNT);
});

test("nonces are the bytes that the random source gave, all of them and no others", () => {
  const given: string[] = [];
  const random = countingRandom();
  const source = new NonceSource((bytes) => {
    random(bytes);
    for (let at = 0; at < bytes.length; at += 12) given.push(hex(bytes.slice(at, at + 12)));
  });
  assertEquals(drawn(source, COUNT), given.slice(0, COUNT));
});

test("randomness is drawn in large pieces, and not before it is needed", () => {
  let calls = 0;
  const source = new NonceSource((bytes) => {
    calls++;
    assertEquals(bytes.length % 12, 0);
  });
  assertEquals(calls, 0);
  drawn(source, 1);
  assertEquals(calls, 1);
  drawn(source, COUNT);
  assert(calls > 1 && calls < COUNT / 100, `${calls} calls`);
});

test("two sources share nothing", () => {
  const [a, b] = [new NonceSource(countingRandom()), new NonceSource(countingRandom())];
  const first = drawn(a, 3);
  assertEquals(drawn(b, 3), first);
  assert(a.buffer !== b.buffer);
});
