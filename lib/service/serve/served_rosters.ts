/**
 * The rosters of a server, and all that answers for them. It is loaded only where they are kept: a
 * router has no memory for it otherwise.
 *
 * @module
 */

import { DEFAULT_PORT } from "../../core/ask/server_name.ts";
import { gateMaker } from "../../core/registry/gate_maker.ts";
import type { Registry } from "../../core/registry/registry.ts";
import { RosterJournal } from "../../core/roster/server/roster_journal.ts";
import { Rosters } from "../../core/roster/server/rosters.ts";
import { registeredPeer } from "../../core/serve/group_report.ts";
import type { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { ServiceContext } from "../context.ts";
import { RosterService } from "../roster/roster_service.ts";
import type { Store } from "../store/store.ts";
import { JoinAnswers } from "./join_answers.ts";
import type { RegistrySockets } from "./registry_sockets.ts";

/** Rosters that are kept. */
export class ServedRosters {
  /** What of them is kept in the state file. */
  readonly journal: RosterJournal;
  readonly #context: ServiceContext;
  readonly #registry: Registry;
  readonly #rosters: Rosters;

  /** Has a registry know peers by name from now on. @param key The registry's. */
  constructor(context: ServiceContext, registry: Registry, key: ExchangeKey) {
    const { host, seed } = context;
    const { primitives } = host;
    this.#context = context;
    this.#registry = registry;
    this.#rosters = new Rosters(key.publicKey.bytes, primitives, seed());
    const random = (bytes: Uint8Array) => host.random(bytes);
    registry.keepRosters(gateMaker(this.#rosters, key, primitives, random));
    this.journal = new RosterJournal(this.#rosters);
  }

  /** What answers who joins. */
  newAnswers(store: Store, { send }: RegistrySockets): JoinAnswers {
    const { log, tick } = this.#context;
    return new JoinAnswers(this.#registry, store, log, tick, send);
  }

  /** What answers who administers them. */
  newService(store: Store, sockets: RegistrySockets): RosterService {
    const { host, log, tick } = this.#context;
    const { groups } = this.#registry;
    return new RosterService(host, log, {
      rosters: this.#rosters,
      groupIds: () => [...groups.keys()],
      seen: (id, key) => {
        const group = groups.get(id);
        return group && registeredPeer(group, key, () => undefined, host.now().mono);
      },
      port: () => sockets.bound[0]?.port ?? DEFAULT_PORT,
      save: async () => {
        await store.save();
        return store.isSaved;
      },
      changed: () => {
        this.#registry.gate?.settle(tick());
        sockets.changed();
        store.look();
      },
    });
  }
}
