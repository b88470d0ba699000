/**
 * How the store is reached that registries share.
 *
 * @module
 */

import type { StorePlace } from "../../core/net/store_place.ts";

/** How it is reached. */
export interface SharedStoreConfig {
  readonly place: StorePlace;
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
  /** Certificates in PEM; those of public authorities where left out. */
  readonly authorityFile: string | undefined;
  /** Whether the registry answers only once it has read the store, or at once. */
  readonly start: "wait" | "alone";
}
