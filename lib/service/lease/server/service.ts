/**
 * Addresses for peers, from inside the tunnel (wg-dynamic): the server on `[fe80::%IF]:970`.
 *
 * What is done and when is decided in core; here it is done.
 *
 * @module
 */

import { LeaseBook } from "../../../core/lease/server/book.ts";
import { bookOptions, type LeaseServerConfig } from "../../../core/lease/server/config.ts";
import { MAX_LEASE_CONNECTIONS } from "../../../core/lease/server/connection_table.ts";
import type { LeaseRequest } from "../../../core/lease/server/request.ts";
import { LeaseServer } from "../../../core/lease/server/server.ts";
import type { LeaseAnswer } from "../../../core/lease/server/session.ts";
import type { LeaseServerResult, LeaseServerStep } from "../../../core/lease/server/steps.ts";
import type { Counters } from "../../../core/net/counters.ts";
import type { HostPort } from "../../../core/net/host_port.ts";
import type { RandomSource } from "../../../core/net/random.ts";
import type { Journaled } from "../../../core/store/journaled.ts";
import { UserError } from "../../../core/settings/user_error.ts";
import { type Clock, pause } from "../../../host/clock.ts";
import { errorCode } from "../../../host/error.ts";
import type { Files } from "../../../host/files.ts";
import type { FileLocks } from "../../../host/locks.ts";
import type { LocalAddresses } from "../../../host/names.ts";
import type { Processes } from "../../../host/processes.ts";
import type { Random } from "../../../host/random.ts";
import type { TcpListener, TcpListening } from "../../../host/tcp.ts";
import type { ServiceContext } from "../../context.ts";
import { inWords } from "../../log/in_words.ts";
import type { Log } from "../../log/log.ts";
import type { Store } from "../../store/store.ts";
import { TimeSlicer } from "../../time_slicer.ts";
import type { ClaimStore } from "./claim_store.ts";
import { LeaseConnections } from "./connections.ts";
import { doOnDevice } from "./device.ts";
import { LeaseStore } from "./store.ts";

/** What is leased. */
export interface LeaseConfig extends LeaseServerConfig {
  /** The WireGuard interface. */
  readonly interface: string;
  readonly state: string | undefined;
}

/** What is done, and followed by something else at once. */
type DoneStep = Exclude<LeaseServerStep, { readonly kind: "go-on" | "wait" | "end" }>;

const DONE: LeaseServerResult = { kind: "done" };
/** While these are done, nothing else has its turn. */
const QUICK: ReadonlySet<LeaseServerStep["kind"]> = new Set(["tell", "answer", "unlisten"]);

/** Leases addresses. */
export class LeaseService {
  readonly #host: Clock & Random & Files & FileLocks & Processes & LocalAddresses & TcpListening;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #name: string;
  /** Who holds what. */
  readonly book: LeaseBook;
  readonly #store: LeaseStore;
  readonly #server: LeaseServer;
  readonly #connections: LeaseConnections;
  readonly #claims: ClaimStore | undefined;
  /** Who waits for an answer. */
  readonly #asking = new Map<LeaseRequest, (answer: LeaseAnswer | undefined) => void>();
  #listener: TcpListener | undefined;
  #work: Promise<void> = Promise.resolve();
  /** Ends a wait. */
  #wake: () => void = () => {};
  /** The timer of the last wait, and what it is set to. */
  #timer: { readonly until: number; cancel(): void } | undefined;

  /** @param claims Where leases are decided in a store that several servers share. */
  constructor(
    { host, log, counters }: Pick<ServiceContext, "host" | "log" | "counters">,
    config: LeaseConfig,
    claims: ClaimStore | undefined = undefined,
  ) {
    this.#host = host;
    this.#log = log;
    this.#counters = counters;
    this.#name = config.interface;
    const book = this.book = newBook(config, (bytes) => host.random(bytes));
    this.#store = new LeaseStore(host, log, config.state, book);
    this.#claims = claims;
    const sharing = claims?.sharing(book);
    this.#server = new LeaseServer({
      interface: config.interface,
      config,
      book,
      counters,
      sharing,
    });
    this.#connections = new LeaseConnections(host, counters, {
      get leaseTime() {
        return book.leaseTime;
      },
      ask: (request) => this.#ask(request),
    });
  }

  /** What is kept of the leases. */
  get journal(): Journaled {
    return this.#store.journal;
  }

  /** Has the leases kept in the server's file, and not in one of their own. */
  keepIn(store: Store): void {
    this.#store.shareWith(store);
  }

  /** Takes over what was saved, and begins. */
  async start(): Promise<void> {
    await this.#store.restore();
    this.#claims?.open(() => {
      this.#server.changedElsewhere();
      this.#wake();
    });
    await new Promise<void>((done) => this.#work = this.#run(done));
  }

  /** Takes other settings over; another interface or file needs a restart. */
  configure(config: LeaseConfig): void {
    this.#server.configure(config);
    this.#wake();
  }

  /** Ends it: leases stay what they are. @returns Whether they are saved. */
  async close(): Promise<boolean> {
    this.#server.end();
    this.#unlisten();
    this.#wake();
    await this.#work;
    await this.#claims?.close();
    return await this.#store.close();
  }

  #ask(request: LeaseRequest): Promise<LeaseAnswer | undefined> {
    return new Promise((done) => {
      this.#asking.set(request, done);
      this.#server.ask(request, this.#host.now());
      this.#wake();
    });
  }

  /** Does what the server says until it says that all has ended. */
  async #run(started: () => void): Promise<void> {
    const host = this.#host;
    let slicer = new TimeSlicer(host);
    for (;;) {
      const now = host.now();
      const step = this.#server.next(now);
      if (this.#server.hasLooked) started();
      if (step.kind === "end") break;
      if (step.kind === "go-on") {
        if (slicer.isOver) await slicer.rest();
        continue;
      }
      if (step.kind === "wait") await this.#wait(step.until, now.mono);
      else this.#server.told(await this.#attempt(step), host.now());
      if (!QUICK.has(step.kind)) slicer = new TimeSlicer(host);
    }
    this.#timer?.cancel();
    started();
  }

  /** Waits for something to happen. The timer of one wait goes on for the next. */
  async #wait(until: number, mono: number): Promise<void> {
    if (this.#timer?.until !== until) {
      this.#timer?.cancel();
      const cancel = this.#host.after(until - mono, () => {
        this.#timer = undefined;
        this.#wake();
      });
      this.#timer = { until, cancel };
    }
    await new Promise<void>((done) => this.#wake = done);
    this.#wake = () => {};
  }

  async #attempt(step: DoneStep): Promise<LeaseServerResult> {
    try {
      return await this.#do(step);
    } catch (error) {
      return { kind: "failed", why: inWords(error), code: errorCode(error) };
    }
  }

  async #do(step: DoneStep): Promise<LeaseServerResult> {
    switch (step.kind) {
      case "tell":
        this.#log.write(step.level, step.event, step.fields);
        return DONE;
      case "answer":
        for (const { request, answer } of step.answers) {
          this.#asking.get(request)?.(answer);
          this.#asking.delete(request);
        }
        return DONE;
      case "pause":
        await pause(this.#host, step.seconds);
        return DONE;
      case "restore":
        await this.#store.restoreRun(this.#name, step.publicKey);
        return DONE;
      case "save":
        await this.#store.save();
        return DONE;
      case "listen":
        this.#listener = await this.#listen(step.at);
        return DONE;
      case "unlisten":
        this.#unlisten();
        return DONE;
      case "claim":
      case "scan-claims":
        if (this.#claims === undefined) throw new Error("leases are not shared");
        return await this.#claims.do(step);
      default:
        return await doOnDevice(this.#host, this.#name, step);
    }
  }

  #listen({ host: address, port }: HostPort): Promise<TcpListener> {
    return this.#host.tcpListen({
      address,
      port,
      maxConnections: MAX_LEASE_CONNECTIONS,
      onConnection: (connection) => this.#connections.welcome(connection),
      onRefused: () => this.#counters.add("lease-refused"),
    });
  }

  #unlisten(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }
}

/** Looks for what is wrong with settings. */
export function checkLeases(config: LeaseConfig): void {
  newBook(config, (bytes) => bytes.fill(0));
}

function newBook(config: LeaseConfig, random: RandomSource): LeaseBook {
  try {
    return new LeaseBook(bookOptions(config), random);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`leases: ${error.message}`);
  }
}
