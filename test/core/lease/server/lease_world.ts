/**
 * A lease server in a world that is a model: a device, a disk and a clock that do what the test says,
 * one step at a time.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { formatLeaseCidr } from "../../../../lib/core/lease/address.ts";
import { LeaseBook, type LeaseNote } from "../../../../lib/core/lease/server/book.ts";
import { bookOptions, type LeaseServerConfig } from "../../../../lib/core/lease/server/config.ts";
import { SharedLeases } from "../../../../lib/core/lease/server/shared_leases.ts";
import type { LeaseRequest, LeaseVisitor } from "../../../../lib/core/lease/server/request.ts";
import { LeaseServer } from "../../../../lib/core/lease/server/server.ts";
import type {
  LeaseAnswered,
  LeaseServerResult,
  LeaseServerStep,
} from "../../../../lib/core/lease/server/steps.ts";
import type { Now } from "../../../../lib/core/net/clock.ts";
import { Counters } from "../../../../lib/core/net/counters.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { idOf } from "../../../support/fake_random.ts";
import { seededRandom } from "../../../support/seeded_random.ts";

export const HUB = formatKey(idOf(1));
export const ANY = "request_ip=1\nip=0.0.0.0\n\n";
export const NOTHING = "request_ip=1\n\n";
export const CONFIG: LeaseServerConfig = {
  pools: ["10.20.0.0/24"],
  reserved: [],
  fixed: new Map(),
  leaseTime: 60,
  routes: [],
  configure: false,
};

/** Kinds of steps that say nothing of their order. */
const QUIET: readonly string[] = ["go-on", "tell"];
const DONE: LeaseServerResult = { kind: "done" };

export const keyOf = (i: number): string => formatKey(idOf(100 + i));
export const addressOf = (i: number): string => `fe80::1:${i.toString(16)}`;
export const askFor = (...ips: string[]): string =>
  ["request_ip=1", ...ips.map((ip) => `ip=${ip}`), "", ""].join("\n");

/** The answer to a request; `aborted` where its connection is. */
export interface Told {
  readonly request: LeaseRequest;
  readonly address: string;
  readonly text: string;
}

/** What a failing step says. */
export interface Failing {
  readonly why: string;
  readonly code?: string;
  /** How long it takes, in seconds. */
  readonly takes?: number;
}

/** A store that several servers share. */
export interface WorldStore {
  do(
    step: Extract<LeaseServerStep, { readonly kind: "claim" | "scan-claims" }>,
  ): LeaseServerResult;
}

/** The world around one server. */
export class LeaseWorld {
  mono = 1000;
  unix = 1_700_000_000;
  /** By public key, the AllowedIPs; undefined where there is no device. */
  device: Map<string, string[]> | undefined = new Map();
  /** What the interface has besides peers. */
  link: { index: number | undefined; addresses: string[]; routes: string[]; shadows: string[] } = {
    index: 3,
    addresses: ["fe80::/128"],
    routes: ["fe80::/64"],
    shadows: [],
  };
  /** This host's own. */
  ownAddresses: string[] = [];
  /** What is on the disk, by peer and address. */
  readonly disk = new Map<string, LeaseNote>();
  /** Whether the disk takes nothing. It is said elsewhere; all is written once it does. */
  isDiskFull = false;
  /** Whether something was to be written there that is not. */
  isStale = false;
  /** Why a step fails, if it does. What was set of several peers until then stays. */
  fails: (step: LeaseServerStep) => Failing | undefined = () => undefined;
  /** What was done since the last look at it, but for what is quiet. */
  readonly done: string[] = [];
  /** Each call that set something: who, in order. */
  readonly sets: string[][] = [];
  readonly log: string[] = [];
  readonly told: Told[] = [];
  isListening = false;
  /** Whether the server has said that all has ended. */
  hasEnded = false;
  /** When the server wants to be asked again, where it waits. */
  waitsUntil: number | undefined;
  counters = new Counters();
  config: LeaseServerConfig;
  book: LeaseBook;
  server: LeaseServer;
  /** By prefix, who was given it last. */
  readonly #owners = new Map<string, string>();
  readonly #store: WorldStore | undefined;
  #seed: number;

  constructor(
    config: Partial<LeaseServerConfig> = {},
    peers = 3,
    seed = 1,
    store: WorldStore | undefined = undefined,
  ) {
    this.config = { ...CONFIG, ...config };
    this.#seed = seed;
    this.#store = store;
    for (let i = 0; i < peers; i++) this.set(keyOf(i), [`${addressOf(i)}/128`]);
    this.book = this.#newBook();
    this.server = this.#newServer();
  }

  get now(): Now {
    return { unix: this.unix, mono: this.mono };
  }

  /** Lets time pass. */
  pass(seconds: number): void {
    this.mono += seconds;
    this.unix += seconds;
  }

  /** Does the next step; returns it. */
  step(): LeaseServerStep {
    const step = this.server.next(this.now);
    this.waitsUntil = step.kind === "wait" ? step.until : undefined;
    this.hasEnded ||= step.kind === "end";
    if (step.kind === "wait" || step.kind === "end") return step;
    if (!QUIET.includes(step.kind)) this.done.push(step.kind);
    const failing = this.fails(step);
    this.pass(failing?.takes ?? 0);
    const result: LeaseServerResult = failing === undefined
      ? this.#do(step)
      : { kind: "failed", why: failing.why, code: failing.code ?? "" };
    // What brings nothing needs not be told.
    if (result !== DONE) this.server.told(result, this.now);
    return step;
  }

  /** Does all that can be done now. */
  settle(most = 100_000): void {
    for (let i = 0; i < most; i++) {
      const { kind } = this.step();
      if (kind === "wait" || kind === "end") return;
    }
    assert(false, `it never ends: ${this.done.slice(-20)}`);
  }

  /** Does what is to be done until a step of this kind comes, that one as well. */
  until(kind: LeaseServerStep["kind"]): void {
    for (let i = 0; i < 100_000; i++) if (this.step().kind === kind) return;
    assert(false, `no ${kind}: ${this.done.slice(-20)}`);
  }

  /** The next look at the device, and all that follows. */
  look(seconds = 2): void {
    this.pass(seconds);
    this.settle();
  }

  visitor(address: string): LeaseVisitor {
    return { address, known: undefined };
  }

  /** A request over a connection of its own, or one that there is. */
  ask(from: number | LeaseVisitor, text = ANY): LeaseVisitor {
    const visitor = typeof from === "number" ? this.visitor(addressOf(from)) : from;
    this.server.ask({ visitor, bytes: new TextEncoder().encode(text) }, this.now);
    return visitor;
  }

  /** Asks, and returns the answer. */
  answer(from: number | LeaseVisitor, text = ANY): string {
    this.takeTold();
    this.ask(from, text);
    this.settle();
    const told = this.takeTold();
    assertEquals(told.length, 1);
    return told[0]!;
  }

  /** The answers since the last call. */
  takeTold(): string[] {
    return this.told.splice(0).map(({ text }) => text);
  }

  /** What was done since the last call. */
  takeDone(): string[] {
    return this.done.splice(0);
  }

  /** What is leased to a peer, as /32 and /128. */
  leaseOf(i: number): string[] {
    return this.book.addressesOf(keyOf(i));
  }

  /** A peer's AllowedIPs. */
  allowed(i: number): string[] | undefined {
    return this.device?.get(keyOf(i));
  }

  /**
   * Gives a peer AllowedIPs, and adds it where it isn't there, as the kernel does: nobody else has
   * them then.
   */
  set(publicKey: string, allowedIps: readonly string[]): void {
    const device = this.device;
    assert(device !== undefined);
    for (const prefix of allowedIps) {
      const owner = this.#owners.get(prefix) ?? publicKey;
      const had = owner === publicKey ? undefined : device.get(owner);
      if (had?.includes(prefix)) device.set(owner, had.filter((each) => each !== prefix));
      this.#owners.set(prefix, publicKey);
    }
    device.set(publicKey, [...allowedIps]);
  }

  /** The server is killed, and another one takes over what is on the disk. */
  restart(): void {
    this.book = this.#newBook();
    const notes = [...this.disk.values()].reverse();
    for (const { publicKey, address, expiresAt } of notes) {
      if (expiresAt !== undefined) this.book.restore(publicKey, address, expiresAt, this.mono);
    }
    this.isListening = false;
    this.#save();
    this.server = this.#newServer();
  }

  configure(config: Partial<LeaseServerConfig>): void {
    this.config = { ...this.config, ...config };
    this.server.configure(this.config);
  }

  #newBook(): LeaseBook {
    return new LeaseBook(bookOptions(this.config), seededRandom(this.#seed++));
  }

  #newServer(): LeaseServer {
    const { config, book, counters } = this;
    const sharing = this.#store && new SharedLeases(book);
    return new LeaseServer({ interface: "wg0", config, book, counters, sharing });
  }

  #do(step: LeaseServerStep): LeaseServerResult {
    const { device } = this;
    switch (step.kind) {
      case "pause":
        this.pass(step.seconds);
        return DONE;
      case "tell": {
        const fields = Object.entries(step.fields).map(([key, value]) => ` ${key}=${value}`);
        this.log.push(`${step.level} ${step.event}${fields.join("")}`);
        return DONE;
      }
      case "save":
        this.#save();
        return DONE;
      case "read-device":
        return { kind: "dump", text: device === undefined ? undefined : dumpOf(device) };
      case "read-allowed-ips":
        return { kind: "allowed-ips", peers: device === undefined ? undefined : new Map(device) };
      case "set-allowed-ips":
        this.sets.push([...step.peers.keys()]);
        if (device === undefined) return { kind: "failed", why: "No such device", code: "" };
        for (const [publicKey, allowedIps] of step.peers) this.set(publicKey, allowedIps);
        return DONE;
      case "read-own-addresses":
        return { kind: "addresses", addresses: this.ownAddresses };
      case "read-link":
        return { kind: "link", index: this.link.index, addresses: [...this.link.addresses] };
      case "read-routes":
        return { kind: "routes", routes: [...this.link.routes], shadows: [...this.link.shadows] };
      case "set-up":
        this.#setUp(step.setup.what, step.setup.prefix);
        return DONE;
      case "listen":
        assert(!this.isListening);
        this.isListening = true;
        return DONE;
      case "unlisten":
        assert(this.isListening);
        this.isListening = false;
        return DONE;
      case "claim":
      case "scan-claims":
        assert(this.#store !== undefined);
        return this.#store.do(step);
      case "answer":
        for (const each of step.answers) this.told.push(toldOf(each));
        return DONE;
      default:
        return DONE;
    }
  }

  #save(): void {
    const { book, disk } = this;
    const unsaved = book.takeUnsaved();
    this.isStale ||= this.isDiskFull;
    if (this.isDiskFull) return;
    if (this.isStale) disk.clear();
    for (const note of this.isStale ? book.notes() : unsaved) {
      const name = `${note.publicKey} ${formatLeaseCidr(note.address)}`;
      // Said anew, it is the last word.
      disk.delete(name);
      disk.set(name, note);
    }
    this.isStale = false;
  }

  #setUp(what: string, prefix: string): void {
    const { addresses, routes, shadows } = this.link;
    if (what === "add-address") addresses.push(prefix);
    if (what === "add-route") routes.push(prefix);
    if (what !== "remove-address") return;
    for (const list of [addresses, shadows]) {
      if (list.includes(prefix)) list.splice(list.indexOf(prefix), 1);
    }
  }
}

function toldOf({ request, answer }: LeaseAnswered): Told {
  const text = answer === undefined ? "aborted" : new TextDecoder().decode(answer.bytes);
  return { request, address: request.visitor.address, text };
}

function dumpOf(device: ReadonlyMap<string, readonly string[]>): string {
  const lines = [...device].map(([key, ips]) =>
    [key, "(none)", "(none)", ips.join(",") || "(none)", 0, 0, 0, "off"].join("\t")
  );
  return [`(none)\t${HUB}\t51820\toff`, ...lines, ""].join("\n");
}

/** A world whose server has begun, and listens. */
export function begun(config: Partial<LeaseServerConfig> = {}, peers?: number): LeaseWorld {
  const world = new LeaseWorld(config, peers);
  world.settle();
  assert(world.isListening, world.log.join("\n"));
  world.takeDone();
  return world;
}
