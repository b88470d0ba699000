/**
 * What a lease server is to do next, and what came of it.
 *
 * @module
 */

import type { HostPort } from "../../net/host_port.ts";
import type { Now } from "../../net/clock.ts";
import type { LogFields, LogLevel } from "../../net/log_line.ts";
import type { ClaimLog, ClaimScan, ClaimStart, LeaseClaim } from "./claims.ts";
import type { LeaseRequest } from "./request.ts";
import type { LeaseAnswer } from "./session.ts";
import type { LeaseSetup } from "./setup.ts";

/** What to do next. One that brings something is followed by a {@linkcode LeaseServerResult}. */
export type LeaseServerStep =
  /** Let others have their turn where this has taken long. */
  | { readonly kind: "go-on" }
  /** Nothing, until this time (monotonic, in seconds) or until something is asked. */
  | { readonly kind: "wait"; readonly until: number }
  /** Nothing for so many seconds, whatever is asked. */
  | { readonly kind: "pause"; readonly seconds: number }
  /** Nothing any more. */
  | { readonly kind: "end" }
  /** Write a line to the log. */
  | {
    readonly kind: "tell";
    readonly level: LogLevel;
    readonly event: string;
    readonly fields: LogFields;
  }
  /** Take over what an earlier run has left, where no file was named. @see LeaseStore.restoreRun */
  | { readonly kind: "restore"; readonly publicKey: string }
  /** Save what has changed. Done also where the disk takes nothing: that is said, and tried again. */
  | { readonly kind: "save" }
  /** Read the interface; brings a `dump`. */
  | { readonly kind: "read-device" }
  /** Read the AllowedIPs of these peers; brings `allowed-ips`. */
  | { readonly kind: "read-allowed-ips"; readonly publicKeys: ReadonlySet<string> }
  /** Give peers all their AllowedIPs, in this order. */
  | { readonly kind: "set-allowed-ips"; readonly peers: ReadonlyMap<string, readonly string[]> }
  /** Look what addresses this host has; brings `addresses`. */
  | { readonly kind: "read-own-addresses" }
  /** Look what addresses the interface has; brings a `link`. */
  | { readonly kind: "read-link" }
  /** Look what routes the interface has that has these addresses; brings `routes`. */
  | { readonly kind: "read-routes"; readonly addresses: readonly string[] }
  /** Change the interface. */
  | { readonly kind: "set-up"; readonly setup: LeaseSetup }
  /** Take connections here. */
  | { readonly kind: "listen"; readonly at: HostPort }
  /** Take none any more, and abort those that there are. */
  | { readonly kind: "unlisten" }
  /** Claim in the store, and read its log; brings a `claim-log`. Only where leases are shared. */
  | {
    readonly kind: "claim";
    /** Where to begin; undefined to learn where the log ends. */
    readonly after: ClaimStart | undefined;
    readonly claims: readonly LeaseClaim[];
    /** Nothing is claimed later than this, in Unix seconds by the store's clock. */
    readonly by: number;
  }
  /** Read a piece of the store's table; brings a `claim-scan`. */
  | { readonly kind: "scan-claims"; readonly from: string }
  /** Answer requests: all that is said is true now. */
  | { readonly kind: "answer"; readonly answers: readonly LeaseAnswered[] };

/** A request and its answer; undefined where its connection is to be aborted. */
export interface LeaseAnswered {
  readonly request: LeaseRequest;
  readonly answer: LeaseAnswer | undefined;
}

/** What came of a step. */
export type LeaseServerResult =
  | { readonly kind: "done" }
  /** It could not be done. The code is a POSIX name where there is one. */
  | { readonly kind: "failed"; readonly why: string; readonly code: string }
  /** As `wg show IF dump` prints it; undefined where there is no such interface. */
  | { readonly kind: "dump"; readonly text: string | undefined }
  /** Of those peers that there are; undefined where there is no such interface. */
  | {
    readonly kind: "allowed-ips";
    readonly peers: ReadonlyMap<string, readonly string[]> | undefined;
  }
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  | ClaimLog
  | ClaimScan
  /** The system's number of the interface, and its addresses with their prefix lengths. */
  | {
    readonly kind: "link";
    readonly index: number | undefined;
    readonly addresses: readonly string[];
  }
  /** Prefixes, and the interface's addresses that make the server's own an anycast one. */
  | {
    readonly kind: "routes";
    readonly routes: readonly string[];
    readonly shadows: readonly string[];
  };

/** A piece of work: steps in order, each of which gets what came of it. A failure is thrown. */
export type Steps<T = void> = Generator<LeaseServerStep, T, LeaseServerResult>;

/** When the last step was told, or the next one asked for. */
export interface StepClock {
  readonly now: Now;
}

/** A step that could not be done: the message says why. */
export class StepFailure extends Error {
  /** A POSIX name, where there is one. */
  readonly code: string;

  /** Makes it of what was told. */
  constructor(why: string, code = "") {
    super(why);
    this.code = code;
  }
}

type Kind = LeaseServerResult["kind"];
type ResultOf<K extends Kind> = Extract<LeaseServerResult, { readonly kind: K }>;

export const GO_ON: LeaseServerStep = { kind: "go-on" };
export const SAVE: LeaseServerStep = { kind: "save" };

/** Does a step that brings something. */
export function* bring<K extends Kind>(step: LeaseServerStep, kind: K): Steps<ResultOf<K>> {
  const result = yield step;
  if (!isOf(result, kind)) throw new StepFailure(`${step.kind} brought ${result.kind}`);
  return result;
}

/** A line of the log. */
export function tell(level: LogLevel, event: string, fields: LogFields): LeaseServerStep {
  return { kind: "tell", level, event, fields };
}

/** What went wrong, in words. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isOf<K extends Kind>(result: LeaseServerResult, kind: K): result is ResultOf<K> {
  return result.kind === kind;
}
