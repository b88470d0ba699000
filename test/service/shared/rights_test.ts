/** A user of a real Redis that may do what docs/scale.md says, and no more, is enough. */

import { assert, assertEquals } from "@std/assert";
import { decodeHex } from "@std/encoding/hex";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { STORE_RIGHTS } from "../../../lib/core/shared/store_fault.ts";
import { parseStorePlace } from "../../../lib/core/net/store_place.ts";
import { openStore } from "../../../lib/host/node/store.ts";
import type { StoreConnection } from "../../../lib/host/shared_stores.ts";
import { LeaseCalls } from "../../../lib/service/shared/lease_calls.ts";
import { StoreCalls } from "../../../lib/service/shared/store_calls.ts";
import { storeFault } from "../../../lib/service/shared/store_link.ts";
import { ROOT } from "../../../scripts/tools.ts";
import { idOf } from "../../support/fake_random.ts";
import { testWith } from "../../support/program.ts";
import { Redis } from "../../support/redis.ts";
import vectors from "../../vectors/shared.json" with { type: "json" };

const GROUP = 7;

function connect(redis: Redis): Promise<StoreConnection> {
  return openStore({
    place: parseStorePlace(`${redis.url}/1`)!,
    user: "wgsig",
    password: "hush",
    authority: undefined,
    timeout: 10,
    stop: new Promise(() => {}),
    onEnd: () => {},
  });
}

testWith(["redis-server"], "the rights that are documented are enough, and needed", async () => {
  const docs = await Deno.readTextFile(`${ROOT}/docs/scale.md`);
  assert(docs.includes(`ACL SETUSER wgsig on >PASSWORD ${STORE_RIGHTS}\n`));
  await using redis = await Redis.start();
  const rights = STORE_RIGHTS.split(" ");
  await redis.call("ACL", "SETUSER", "wgsig", "on", ">hush", ...rights);
  const store = await connect(redis);
  const calls = new StoreCalls((bytes) => bytes.fill(1));
  const { id, run, last } = await calls.greet(store, 60);
  assert(run !== "", "it may be told which run of the store it is");
  const records = [{ id: new Uint8Array(32), record: decodeHex(vectors.merges[0]!.incoming) }];
  await calls.write(store, id, { group: GROUP, records });
  await calls.forget(store, { group: GROUP, notHeardSince: 0, ids: [new Uint8Array(32)] });
  await calls.scan(store, GROUP, "0");
  const leases = new LeaseCalls(new Uint8Array(8), () => "table");
  const head = await leases.do(store, {
    kind: "claim",
    after: undefined,
    claims: [],
    by: Infinity,
  });
  assert(head.kind === "claim-log");
  const after = { ...head.cursor, isTaken: true };
  const address = { family: 4 as const, value: 0x0a14_0001n };
  const claim = { kind: "put-back" as const, publicKey: formatKey(idOf(1)), address, time: 60 };
  const log = await leases.do(store, { kind: "claim", after, claims: [claim], by: Infinity });
  assert(log.kind === "claim-log" && log.entries.length === 1);
  await leases.do(store, { kind: "scan-claims", from: "0" });
  await leases.leave(store);
  assertEquals((await calls.read(store, last === "" ? "0-0" : last)).changes.length, 1);
  const others = ["FLUSHALL", "KEYS *", "GET other", "CONFIG GET *"];
  for (const command of others) {
    const error = await store.call(command.split(" "), 10).catch((error: unknown) => error);
    assert(storeFault(error).why.includes("may not"), command);
  }
  await redis.call("ACL", "SETUSER", "wgsig", "-time");
  const error = await calls.greet(store, 60).catch((error: unknown) => error);
  assertEquals(storeFault(error).hint, `let it do ${STORE_RIGHTS}`);
  store.close();
});
