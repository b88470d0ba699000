/**
 * What the bench of zones and the load that it starts tell each other: a job on the command line,
 * figures in a line of text.
 *
 * @module
 */

import { type Figures, formatFigures, readFigures } from "../job.ts";

/**
 * What is asked: a random peer's records, the list of all, a name of the form of a peer's that nobody
 * has; or "first": the SRV of each peer in turn, once, from the start of the load on.
 */
export const ZONE_KINDS = ["srv", "a", "txt", "ptr", "nobody", "first"] as const;
/** What is asked. */
export type ZoneKind = (typeof ZONE_KINDS)[number];
/** Over what. */
export type Transport = "udp" | "tcp";

/** What a load has to do. */
export interface ZoneJob {
  readonly kind: ZoneKind;
  readonly transport: Transport;
  /** Whether signatures are asked for (DO), and must be there. */
  readonly signed: boolean;
  /** A port of 127.0.0.1. */
  readonly port: number;
  /** The process whose CPU time is read. */
  readonly pid: number;
  /** How long it is measured; of "first", nothing. */
  readonly seconds: number;
  /** Clients with one question in flight each, 1 to 64. */
  readonly clients: number;
  /** Milliseconds between an answer over UDP and the next question of a client. */
  readonly pause: number;
  /** How many peers the zone has. */
  readonly peers: number;
}

/** What a load found out. */
export interface ZoneFigures extends Figures {
  /** Part of the answers that said nothing (TC, over TCP SERVFAIL): too much was to be signed anew. */
  readonly limited: number;
  /** Size of a question, in bytes. */
  readonly asked: number;
}

/** A job as arguments. */
export function zoneArguments(job: ZoneJob): string[] {
  const { kind, transport, signed, port, pid, seconds, clients, pause, peers } = job;
  const numbers = [signed ? 1 : 0, port, pid, seconds, clients, pause, peers];
  return [kind, transport, ...numbers.map(String)];
}

/** The job that arguments name. */
export function readZoneJob([name, over, ...texts]: readonly string[]): ZoneJob {
  const kind = ZONE_KINDS.find((each) => each === name);
  const transport = over === "udp" || over === "tcp" ? over : undefined;
  const numbers = texts.map(Number);
  if (kind === undefined || transport === undefined || numbers.length !== 7) {
    throw new Error(`"${name} ${over} ${texts.join(" ")}" is no job`);
  }
  const [signed, port, pid, seconds, clients, pause, peers] = numbers;
  return {
    kind,
    transport,
    signed: signed === 1,
    port: port!,
    pid: pid!,
    seconds: seconds!,
    clients: clients!,
    pause: pause!,
    peers: peers!,
  };
}

/** Figures as text. */
export function formatZoneFigures(figures: ZoneFigures): string {
  return `${figures.limited} ${figures.asked} ${formatFigures(figures)}`;
}

/** The figures of a text. */
export function readZoneFigures(text: string): ZoneFigures {
  const [limited, asked, ...others] = text.trim().split(" ");
  return { limited: Number(limited), asked: Number(asked), ...readFigures(others.join(" ")) };
}
