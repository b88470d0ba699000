/**
 * Records in a store: read and authenticated as an independent implementation has it, and nothing else
 * is taken for one.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import {
  compareRegisterLabels,
  isProvedRegister,
  isSameContent,
  newShared,
  readShared,
  REGISTER_CONTENT,
  REGISTER_COUNT,
  REGISTER_FLAGS,
  REGISTER_HEARD,
  REGISTER_SIZE,
  registerEnd,
} from "../../../lib/wire/shared/record.ts";
import { StoreKey } from "../../../lib/wire/shared/store_key.ts";
import { readNanoseconds, readSeconds, writeLabel } from "../../../lib/wire/wgsig/tai64n.ts";
import { assertNeeds, ODD_PLACE, placed, written } from "../../support/bytes.ts";
import { twinMerge, twinRegisters } from "../../support/shared_twin.ts";
import { sharedMerges, sharedRegisters, sharedServer } from "../../support/shared_vectors.ts";
import { test } from "../../testing.ts";

const KEY = new StoreKey(new ExchangeKey(sharedServer.privateKey, PORTABLE), PORTABLE);
const { at: AT } = ODD_PLACE;

/** Where the registers of a record are, by the codec; undefined where it is none. */
function read(record: Uint8Array): (string | undefined)[] | undefined {
  const buffer = placed(record, ODD_PLACE);
  const shared = newShared();
  if (!readShared(buffer, AT, AT + record.length, shared)) return undefined;
  return [...shared.places].map((at, place) => {
    assertEquals(at >= 0, (shared.kinds & 1 << place) !== 0);
    return at < 0 ? undefined : buffer.bytes.slice(at, registerEnd(buffer, at)).join();
  });
}

/** The same by the twin. */
function twinRead(record: Uint8Array): (string | undefined)[] | undefined {
  const registers = twinRegisters(record);
  return registers && [1, 2, 4].map((kind) => registers.get(kind)?.join());
}

test("shared registers: fields and MAC are those of the vectors", () => {
  for (const each of sharedRegisters) {
    const { group, peer, kind, content, register } = each;
    const buffer = placed(register, ODD_PLACE);
    assertEquals(readSeconds(buffer, AT), each.seconds);
    assertEquals(readNanoseconds(buffer, AT), each.nanoseconds);
    assertEquals(buffer.view.getFloat64(AT + REGISTER_HEARD), each.heard);
    assertEquals(buffer.bytes[AT + REGISTER_FLAGS], each.flags);
    assertEquals(isProvedRegister(buffer, AT), (each.flags & 1) !== 0);
    assertEquals(registerEnd(buffer, AT), AT + register.length);
    const contentAt = AT + REGISTER_CONTENT;
    assertEquals(buffer.bytes.slice(contentAt, contentAt + content.length), content);
    const ids = placed(peer, ODD_PLACE);
    assert(KEY.verify(group, ids, AT, kind, buffer, AT));
    const made = written(register.length, ODD_PLACE, (to, at) => {
      writeLabel(to, at, each);
      to.view.setFloat64(at + REGISTER_HEARD, each.heard);
      to.bytes[at + REGISTER_FLAGS] = each.flags;
      to.bytes[at + REGISTER_SIZE] = content.length;
      to.bytes.set(content, at + REGISTER_CONTENT);
      KEY.seal(group, ids, AT, kind, to, at);
    });
    assertEquals(made, register);
    assertNeeds(register.length, (to, at) => {
      if (at >= 0 && at + REGISTER_SIZE < to.size) to.bytes[at + REGISTER_SIZE] = content.length;
      KEY.seal(group, ids, AT, kind, to, at);
    });
  }
});

test("shared registers: another bit, group, peer, kind or key makes the MAC wrong", () => {
  const { group, peer, kind, register } = sharedRegisters[0]!;
  const ids = new WireBuffer(peer);
  const sizeAt = 8 * REGISTER_SIZE;
  for (let bit = 0; bit < 8 * register.length; bit++) {
    // Of another size, it would end elsewhere.
    if (bit >= sizeAt && bit < sizeAt + 8) continue;
    const bytes = register.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert(!KEY.verify(group, ids, 0, kind, new WireBuffer(bytes), 0), `bit ${bit}`);
  }
  const whole = new WireBuffer(register);
  assert(KEY.verify(group, ids, 0, kind, whole, 0));
  assert(!KEY.verify(group + 1, ids, 0, kind, whole, 0));
  assert(!KEY.verify(group, ids, 0, 2, whole, 0));
  assert(!KEY.verify(group, new WireBuffer(peer.map((byte) => byte ^ 1)), 0, kind, whole, 0));
  const other = new StoreKey(new ExchangeKey(new Uint8Array(32).fill(1), PORTABLE), PORTABLE);
  assert(!other.verify(group, ids, 0, kind, whole, 0));
});

test("shared records: the slow store makes of them what the vectors say", () => {
  for (const { name, stored, incoming, record, changed } of sharedMerges) {
    const merged = twinMerge(stored, incoming);
    assertEquals(merged.record, record, name);
    assertEquals(merged.changed, changed, name);
    for (const each of [stored, incoming, record, changed]) {
      assertEquals(read(each), twinRead(each), name);
    }
  }
});

/** Bytes that are often records. */
const someRecord = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.record({
    format: fc.constantFrom(1, 1, 1, 1, 0, 2),
    kinds: fc.constantFrom(1, 2, 4, 3, 5, 6, 7, 0, 8, 15),
    registers: fc.array(
      fc.tuple(fc.uint8Array({ minLength: 21, maxLength: 21 }), fc.nat(30)),
      { minLength: 3, maxLength: 3 },
    ),
    // Bytes too many or too few, at the end.
    off: fc.constantFrom(0, 0, 0, 0, 1, -1, -17),
  }).map(({ format, kinds, registers, off }) => {
    const parts = registers.filter((_, i) => (kinds & 1 << i) !== 0);
    const bytes: number[] = [format, kinds];
    for (const [fields, size] of parts) {
      bytes.push(...fields, size, ...new Array<number>(size + 16).fill(9));
    }
    const record = new Uint8Array(Math.max(0, bytes.length + off));
    record.set(bytes.slice(0, record.length));
    return record;
  }),
);

test("shared records: any bytes are read as the slow twin reads them", () => {
  let found = 0;
  fc.assert(fc.property(someRecord, (bytes) => {
    const there = read(bytes);
    assertEquals(there, twinRead(bytes));
    if (there !== undefined) found++;
  }));
  assertNotEquals(found, 0);
  for (const each of sharedMerges.slice(0, 12)) {
    for (let size = 0; size < each.record.length; size++) {
      assertEquals(read(each.record.slice(0, size)), undefined);
    }
  }
});

test("shared records: what lies outside its buffer is none", () => {
  const { record } = sharedMerges[0]!;
  const buffer = new WireBuffer(record);
  const shared = newShared();
  assert(readShared(buffer, 0, record.length, shared));
  for (
    const [at, end] of [[-1, 40], [0, record.length + 1], [record.length, record.length], [9, 4]]
  ) {
    assert(!readShared(buffer, at!, end!, shared));
  }
});

test("shared registers: labels are in the order of their numbers, contents are compared whole", () => {
  fc.assert(fc.property(
    fc.array(fc.constantFrom(0, 1, 9, 10, 0x7f, 0x80, 0xff), { minLength: 12, maxLength: 12 }),
    fc.array(fc.constantFrom(0, 1, 9, 10, 0x7f, 0x80, 0xff), { minLength: 12, maxLength: 12 }),
    fc.nat(12),
    (first, second, same) => {
      const other = [...first.slice(0, same), ...second.slice(same)];
      const [a, b] = [first, other].map((bytes) => placed(Uint8Array.from(bytes), ODD_PLACE));
      const text = (bytes: number[]) => bytes.map((byte) => String(byte).padStart(3, "0")).join();
      const order = compareRegisterLabels(a!, AT, b!, AT);
      assertEquals(
        Math.sign(order),
        text(first) < text(other) ? -1 : Number(text(first) > text(other)),
      );
    },
  ));
  const [row] = sharedRegisters;
  const register = new WireBuffer(row!.register.slice());
  const again = new WireBuffer(row!.register.slice());
  for (let i = 0; i < register.size; i++) {
    again.bytes[i]! ^= 1;
    const isContent = i >= REGISTER_FLAGS && i < REGISTER_CONTENT + row!.content.length;
    assertEquals(isSameContent(register, 0, again, 0), !isContent, `byte ${i}`);
    again.bytes[i]! ^= 1;
  }
  assertEquals(REGISTER_COUNT, 3);
});
