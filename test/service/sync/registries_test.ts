import { assert, assertEquals } from "@std/assert";
import { Registries, type RegistriesHost } from "../../../lib/service/sync/registries.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { privateKeyOf } from "../../support/question_driver.ts";
import { SECRET } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

const ID = new ExchangeKey(privateKeyOf(1), PORTABLE).publicKey.bytes;

/** What it takes to make ready; nothing is sent. */
function hostAt(clock: { mono: number }): RegistriesHost {
  const nothing = () => Promise.reject(new Error("no sockets here"));
  return {
    now: () => ({ unix: 1_700_000_000 + clock.mono, mono: clock.mono }),
    after: () => () => {},
    primitives: PORTABLE,
    random: (bytes) => void bytes.fill(7),
    udp: nothing,
    connectedUdp: nothing,
  };
}

test("what registries have told is kept while the key that can be read is another's", async () => {
  const clock = { mono: 1000 };
  const read: Uint8Array[] = [];
  let number = 2;
  const registries = new Registries(hostAt(clock), {
    readPrivateKey: () => {
      const key = privateKeyOf(number);
      read.push(key);
      return Promise.resolve(key);
    },
    onTold() {},
    onBehind() {},
  });
  const asker = { id: ID, secret: SECRET, group: 0, serverKeys: undefined };
  const first = await registries.prepare(asker);
  for (let i = 0; i < 3; i++) {
    clock.mono += 61;
    assert(await registries.prepare(asker) === first);
  }
  assertEquals(read.length, 4);
  number = 1;
  clock.mono += 61;
  const proving = await registries.prepare(asker);
  assert(proving !== first);
  clock.mono += 61;
  assert(await registries.prepare(asker) === proving);
  // And none of the keys stays where it was read.
  assertEquals(read.length, 5);
  for (const key of read) assertEquals(key, new Uint8Array(32));
});
