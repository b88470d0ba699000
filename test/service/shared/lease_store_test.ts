/** The two connections over which leases are decided: what becomes of them where one ends. */

import { assertEquals, assertRejects } from "@std/assert";
import { parseStorePlace } from "../../../lib/core/net/store_place.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import type { StoreConnection, StoreOptions } from "../../../lib/host/shared_stores.ts";
import { SharedLeaseStore } from "../../../lib/service/shared/lease_store.ts";
import { MemoryHost } from "../../support/memory_host.ts";

/** A connection that is asked for. */
interface Opening {
  readonly options: StoreOptions;
  /** It is there: what is asked there is never answered. */
  open(): void;
  isClosed: boolean;
}

/** Connections are there when the test says so. */
class Host extends MemoryHost {
  readonly openings: Opening[] = [];
  #asked: () => void = () => {};

  readonly openStore = (options: StoreOptions): Promise<StoreConnection> =>
    new Promise((done, fail) => {
      const opening: Opening = {
        options,
        isClosed: false,
        open: () => {
          done({
            call: () => new Promise((_, end) => ends.push(end)),
            close: () => {
              opening.isClosed = true;
              for (const end of ends) end(new Error("ECONNRESET"));
            },
          });
        },
      };
      const ends: ((error: Error) => void)[] = [];
      void options.stop.then(() => fail(new Error("ECONNABORTED")));
      this.openings.push(opening);
      this.#asked();
    });

  /** The connection that is asked for as the nth. */
  async opening(n: number): Promise<Opening> {
    while (this.openings.length <= n) await new Promise<void>((done) => this.#asked = done);
    return this.openings[n]!;
  }
}

function storeOf(host: Host): SharedLeaseStore {
  const place = parseStorePlace("redis://store.example.com")!;
  const files = { user: undefined, passwordFile: undefined, authorityFile: undefined };
  return new SharedLeaseStore({ host }, { place, ...files, start: "alone" });
}

Deno.test("a connection that ends before the other one is there is made anew with it", async () => {
  const host = new Host();
  const store = storeOf(host);
  let connects = 0;
  store.open(() => connects++);
  const first = await host.opening(0);
  first.open();
  const second = await host.opening(1);
  first.options.onEnd("ECONNRESET");
  second.open();
  // Both again.
  (await host.opening(2)).open();
  assertEquals([first.isClosed, second.isClosed, connects], [true, true, 0]);
  (await host.opening(3)).open();
  while (connects === 0) await Promise.resolve();
  host.openings[3]!.options.onEnd("ECONNRESET");
  assertEquals(host.openings.map(({ isClosed }) => isClosed), [true, true, true, true]);
  await host.opening(4);
  await store.close();
  await assertRejects(() => store.do({ kind: "scan-claims", from: "0" }), UserError);
});

Deno.test("each attempt is given up by a word of its own, which keeps no earlier one", async () => {
  const host = new Host();
  const store = storeOf(host);
  store.open(() => {});
  for (let i = 0; i < 6; i += 2) {
    const writer = await host.opening(i);
    writer.open();
    const reader = await host.opening(i + 1);
    writer.options.onEnd("ECONNRESET");
    reader.open();
  }
  await host.opening(6);
  const stops = host.openings.map(({ options: { stop } }) => stop);
  assertEquals(new Set(stops).size, 4);
  await store.close();
});
