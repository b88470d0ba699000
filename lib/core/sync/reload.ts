/**
 * What of the settings of `sync` waits for a restart.
 *
 * @module
 */

import type { ReloadRules } from "../settings/reload.ts";

/** The settings of which some can't be changed while it runs. */
interface Reloadable {
  readonly interface: string;
  readonly lease?: object | undefined;
  readonly addPeers: boolean;
  readonly site?: { readonly address: unknown } | undefined;
}

/** The interface stays, and whether there are leases, with what the client of these was started with. */
export const SYNC_RULES = {
  fixed: {
    interface: (settings) => settings.interface,
    lease: ({ lease, addPeers }) => [lease, lease && addPeers],
    status: ({ site }) => site && [site.address],
  },
  inForce<S extends Reloadable>(first: S, wanted: S): S {
    const { interface: name, lease } = first;
    return { ...wanted, interface: name, lease: lease && { ...lease, ...wanted.lease } };
  },
} satisfies ReloadRules<Reloadable>;
