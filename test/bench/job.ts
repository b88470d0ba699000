/**
 * What `scripts/bench.ts` and the load that it starts tell each other: a job on the command line,
 * figures in a line of text.
 *
 * @module
 */

/** What a load asks for. */
export const KINDS = ["plain", "encrypted", "poll", "srv", "full", "ptr"] as const;
/** What a load asks for. */
export type Kind = (typeof KINDS)[number];

/** What a load has to do. */
export interface Job {
  readonly kind: Kind;
  /** A port of 127.0.0.1. */
  readonly port: number;
  /** The process whose CPU time is read; 0 makes the load a flood that waits for no answer. */
  readonly pid: number;
  readonly seconds: number;
  /** Clients with one request in flight each. */
  readonly clients: number;
  /** Milliseconds between an answer and the next request of a client. */
  readonly pause: number;
  /** Size of the answers of a responder that says nothing in them; 0 is the server. */
  readonly bareSize: number;
}

/** What a load found out. */
export interface Figures {
  /** Answers a second. */
  readonly rate: number;
  /** µs of CPU that the server spent on each. */
  readonly cpu: number;
  /** Which part of a core the server was busy. */
  readonly busy: number;
  /** µs that half of the answers took at most. */
  readonly p50: number;
  /** µs that 99 of 100 answers took at most; one that got lost took as long as it was waited for. */
  readonly p99: number;
  /** Answers, or datagrams of full ones. */
  readonly lost: number;
  /** Size of an answer, or of a datagram of a full one. */
  readonly size: number;
}

/** A job as arguments. */
export function jobArguments(job: Job): string[] {
  const { kind, port, pid, seconds, clients, pause, bareSize } = job;
  return [kind, ...[port, pid, seconds, clients, pause, bareSize].map(String)];
}

/** The job that arguments name. */
export function readJob([name, ...texts]: readonly string[]): Job {
  const kind = KINDS.find((each) => each === name);
  const [port, pid, seconds, clients, pause, bareSize] = numbersOf(texts, 6);
  if (kind === undefined) throw new Error(`"${name}" is none of ${KINDS.join(", ")}`);
  return {
    kind,
    port: port!,
    pid: pid!,
    seconds: seconds!,
    clients: clients!,
    pause: pause!,
    bareSize: bareSize!,
  };
}

/** Figures as text. */
export function formatFigures({ rate, cpu, busy, p50, p99, lost, size }: Figures): string {
  return [rate, cpu, busy, p50, p99, lost, size].join(" ");
}

/** The figures of a text. */
export function readFigures(text: string): Figures {
  const [rate, cpu, busy, p50, p99, lost, size] = numbersOf(text.trim().split(" "), 7);
  return {
    rate: rate!,
    cpu: cpu!,
    busy: busy!,
    p50: p50!,
    p99: p99!,
    lost: lost!,
    size: size!,
  };
}

function numbersOf(texts: readonly string[], count: number): number[] {
  const numbers = texts.map(Number);
  if (numbers.length === count && !numbers.some(isNaN)) return numbers;
  throw new Error(`"${texts.join(" ")}" is not ${count} numbers`);
}
