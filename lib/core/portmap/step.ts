/**
 * What a mapping of a port needs done, and what came of it.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { HostPort } from "../net/host_port.ts";

/** What to do next. Each is followed by a {@linkcode PortMapResult}. */
export type PortMapStep =
  /** Nothing, until this time of the monotonic clock, or until somebody wants it looked at. */
  | { readonly kind: "sleep"; readonly until: number }
  /** Send datagrams, and hear what comes to their socket. */
  | {
    readonly kind: "ask";
    /** The own address that they leave from. */
    readonly from: string;
    readonly datagrams: readonly { readonly to: HostPort; readonly bytes: Uint8Array }[];
    /** How long to hear. */
    readonly seconds: number;
    /** Hears a datagram of `length` bytes at `at`. @returns Whether that is all. */
    readonly hear: (buffer: WireBuffer, at: number, length: number, from: HostPort) => boolean;
  }
  /** Connect, write these bytes, and read until the answer is whole. */
  | {
    readonly kind: "converse";
    readonly to: HostPort;
    readonly bytes: Uint8Array;
    /** For all of it. */
    readonly seconds: number;
    /** The most bytes that are read. */
    readonly limit: number;
    /** Looks at what has come so far. @returns Whether that is all. */
    readonly hear: (bytes: Uint8Array, isEnded: boolean) => boolean;
  }
  /** Tell of something. */
  | { readonly kind: "tell"; readonly news: PortMapNews };

/** What came of a step. */
export interface PortMapResult {
  /** The monotonic clock. */
  readonly mono: number;
  /** Whether somebody wants it looked at; of a sleep. */
  readonly isWoken?: boolean;
  /** The own address of the connection; of a conversation that came about. */
  readonly local?: string;
  /** A POSIX name for why it could not be done. */
  readonly failure?: string;
}

/** A piece of work. */
export type PortMapSteps<T> = Generator<PortMapStep, T, PortMapResult>;

/** How a port was mapped. */
export type PortMapProtocol = "pcp" | "nat-pmp" | "upnp";

/** A port of this host that a gateway forwards. */
export interface PortMapping {
  /** Where everybody reaches it. */
  readonly endpoint: HostPort;
  readonly via: PortMapProtocol;
}

/** What there is to tell. */
export type PortMapNews =
  /** The port is mapped, there or elsewhere than before. */
  | { readonly kind: "mapped"; readonly mapping: PortMapping; readonly seconds: number }
  /** It isn't any more. */
  | { readonly kind: "lost" }
  /** It can't be. */
  | {
    readonly kind: "not-mapped";
    /** Whether anybody has answered. */
    readonly isAnswered: boolean;
    readonly why: string;
  }
  /** The gateway is behind another one: its own address is this. */
  | { readonly kind: "double-nat"; readonly address: string; readonly via: PortMapProtocol };

/** What came of asking for a mapping by one protocol. */
export type MapOutcome =
  | {
    readonly kind: "mapped";
    readonly endpoint: HostPort;
    /** Seconds; infinite where it stays until it is given back. */
    readonly lifetime: number;
  }
  /** The gateway's own address is nobody's to reach: it maps nothing that is of use. */
  | { readonly kind: "double-nat"; readonly address: string }
  /** It was answered with no. */
  | { readonly kind: "refused"; readonly why: string }
  /** Nobody answered. */
  | { readonly kind: "silent"; readonly why: string };

/** One way to map a port at one gateway. What it remembers is of this one mapping. */
export interface ProtocolMapper {
  readonly via: PortMapProtocol;
  /** Seconds between two looks whether the gateway still has it. */
  readonly checkEvery: number;
  /** Asks for the mapping, or for the same once more. */
  map(): PortMapSteps<MapOutcome>;
  /** Whether the gateway has it still, as far as that can be told. */
  check(): PortMapSteps<boolean>;
  /** Gives it back, if there may be one. */
  release(): PortMapSteps<void>;
}

/** Does a step. @param clock Gets the time when it was done. */
export function* doStep(
  clock: { mono: number },
  step: PortMapStep,
): PortMapSteps<PortMapResult> {
  const result = yield step;
  clock.mono = result.mono;
  return result;
}

/** Seconds that an answer to the first, second and third question is waited for. */
export const ASK_SECONDS: readonly number[] = [0.25, 0.5, 1];
/** The same at the end, which waits for nobody. */
export const RELEASE_SECONDS: readonly number[] = [0.25, 0.5];
/** Seconds that a mapping is asked for. */
export const LIFETIME = 7200;
/** The lowest public port: many gateways refuse those below. */
export const MIN_EXTERNAL_PORT = 1024;
