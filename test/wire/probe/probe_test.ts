import { assert, assertEquals, assertThrows } from "@std/assert";
import { x25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { DATAGRAM } from "../../../lib/wire/wgsig2/datagram.ts";
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
import { bytesOf, place } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, type Place, placed, written } from "../../support/bytes.ts";
import { libEcho, libProbe, plainEcho, plainProbe } from "../../support/probe_codecs.ts";
import {
  twinBetweenPeers,
  type TwinEcho,
  twinEchoPayload,
  twinOpen,
  twinPair,
  type TwinProbe,
  twinProbeHead,
  twinProbePayload,
  type TwinSide,
} from "../../support/probe_twin.ts";
import { candidateOf, nonce24 } from "../../support/wgsig2_arbitraries.ts";
import { test } from "../../testing.ts";

const [A, B] = [1, 2].map((byte) => new Uint8Array(32).fill(byte)) as [Uint8Array, Uint8Array];

function keysOf(own: Uint8Array, other: Uint8Array): PairKeys {
  const peer = x25519.getPublicKey(other);
  return PairKeys.agree(new ExchangeKey(own, PORTABLE), peer, PORTABLE)!;
}

/** The two sides, as lib/ and as the twin have them. */
const SIDES: readonly { keys: PairKeys; twin: TwinSide }[] = [
  { keys: keysOf(A, B), twin: twinPair(A, x25519.getPublicKey(B))!.own },
  { keys: keysOf(B, A), twin: twinPair(B, x25519.getPublicKey(A))!.own },
];
const STRANGER = keysOf(A, new Uint8Array(32).fill(3));

const side = fc.constantFrom(0, 1);
const token = bytesOf(8).map((bytes) => [...bytes]);
const flags = fc.integer({ min: 0, max: 255 });
const twinProbe: fc.Arbitrary<TwinProbe> = fc.record({
  flags,
  counter: fc.oneof(fc.nat(5000), fc.maxSafeNat()),
  token,
});
const twinEcho: fc.Arbitrary<TwinEcho> = fc.record({ flags, token, seen: candidateOf(1, 1) });

/** A probe or an echo, as its twin has it. */
interface Made {
  readonly type: number;
  readonly sender: number;
  readonly nonce: Uint8Array;
  readonly asked: Uint8Array | undefined;
  readonly payload: readonly number[];
}

const made: fc.Arbitrary<Made> = fc.oneof(
  fc.record({
    type: fc.constant(5),
    sender: side,
    nonce: nonce24,
    asked: fc.constant(undefined),
    payload: twinProbe.map(twinProbePayload),
  }),
  fc.record({
    type: fc.constant(6),
    sender: side,
    nonce: nonce24,
    asked: nonce24,
    payload: twinEcho.map(twinEchoPayload),
  }),
).filter(({ sender, nonce }) => !beginsAsWireGuard(sender, nonce));

function beginsAsWireGuard(sender: number, nonce: Uint8Array): boolean {
  const first = nonce[0]! ^ (SIDES[sender]!.twin.tag >>> 24);
  return first >= 1 && first <= 4;
}

function twin({ type, sender, nonce, asked, payload }: Made): Uint8Array {
  return twinBetweenPeers(type, SIDES[sender]!.twin, nonce, payload, asked);
}

/** The fields of a datagram that opens at a place; undefined where it doesn't. */
function open(
  keys: PairKeys,
  type: number,
  datagram: Uint8Array,
  asked: Uint8Array | undefined,
  where: Place,
) {
  const buffer = placed(datagram, where);
  const before = buffer.bytes.slice();
  if (type === DATAGRAM.probe) {
    const probe = newProbe();
    if (openProbe(keys, buffer, where.at, probe)) return plainProbe(probe);
  } else {
    const echo = newEcho();
    const nonce = placed(asked ?? new Uint8Array(24), where);
    if (openEcho(keys, buffer, where.at, nonce, where.at, echo)) return plainEcho(echo);
  }
  assertEquals(buffer.bytes, before);
  return undefined;
}

test("a probe is sealed as its twin has it, and opened by the other side, at any offset", () => {
  fc.assert(fc.property(twinProbe, side, nonce24, place, (probe, sender, nonce, where) => {
    const wanted = twinBetweenPeers(5, SIDES[sender]!.twin, nonce, twinProbePayload(probe));
    let isFit: boolean | undefined;
    const sealed = (buffer: WireBuffer, at: number) => {
      const { keys } = SIDES[sender]!;
      isFit = sealProbe(keys, libProbe(probe), placed(nonce, where), where.at, buffer, at);
      if (!isFit) buffer.bytes.fill(0, at, at + PROBE_SIZE);
    };
    const bytes = written(PROBE_SIZE, where, sealed);
    assertEquals(isFit, !beginsAsWireGuard(sender, nonce));
    if (!isFit) return;
    assertEquals(hex(bytes), hex(wanted));
    assertEquals(open(SIDES[1 - sender]!.keys, 5, bytes, undefined, where), probe);
  }));
});

test("an echo is sealed as its twin has it, and opened by the other side, at any offset", () => {
  fc.assert(
    fc.property(twinEcho, side, nonce24, nonce24, place, (echo, sender, nonce, asked, where) => {
      const wanted = twinBetweenPeers(6, SIDES[sender]!.twin, nonce, twinEchoPayload(echo), asked);
      const { keys } = SIDES[sender]!;
      const probe = placed(asked, where);
      let isFit: boolean | undefined;
      const bytes = written(PROBE_SIZE, where, (buffer, at) => {
        const from = placed(nonce, where);
        isFit = sealEcho(keys, libEcho(echo), probe, where.at, from, where.at, buffer, at);
        if (!isFit) buffer.bytes.fill(0, at, at + PROBE_SIZE);
      });
      assertEquals(isFit, !beginsAsWireGuard(sender, nonce));
      if (!isFit) return;
      assertEquals(hex(bytes), hex(wanted));
      assertEquals(open(SIDES[1 - sender]!.keys, 6, bytes, asked, where), echo);
    }),
  );
});

test("the type and the tag are told of what opens, and of nothing else", () => {
  fc.assert(fc.property(made, place, fc.integer({ min: -2, max: 2 }), (given, where, more) => {
    const datagram = twin(given);
    const { type, sender } = given;
    const buffer = placed(datagram, where);
    assertEquals(readProbeType(buffer, where.at, PROBE_SIZE), type);
    assertEquals(readProbeTag(buffer, where.at), SIDES[1 - sender]!.keys.receiveTag);
    const longer = new WireBuffer(100);
    longer.bytes.set(datagram);
    assertEquals(readProbeType(longer, 0, PROBE_SIZE + more), more === 0 ? type : 0);
  }));
});

test("what was changed anywhere doesn't open, and stays as it was", () => {
  fc.assert(fc.property(made, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, at, change) => {
    const datagram = twin(given);
    datagram[at % datagram.length]! ^= change;
    const { keys } = SIDES[1 - given.sender]!;
    assertEquals(open(keys, given.type, datagram, given.asked, ODD_PLACE), undefined);
  }));
});

test("it opens for the other side of the pair only, as what it is, for its own probe", () => {
  fc.assert(fc.property(made, nonce24, (given, other) => {
    const datagram = twin(given);
    const { type, sender, asked } = given;
    const opens = (keys: PairKeys, type: number, asked?: Uint8Array) =>
      open(keys, type, datagram, asked, ODD_PLACE) !== undefined;
    const { keys } = SIDES[1 - sender]!;
    assert(opens(keys, type, asked));
    assert(!opens(keys, type === DATAGRAM.echo ? DATAGRAM.probe : DATAGRAM.echo, asked));
    assert(!opens(SIDES[sender]!.keys, type, asked));
    assert(!opens(STRANGER, type, asked));
    if (type === DATAGRAM.echo) assert(!opens(keys, type, other));
  }));
});

test("any bytes are read as their twin reads them, and open with no key", () => {
  const size = fc.constantFrom(0, 1, 31, 48, 75, 76, 76, 76, 76, 77, 148, 1232);
  const bytes = fc.tuple(size, fc.boolean(), bytesOf(1232)).map(([size, looksSo, noise]) => {
    const datagram = noise.slice(0, size);
    // Half of them have the header of one.
    if (looksSo && size > 32) {
      [0x77, 0x67, 0x02, 5 + noise[40]! % 2].forEach((byte, i) => {
        datagram[4 + i] = byte ^ datagram[12 + i]!;
      });
    }
    return datagram;
  });
  fc.assert(fc.property(bytes, (datagram) => {
    const buffer = placed(datagram, ODD_PLACE);
    const head = twinProbeHead(datagram);
    assertEquals(readProbeType(buffer, ODD_PLACE.at, datagram.length), head?.type ?? 0);
    if (head === undefined) return;
    assertEquals(readProbeTag(buffer, ODD_PLACE.at), head.tag);
    for (const { keys, twin } of SIDES) {
      assertEquals(open(keys, head.type, datagram, undefined, ODD_PLACE), undefined);
      assertEquals(twinOpen(twin, datagram), undefined);
    }
  }));
});

test("whatever the other side has sealed, it is read or means nothing", () => {
  fc.assert(fc.property(bytesOf(28), nonce24, (payload, nonce) => {
    fc.pre(!beginsAsWireGuard(0, nonce));
    for (const [type, asked] of [[5, undefined], [6, new Uint8Array(24)]] as const) {
      const datagram = twinBetweenPeers(type, SIDES[0]!.twin, nonce, [...payload], asked);
      const buffer = placed(datagram, ODD_PLACE);
      const { at } = ODD_PLACE;
      if (type === DATAGRAM.probe) {
        const probe = newProbe();
        const isSmall = payload[1] === 0 && payload[2]! < 0x20;
        assertEquals(openProbe(SIDES[1]!.keys, buffer, at, probe), isSmall);
        if (isSmall) assertEquals(probe.flags, payload[0]);
      } else {
        const echo = newEcho();
        const isSeen = payload[9] === 0x14 || payload[9] === 0x16;
        // An IPv4 address as IPv6 comes up with nobody who draws at random.
        const asked = new WireBuffer(24);
        assertEquals(openEcho(SIDES[1]!.keys, buffer, at, asked, 0, echo), isSeen);
      }
    }
  }));
});

test("probes, echoes and nonces must lie inside their buffers, and fields in their range", () => {
  const { keys } = SIDES[0]!;
  const [nonce, big] = [new WireBuffer(24), new WireBuffer(200)];
  nonce.bytes.fill(9);
  const echo = newEcho();
  echo.seen.kind = 1;
  assertNeeds(PROBE_SIZE, (buffer, at) => sealProbe(keys, newProbe(), nonce, 0, buffer, at));
  assertNeeds(24, (buffer, at) => sealProbe(keys, newProbe(), buffer, at, big, 0));
  assertNeeds(PROBE_SIZE, (buffer, at) => sealEcho(keys, echo, nonce, 0, nonce, 0, buffer, at));
  assertNeeds(24, (buffer, at) => sealEcho(keys, echo, nonce, 0, buffer, at, big, 0));
  assertNeeds(24, (buffer, at) => sealEcho(keys, echo, buffer, at, nonce, 0, big, 0));
  assertNeeds(PROBE_SIZE, (buffer, at) => readProbeType(buffer, at, PROBE_SIZE));
  assertNeeds(PROBE_SIZE, (buffer, at) => openProbe(keys, buffer, at, newProbe()));
  assertNeeds(PROBE_SIZE, (buffer, at) => openEcho(keys, buffer, at, nonce, 0, newEcho()));
  const sealed = new WireBuffer(PROBE_SIZE);
  assert(sealEcho(SIDES[1]!.keys, echo, nonce, 0, nonce, 0, sealed, 0));
  assertNeeds(24, (buffer, at) => {
    const copy = new WireBuffer(sealed.bytes.slice());
    openEcho(keys, copy, 0, buffer, at, newEcho());
  });
  for (const counter of [-1, 0.5, 2 ** 53]) {
    const probe = { ...newProbe(), counter };
    assertThrows(() => sealProbe(keys, probe, nonce, 0, big, 0), RangeError, "its counter is");
  }
  for (const flags of [-1, 256]) {
    const probe = { ...newProbe(), flags };
    assertThrows(() => sealProbe(keys, probe, nonce, 0, big, 0), RangeError, "a probe's flags");
  }
  const short = { ...newProbe(), token: new WireBuffer(7) };
  assertThrows(() => sealProbe(keys, short, nonce, 0, big, 0), RangeError, "a token");
  assertThrows(() => sealEcho(keys, newEcho(), nonce, 0, nonce, 0, big, 0), RangeError, "its kind");
});
