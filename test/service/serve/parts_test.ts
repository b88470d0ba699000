/** What a server loads, and what it can't. */

import { assertEquals, assertRejects } from "@std/assert";
import { parseStorePlace } from "../../../lib/core/net/store_place.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import { loadParts, type PartsConfig } from "../../../lib/service/serve/parts.ts";
import { SharingService } from "../../../lib/service/shared/sharing_service.ts";
import { MemoryHost } from "../../support/memory_host.ts";

const NOTHING = { dns: undefined, lease: undefined, punch: undefined, state: undefined };

function configOf(store: PartsConfig["store"]): PartsConfig {
  return { ...NOTHING, store };
}

const STORE = {
  place: parseStorePlace("redis://127.0.0.1")!,
  user: undefined,
  passwordFile: undefined,
  authorityFile: undefined,
  start: "wait",
} as const;

Deno.test("where no store can be reached, that is said; without one, nothing is loaded", async () => {
  const router = new MemoryHost();
  await assertRejects(
    () => loadParts(router, configOf(STORE), undefined),
    UserError,
    "this program for small routers can't reach a store",
  );
  assertEquals((await loadParts(router, configOf(undefined), undefined)).Sharing, undefined);
  const openStore = () => Promise.reject(new Error("not asked"));
  const large = Object.assign(new MemoryHost(), { openStore });
  assertEquals((await loadParts(large, configOf(STORE), undefined)).Sharing, SharingService);
});
