/**
 * What of the settings of `serve` waits for a restart.
 *
 * @module
 */

import type { ReloadRules } from "../settings/reload.ts";

/** The settings of which some can't be changed while the server runs. */
export interface Reloadable {
  readonly listen: unknown;
  readonly maxPeers: number;
  readonly maxAnswer: number;
  readonly state: string | undefined;
  readonly key: string | undefined;
  readonly store?: unknown;
  readonly dns: { readonly listen: unknown } | undefined;
  readonly lease: { readonly interface: string; readonly state: string | undefined } | undefined;
  readonly punch: unknown;
  readonly site?: { readonly address: unknown } | undefined;
}

/** What is bound or in use; a new group has the limits of the others. */
export const SERVE_RULES = {
  fixed: {
    listen: ({ listen }) => listen,
    "max-peers": ({ maxPeers }) => maxPeers,
    "max-answer": ({ maxAnswer }) => maxAnswer,
    state: ({ state }) => state,
    key: ({ key }) => key,
    store: ({ store }) => store,
    dns: ({ dns }) => dns?.listen,
    lease: ({ lease }) => lease && [lease.interface, lease.state],
    punch: ({ punch }) => punch,
    status: ({ site }) => site && [site.address],
  },
  inForce<S extends Reloadable>(first: S, wanted: S): S {
    const { listen, maxPeers, maxAnswer, state, key, store } = first;
    return { ...wanted, listen, maxPeers, maxAnswer, state, key, store };
  },
} satisfies ReloadRules<Reloadable>;
