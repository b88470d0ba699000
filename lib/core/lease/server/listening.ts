/**
 * When lease clients are listened to: once the interface has what it needs, and not where it is
 * gone, or is another one of the same name.
 *
 * @module
 */

import { formatHostPort } from "../../net/host_port.ts";
import { LEASE_PORT, LEASE_SERVER_ADDRESS } from "../../../wire/lease/message.ts";
import type { LeaseBook } from "./book.ts";
import type { PeerIndex } from "./peer_index.ts";
import { type LeaseSetup, SetupCheck } from "./setup.ts";
import { bring, type LeaseServerStep, StepFailure, type Steps, tell, wordsOf } from "./steps.ts";

/** For a moment after it was added, an IPv6 address can't be listened on: so often it is tried. */
const NEW_ADDRESS_TRIES = 10;
const NEW_ADDRESS = 0.05;

const READ_LINK: LeaseServerStep = { kind: "read-link" };
const UNLISTEN: LeaseServerStep = { kind: "unlisten" };

/** The socket of a lease server, and what it needs. */
export class LeaseListening {
  readonly #name: string;
  readonly #book: LeaseBook;
  readonly #check: SetupCheck;
  #isListening = false;
  /** The system's number of the interface that is listened on. */
  #index: number | undefined;
  #problem = "";
  #ended = false;

  /** @param name Of the interface. @param peers Its peers. */
  constructor(name: string, peers: PeerIndex, book: LeaseBook) {
    this.#name = name;
    this.#book = book;
    this.#check = new SetupCheck(name, peers);
  }

  /** Nobody is listened to any more. */
  end(): void {
    this.#ended = true;
  }

  /**
   * Says or does what is missing on the interface, and listens.
   *
   * @param configures Whether to do it.
   * @throws {StepFailure} Where nobody can be listened to.
   */
  *setUp(configures: boolean): Steps {
    let link = yield* bring(READ_LINK, "link");
    const { addresses } = link;
    const { routes, shadows } = yield* bring({ kind: "read-routes", addresses }, "routes");
    let missing = this.#check.missing({ addresses, routes, shadows });
    let failure = "";
    if (missing.length > 0 && configures) {
      failure = yield* this.#configure(missing);
      missing = [];
      link = yield* bring(READ_LINK, "link");
    }
    if (missing.length > 0) {
      const commands = missing.map(({ command }) => command).join(" && ");
      yield* this.#tell(`run: ${commands} (or serve with --configure)`);
    } else if (failure !== "") yield* this.#tell(failure);
    else this.#problem = "";
    const isReady = missing.every(({ needed }) => !needed);
    // A socket on an interface that was made anew hears nothing.
    if (!isReady || link.index !== this.#index) yield* this.#unlisten();
    if (isReady && !this.#isListening && !this.#ended) yield* this.#listen(link.index);
  }

  /** Listens no more until it is set up again, and says why. */
  *wait(why: string): Steps {
    yield* this.#unlisten();
    yield* this.#tell(why);
  }

  /** Does what is missing. Returns why some clients can't be served, where that is so. */
  *#configure(missing: readonly LeaseSetup[]): Steps<string> {
    let failure = "";
    for (const setup of missing) {
      try {
        yield { kind: "set-up", setup };
      } catch (error) {
        // One client without a route keeps nobody else from being served.
        if (setup.needed) throw error;
        failure ||= wordsOf(error);
        continue;
      }
      yield tell("info", "lease-configured", { command: setup.command });
    }
    return failure;
  }

  *#listen(index: number | undefined): Steps {
    const at = { host: `${LEASE_SERVER_ADDRESS}%${this.#name}`, port: LEASE_PORT };
    yield* this.#open({ kind: "listen", at });
    this.#isListening = true;
    if (this.#ended) return yield* this.#unlisten();
    this.#index = index;
    const fields = { address: formatHostPort(at), leases: this.#book.count };
    yield tell("info", "lease-listening", fields);
  }

  *#open(listen: LeaseServerStep): Steps {
    for (let tries = 1;; tries++) {
      try {
        yield listen;
        return;
      } catch (error) {
        const code = error instanceof StepFailure ? error.code : "";
        const mayComeYet = code === "EADDRNOTAVAIL" && tries < NEW_ADDRESS_TRIES;
        if (!mayComeYet || this.#ended) throw error;
      }
      yield { kind: "pause", seconds: NEW_ADDRESS };
    }
  }

  *#unlisten(): Steps {
    if (!this.#isListening) return;
    this.#isListening = false;
    yield UNLISTEN;
  }

  /** Tells of a problem once until it is another. */
  *#tell(why: string): Steps {
    if (why === this.#problem) return;
    this.#problem = why;
    yield tell("warn", "lease-waiting", { interface: this.#name, why });
  }
}
