import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Now } from "../../../../lib/core/net/clock.ts";
import { JoinQuestion } from "../../../../lib/core/roster/client/join_question.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { ExchangeKey } from "../../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../../lib/wire/crypto/portable.ts";
import {
  DATAGRAM,
  DATAGRAM_NONCE,
  openDatagram,
  readDatagramGroup,
  sealDatagram,
  writeDatagramHeader,
} from "../../../../lib/wire/wgsig2/datagram.ts";
import {
  encodeJoined,
  isJoin,
  JOIN_KEY,
  JOIN_RESULT,
  JOIN_SIZE,
  newJoined,
} from "../../../../lib/wire/wgsig2/join.ts";
import { JoinKeys, TokenKeys } from "../../../../lib/wire/wgsig2/join_keys.ts";
import { verifyProof } from "../../../../lib/wire/wgsig2/question.ts";
import { countingRandom, idOf } from "../../../support/fake_random.ts";
import { test } from "../../../testing.ts";

const SERVER = new ExchangeKey(idOf(9), PORTABLE);
const TOKEN = Uint8Array.from({ length: 16 }, (_, i) => i);
const LINK = { host: "192.0.2.1", port: 1223, serverKey: SERVER.publicKey.bytes, token: TOKEN };
const at = (mono: number): Now => ({ unix: 1_800_000_000 + mono, mono });

function newQuestion(link = LINK): JoinQuestion {
  return new JoinQuestion(link, idOf(3), PORTABLE, countingRandom());
}

/** Answers as a registry does. @returns The size of the answer, at the start of `buffer`. */
function answer(buffer: WireBuffer, size: number, result: number): number {
  const token = new TokenKeys(TOKEN, SERVER.publicKey.bytes, PORTABLE);
  assertEquals(readDatagramGroup(buffer, 0), token.tag);
  assert(openDatagram(token.join, buffer, 0, size));
  assert(isJoin(buffer, 0, size));
  const key = buffer.bytes.slice(JOIN_KEY, JOIN_KEY + 32);
  const keys = JoinKeys.agree(SERVER, "registry", key, TOKEN, PORTABLE)!;
  assert(verifyProof(keys.prove, buffer, 0, size));
  const asked = new WireBuffer(buffer.bytes.slice(DATAGRAM_NONCE, DATAGRAM_NONCE + 24));
  const joined = newJoined();
  joined.result = result;
  joined.seconds = 1_800_000_123;
  if (result === JOIN_RESULT.joined) {
    joined.group = 7;
    joined.secret.bytes.fill(0x5e);
    joined.name = "phone";
    joined.addresses = [{ address: Uint8Array.of(10, 9, 0, 2), length: 24 }];
  }
  writeDatagramHeader(DATAGRAM.joined, token.tag, new WireBuffer(24), 0, buffer, 0);
  const length = encodeJoined(joined, buffer, 0);
  sealDatagram(keys.answer, buffer, 0, length, asked);
  return length;
}

test("a peer that joins is told its name, its addresses, its group and the secret", () => {
  const question = newQuestion();
  const buffer = new WireBuffer(JOIN_SIZE);
  assertEquals(question.next(at(0)).kind, "ask");
  const length = answer(buffer, question.write(buffer, at(0)), JOIN_RESULT.joined);
  assert(question.receive(buffer, 0, length, at(0.1)));
  assertEquals(buffer.bytes.subarray(0, length), new Uint8Array(length), "it is wiped");
  assertEquals(question.outcome, {
    kind: "joined",
    peer: {
      name: "phone",
      group: 7,
      secret: new Uint8Array(32).fill(0x5e),
      addresses: ["10.9.0.2/24"],
      unix: 1_800_000_123,
    },
  });
  assertEquals(question.next(at(0.1)).kind, "done");
});

test("each refusal says which it is; one that is busy is asked again", () => {
  for (const kind of ["used", "ended", "revoked"] as const) {
    const question = newQuestion();
    const buffer = new WireBuffer(JOIN_SIZE);
    const length = answer(buffer, question.write(buffer, at(0)), JOIN_RESULT[kind]);
    assert(question.receive(buffer, 0, length, at(0)));
    assertEquals([question.outcome?.kind, question.next(at(9)).kind], [kind, "done"]);
  }
  const question = newQuestion();
  const buffer = new WireBuffer(JOIN_SIZE);
  const busy = answer(buffer, question.write(buffer, at(0)), JOIN_RESULT.busy);
  assert(question.receive(buffer, 0, busy, at(0)));
  assertEquals(question.next(at(0.5)).kind, "wait");
  assertEquals(question.next(at(1)).kind, "ask");
  const unknown = answer(buffer, question.write(buffer, at(1)), 77);
  assert(question.receive(buffer, 0, unknown, at(1)));
  assertEquals(question.outcome, { kind: "unknown", result: 77 });
});

test("a late answer to an earlier question counts, and what isn't an answer doesn't", () => {
  const question = newQuestion();
  const first = new WireBuffer(JOIN_SIZE);
  const size = question.write(first, at(0));
  question.write(new WireBuffer(JOIN_SIZE), at(1));
  const damaged = new WireBuffer(first.bytes.slice());
  const length = answer(first, size, JOIN_RESULT.joined);
  assert(!question.receive(damaged, 0, size, at(1)));
  const forged = new WireBuffer(first.bytes.slice());
  forged.bytes[60]! ^= 1;
  assert(!question.receive(forged, 0, length, at(1)));
  assertEquals(question.outcome, undefined);
  assert(question.receive(first, 0, length, at(1)));
  assertEquals(question.outcome?.kind, "joined");
});

test("a link with a key of small order is damaged", () => {
  const link = { ...LINK, serverKey: new Uint8Array(32) };
  assertThrows(() => newQuestion(link), SyntaxError, "damaged");
});
