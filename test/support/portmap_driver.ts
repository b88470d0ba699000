/**
 * Gateways that answer as a test wants, and a driver that lets time pass without waiting.
 *
 * @module
 */

import type { HostPort } from "../../lib/core/net/host_port.ts";
import type {
  PortMapNews,
  PortMapResult,
  PortMapStep,
  PortMapSteps,
} from "../../lib/core/portmap/step.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { hex, unhex } from "./bytes.ts";
import { bigEndian } from "./twins.ts";

/** An answer to a search. */
export interface Answer {
  readonly text: string;
  /** Where it comes from; from whom it was asked if left out. */
  readonly from?: HostPort;
}

/** What a gateway does. What is left out isn't heard. */
export interface FakeGateway {
  /** PCP and NAT-PMP: digits in, digits out. */
  readonly datagram?: (digits: string, mono: number) => string | undefined;
  /** SSDP. */
  readonly search?: (text: string, to: HostPort) => readonly Answer[];
  /** HTTP: a whole answer; undefined where nobody listens. */
  readonly http?: (text: string, to: HostPort) => string | undefined;
}

const GATEWAY_PORT = 5351;

/** Does steps, until something is to be waited for that lies after the time it was given. */
export class PortMapDriver {
  mono = 1000;
  gateway: FakeGateway;
  /** What was told, as a line each. */
  readonly told: string[] = [];
  /** What was asked, in order: digits of datagrams, the first line of searches and of HTTP. */
  readonly asked: string[] = [];
  /** What was asked for by HTTP, and where. */
  readonly conversations: string[] = [];

  constructor(gateway: FakeGateway) {
    this.gateway = gateway;
  }

  /** Goes on with steps for so many seconds; what they return, undefined where they go on. */
  run<T>(steps: PortMapSteps<T>, seconds = Infinity, pending?: PortMapStep): Run<T> {
    const until = this.mono + seconds;
    let result: PortMapResult = { mono: this.mono };
    let step: PortMapStep | undefined = pending;
    for (;;) {
      if (step !== undefined) {
        if (step.kind === "sleep") {
          if (step.until > until) {
            this.mono = Math.max(this.mono, until);
            return { steps, pending: step };
          }
          this.mono = Math.max(this.mono, step.until);
        }
        result = { ...this.#do(step), mono: this.mono };
      }
      const next = steps.next(result);
      if (next.done) return { steps, value: next.value };
      step = next.value;
    }
  }

  /** Goes on with what was interrupted. */
  resume<T>({ steps, pending }: Run<T>, seconds: number): Run<T> {
    return this.run(steps, seconds, pending);
  }

  /** Ends a sleep, as somebody who wants it looked at. */
  wake<T>({ steps }: Run<T>): Run<T> {
    const next = steps.next({ mono: this.mono, isWoken: true });
    return next.done ? { steps, value: next.value } : this.run(steps, 0, next.value);
  }

  #do(step: PortMapStep): Omit<PortMapResult, "mono"> {
    switch (step.kind) {
      case "sleep":
        return {};
      case "tell":
        this.told.push(lineOf(step.news));
        return {};
      case "ask": {
        let isOver = false;
        for (const { to, bytes } of step.datagrams) {
          for (const { content, from = to } of this.#answers(to, bytes)) {
            const buffer = new WireBuffer(content.length + 3);
            buffer.bytes.set(content, 3);
            const host = from.host.replace(/%.*$/, "");
            isOver ||= step.hear(buffer, 3, content.length, { ...from, host });
          }
        }
        this.mono += isOver ? 0.01 : step.seconds;
        return {};
      }
      case "converse": {
        const text = new TextDecoder().decode(step.bytes);
        this.asked.push(text.slice(0, text.indexOf(" HTTP")) + soapOf(text));
        this.conversations.push(text);
        const answer = this.gateway.http?.(text, step.to);
        this.mono += 0.05;
        if (answer === undefined) return { failure: "ECONNREFUSED" };
        const bytes = new TextEncoder().encode(answer);
        if (!step.hear(bytes.subarray(0, bytes.length - 1), false)) step.hear(bytes, true);
        return { local: "192.168.1.2" };
      }
    }
  }

  #answers(
    to: HostPort,
    bytes: Uint8Array,
  ): readonly { readonly content: Uint8Array; readonly from?: HostPort }[] {
    if (to.port === GATEWAY_PORT) {
      this.asked.push(hex(bytes));
      const answer = this.gateway.datagram?.(hex(bytes), this.mono);
      return answer === undefined ? [] : [{ content: unhex(answer) }];
    }
    const text = new TextDecoder().decode(bytes);
    this.asked.push(`search ${/\nST: (\S+)/.exec(text)?.[1]} at ${to.host}`);
    const answers = this.gateway.search?.(text, to) ?? [];
    return answers.map(({ text, ...from }) => ({
      content: new TextEncoder().encode(text),
      ...from,
    }));
  }
}

/** How far steps have come. */
export interface Run<T> {
  readonly steps: PortMapSteps<T>;
  /** What they wait for. */
  readonly pending?: PortMapStep;
  readonly value?: T;
}

function soapOf(text: string): string {
  const action = /#(\w+)"/.exec(text)?.[1];
  return action === undefined ? "" : ` ${action}`;
}

function lineOf(news: PortMapNews): string {
  switch (news.kind) {
    case "mapped": {
      const { endpoint: { host, port }, via } = news.mapping;
      return `mapped ${host} ${port} by ${via} for ${news.seconds}`;
    }
    case "lost":
      return "lost";
    case "not-mapped":
      return `not mapped${news.isAnswered ? "" : ", silent"}: ${news.why}`;
    case "double-nat":
      return `double NAT ${news.address} by ${news.via}`;
  }
}

/** Digits of a number. */
export function digits(value: number, size: number): string {
  return hex(Uint8Array.from(bigEndian(value, size)));
}

/** A gateway that speaks PCP, and maps what it is asked for. */
export function pcpGateway(options: {
  readonly startedAt?: number;
  readonly external?: string;
  readonly lifetime?: number;
  readonly externalPort?: number;
  readonly result?: number;
}): (question: string, mono: number) => string | undefined {
  return (question, mono) => {
    if (!question.startsWith("02")) return undefined;
    const epoch = digits(Math.max(0, Math.floor(mono - (options.startedAt ?? 0))), 4);
    const result = digits(options.result ?? 0, 1);
    const wanted = parseInt(question.slice(8, 16), 16);
    const lifetime = digits(wanted === 0 ? 0 : options.lifetime ?? wanted, 4);
    const head = (operation: string) =>
      `02${operation}00${result}${lifetime}${epoch}${"00".repeat(12)}`;
    if (question.startsWith("0200")) return head("80");
    const port = options.externalPort === undefined
      ? question.slice(84, 88)
      : digits(options.externalPort, 2);
    const external = options.external ?? "00000000000000000000ffffcb007315";
    return `${head("81")}${question.slice(48, 84)}${port}${external}`;
  };
}

/** A gateway that speaks NAT-PMP, and maps what it is asked for; it answers PCP with its version. */
export function natPmpGateway(options: {
  readonly startedAt?: number;
  readonly address?: string;
  readonly result?: number;
}): (question: string, mono: number) => string | undefined {
  return (question, mono) => {
    const epoch = digits(Math.max(0, Math.floor(mono - (options.startedAt ?? 0))), 4);
    if (!question.startsWith("00")) return `00810001${epoch}`;
    const result = digits(options.result ?? 0, 2);
    if (question === "0000") return `0080${result}${epoch}${options.address ?? "cb007315"}`;
    const [port, wanted, lifetime] = [
      question.slice(8, 12),
      question.slice(12, 16),
      question.slice(16),
    ];
    return `0081${result}${epoch}${port}${wanted}${lifetime}`;
  };
}
