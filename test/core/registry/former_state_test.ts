import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { crc32 } from "../../../lib/wire/bytes/crc32.ts";
import { uint32 } from "../../support/arbitraries.ts";
import { hex } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import { RegistryDriver } from "../../support/registry_driver.ts";
import {
  driverWith,
  encodeFormerState,
  held,
  keysHeld,
  keysOf,
  restoreState,
  startedAfter,
} from "../../support/saved_state.ts";
import { test } from "../../testing.ts";

const HEADER_SIZE = 20;
const GROUP_HEADER_SIZE = 8;
const PEER_SIZE = 66;
const CRC_SIZE = 4;

function saved(driver: RegistryDriver): Uint8Array {
  return encodeFormerState(driver.registry, driver);
}

function restore(bytes: Uint8Array, driver: RegistryDriver): number {
  return restoreState(bytes, driver.registry, driver).restored[0]!.counts["peers"]!;
}

/** With a checksum that fits. */
function withCrc(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - CRC_SIZE;
  const changed = bytes.slice();
  new DataView(changed.buffer).setUint32(end, crc32(changed, 0, end));
  return changed;
}

/** Checks that the bytes are refused, and that nothing came of them. */
function refused(bytes: Uint8Array, why = "", next = driverWith(2)): void {
  const before = next.snapshot();
  assertThrows(() => restore(bytes, next), SyntaxError, why);
  assertEquals(next.snapshot(), before);
  assertEquals(next.registry.counters.get("expired"), 0);
}

test("a former state file is laid out as its drawing says", () => {
  const driver = driverWith(2);
  driver.pass(7.9);
  const bytes = saved(driver);
  assertEquals(bytes.length, HEADER_SIZE + GROUP_HEADER_SIZE + 2 * PEER_SIZE + CRC_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertEquals(String.fromCharCode(...bytes.slice(0, 8)), "wgsigst1");
  assertEquals(view.getFloat64(8), driver.unix);
  assertEquals([16, 20, 24].map((at) => view.getUint32(at)), [1, 0, 2]);
  const first = HEADER_SIZE + GROUP_HEADER_SIZE;
  const ids = [first, first + PEER_SIZE].map((at) => hex(bytes.slice(at, at + 32)));
  assertEquals(ids, [hex(idOf(1)), hex(idOf(2))]);
  const ages = [first, first + PEER_SIZE].map((at) => view.getUint32(at + 62));
  assertEquals(ages, [17, 7]);
});

test("a file with any single bit flipped is refused", () => {
  const bytes = saved(driverWith(3));
  const next = driverWith(2);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >>> 3]! ^= 1 << (bit & 7);
    refused(damaged, "", next);
  }
});

test("a file that is cut off anywhere is refused", () => {
  const bytes = saved(driverWith(3));
  const next = driverWith(2);
  for (let size = 0; size < bytes.length; size++) refused(bytes.slice(0, size), "", next);
});

test("a file with something after it is refused", () => {
  const bytes = saved(driverWith(3));
  for (const tail of [[0], [0, 0, 0, 0], [...bytes]]) {
    refused(Uint8Array.from([...bytes, ...tail]), "its checksum is wrong");
    refused(withCrc(Uint8Array.from([...bytes, ...tail])), "its size is not what it says");
  }
});

test("counts that do not fit the size are refused, though the checksum is right", () => {
  const bytes = saved(driverWith(3));
  const withCount = (at: number, count: number) => {
    const changed = bytes.slice();
    new DataView(changed.buffer).setUint32(at, count);
    return withCrc(changed);
  };
  for (const groups of [0, 2, 3, 0xffff_ffff]) refused(withCount(16, groups));
  for (const peers of [0, 2, 4, 0x8000_0000, 0xffff_ffff]) refused(withCount(24, peers));
});

test("the message says what is wrong with a file", () => {
  const short = saved(new RegistryDriver()).slice(0, HEADER_SIZE + CRC_SIZE - 1);
  refused(short, "it is too short");
  refused(short.slice(0, 8), "it is too short");
  refused(new Uint8Array(0), "it is no state file");
  refused(withCrc(new Uint8Array(HEADER_SIZE + CRC_SIZE)), "it is no state file");
  const bytes = saved(driverWith(1));
  bytes[bytes.length - 1]! ^= 1;
  refused(bytes, "its checksum is wrong");
});

test("a file of bytes that lie at an offset is read as well", () => {
  const driver = driverWith(3);
  const memory = Uint8Array.from([9, 9, 9, ...saved(driver), 9]);
  const next = startedAfter(driver, 0, {});
  assertEquals(restore(memory.subarray(3, memory.length - 1), next), 3);
  assertEquals(held(next), held(driver));
});

test("no bytes make it throw anything but a SyntaxError, with a right checksum or not", () => {
  const file = fc.record({
    groups: fc.oneof(fc.nat({ max: 3 }), uint32),
    rest: fc.uint8Array({ maxLength: 300 }),
    fits: fc.boolean(),
  });
  fc.assert(fc.property(file, ({ groups, rest, fits }) => {
    const bytes = saved(new RegistryDriver({ groups: [] }));
    const all = Uint8Array.from([...bytes.slice(0, HEADER_SIZE), ...rest, 0, 0, 0, 0]);
    new DataView(all.buffer).setUint32(16, groups);
    const next = new RegistryDriver();
    try {
      restore(fits ? withCrc(all) : all, next);
    } catch (error) {
      assert(error instanceof SyntaxError, String(error));
      assertEquals(next.group().table.count, 0);
    }
  }));
});

test("a peer without a label is left out", () => {
  const bytes = saved(driverWith(2));
  bytes[HEADER_SIZE + GROUP_HEADER_SIZE + 50] = 0;
  const next = new RegistryDriver();
  assertEquals(restore(withCrc(bytes), next), 1);
  assertEquals(keysHeld(next), keysOf(2));
});
