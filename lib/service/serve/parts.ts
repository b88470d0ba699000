/**
 * Loads of a server what not every one has: a router has no memory for the rest.
 *
 * @module
 */

import { UserError } from "../../core/settings/user_error.ts";
import type { StoreHost } from "../shared/store_link.ts";
import type { LeaseService } from "../lease/server/service.ts";
import type { PunchService } from "../punch/service.ts";
import type { SharedLeaseStore } from "../shared/lease_store.ts";
import type { SharingService } from "../shared/sharing_service.ts";
import type { DnsService } from "../zone/server/service.ts";
import type { ServeConfig } from "./config.ts";
import type { ServedRosters } from "./served_rosters.ts";
import type { ServerKey } from "./server_key.ts";

/** What not every server has. */
export interface Parts {
  readonly Dns: typeof DnsService | undefined;
  readonly Leases: typeof LeaseService | undefined;
  /** Where leases are decided in a store. */
  readonly LeaseStore: typeof SharedLeaseStore | undefined;
  readonly Punch: typeof PunchService | undefined;
  readonly Rosters: typeof ServedRosters | undefined;
  readonly Sharing: typeof SharingService | undefined;
}

/** What decides which are loaded. */
export type PartsConfig = Pick<ServeConfig, "dns" | "lease" | "punch" | "state" | "store">;

/** Loads what is wanted. @throws {UserError} It is not to be had here. */
export async function loadParts(
  host: StoreHost,
  { dns, lease, punch, state, store }: PartsConfig,
  serverKey: ServerKey | undefined,
): Promise<Parts> {
  if (store !== undefined && host.openStore === undefined) {
    throw new UserError(
      "this program for small routers can't reach a store: leave --store out, or run wgsig's " +
        "larger binary",
    );
  }
  const shared = store && await import("../shared/sharing_service.ts");
  // What is wrong with these is said at once; later they are read whenever a connection is opened.
  if (store !== undefined) await shared?.checkStoreFiles(host, store);
  // What the registry knows of peers by name is worth something only where it is kept.
  const hasRosters = serverKey !== undefined && state !== undefined;
  return {
    Dns: dns && (await import("../zone/server/service.ts")).DnsService,
    Leases: lease && (await import("../lease/server/service.ts")).LeaseService,
    LeaseStore: lease && store && (await import("../shared/lease_store.ts")).SharedLeaseStore,
    Punch: punch && (await import("../punch/service.ts")).PunchService,
    Rosters: hasRosters ? (await import("./served_rosters.ts")).ServedRosters : undefined,
    Sharing: shared?.SharingService,
  };
}
