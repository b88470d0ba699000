import { assert, assertEquals } from "@std/assert";
import { ADDITIONAL, ANSWER, QUESTION_NAME } from "../../../../lib/wire/dns/answer.ts";
import { SIGNED_ZONE, SignedAnswers } from "../../../support/signed_answer.ts";
import { zoneKey } from "../../../support/zone_keys.ts";
import { test } from "../../../testing.ts";

const T0 = 1_800_000_000;
const A = 1;
const TXT = 16;
const ADDRESS = Uint8Array.of(192, 0, 2, 1);

test("each record set has a right signature of each key", () => {
  for (const keys of [[zoneKey(1)], [zoneKey(2, 15)], [zoneKey(1), zoneKey(2, 15)]]) {
    const answers = new SignedAnswers(keys);
    const message = answers.checked({ name: `A.${SIGNED_ZONE}`, unix: T0 }, (to) => {
      assert(to.set(ANSWER, QUESTION_NAME, A, 5, [ADDRESS]));
      assert(to.set(ADDITIONAL, QUESTION_NAME, TXT, 7, [Uint8Array.of(1, 0x41)]));
    });
    assertEquals(message.records.length, 2 + 2 * keys.length);
  }
});
