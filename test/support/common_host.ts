/**
 * The host that common tests run on: Bun's on Bun, and what Deno and Bun have in common on Deno.
 * Those on QuickJS take another module in the place of this one.
 *
 * @module
 */

import type { Host } from "../../lib/host/host.ts";
import { nodeHost } from "../../lib/host/node/node.ts";

/** What `node_test.ts` needs of it. */
export type CommonHost = Pick<Host, keyof ReturnType<typeof nodeHost>>;

/** The host here. */
export const commonHost: CommonHost = "Bun" in globalThis
  ? (await import("../../lib/host/bun/bun.ts")).bunHost()
  : nodeHost();
