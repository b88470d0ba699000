/**
 * What a running program says of itself over HTTP, and in a file for collectors of metrics.
 *
 * @module
 */

import { refusal } from "../../core/http/access.ts";
import { CONTENT_TYPE } from "../../core/metrics/exposition.ts";
import { metricsText, ownCounters, type ProgramFacts } from "../../core/metrics/metrics.ts";
import type { Counters } from "../../core/net/counters.ts";
import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import {
  interfaceFigures,
  interfaceHistory,
  serverFigures,
  serverHistory,
} from "../../core/status/figures.ts";
import { type Figures, type History, HISTORY_INTERVAL } from "../../core/status/history.ts";
import { jsonPieces } from "../../core/status/json_pieces.ts";
import { meshOf, type MeshReport, MOST_IN_ROWS } from "../../core/status/mesh.ts";
import { unready } from "../../core/status/ready.ts";
import { type InterfaceReport, SCHEMA } from "../../core/status/report.ts";
import type { ServeReport } from "../../core/status/serve_report.ts";
import type { Files } from "../../host/files.ts";
import { pause } from "../../host/clock.ts";
import type { System } from "../../host/host.ts";
import type { TcpListener } from "../../host/tcp.ts";
import { type HttpAnswer, textAnswer } from "../../wire/http/answer.ts";
import type { HttpRequest } from "../../wire/http/request.ts";
import { listenProblem } from "../log/listen_problem.ts";
import { MetricsFile } from "./metrics_file.ts";
import type { Page } from "./page.ts";
import { type HttpHost, HttpServer } from "./server.ts";

/** A report is for all who ask within so long, in seconds: to make one takes work. */
const KEPT = 1;
/** What is made of a report is made in pieces of so long, in seconds: others have their turn between. */
const TURN = 0.002;
/** Of so many groups all pairs are judged: that takes about a millisecond for each. */
const MESHED_GROUPS = 16;

/** Where it listens, what else it is to do, and what it is. */
export interface SiteConfig {
  /** Without one, nobody is answered. */
  readonly address: HostPort | undefined;
  /** What who asks must have; needed where others than this host can ask. */
  readonly token: Uint8Array | undefined;
  readonly metricsFile: string | undefined;
  /** So many peers have metrics of their own. */
  readonly metricsPeers: number;
  /** Of this program. */
  readonly version: string;
  /** What `/` shows; undefined where the binary has no room for it. */
  readonly page: Page | undefined;
}

/** The program that this tells of. */
export interface ToldProgram {
  readonly report: () => Promise<InterfaceReport | ServeReport>;
  /** What this server counts, too. */
  readonly counters: Counters;
  /** Called when the file of metrics can't be written, once for each reason in a row. */
  readonly unwritten: (file: string, why: string) => void;
}

/** What of a host that takes. */
export type SiteHost = HttpHost & Files & Pick<System, "runtime">;

/** A report, and what has been made of it, for all who ask while it is the newest. */
interface Kept {
  readonly at: number;
  readonly made: Promise<InterfaceReport | ServeReport>;
  /** By path. */
  readonly bodies: Map<string, Promise<Uint8Array>>;
}

/** Answers, and writes the file. */
export class StatusSite {
  readonly #host: SiteHost;
  readonly #program: ToldProgram;
  readonly #file: MetricsFile;
  readonly #startedAt: number;
  #config: SiteConfig;
  #history: History | undefined;
  #kept: Kept | undefined;
  #listener: TcpListener | undefined;
  #stopTimer: () => void = () => {};
  #isClosed = false;

  constructor(host: SiteHost, program: ToldProgram, config: SiteConfig) {
    this.#host = host;
    this.#program = program;
    this.#config = config;
    this.#startedAt = host.now().unix;
    this.#file = new MetricsFile(host, () => this.#metrics(), program.unwritten);
  }

  /** Where it listens; undefined where it doesn't. */
  get address(): string | undefined {
    const { address } = this.#config;
    if (address === undefined || this.#listener === undefined) return undefined;
    return formatHostPort({ host: address.host, port: this.#listener.port });
  }

  /**
   * Begins.
   *
   * @throws {UserError} It can't listen there.
   */
  async open(): Promise<void> {
    this.#file.configure(this.#config.metricsFile);
    const { address } = this.#config;
    if (address === undefined) return;
    const { counters } = this.#program;
    const server = new HttpServer(
      this.#host,
      (request) => this.#answer(request),
      (what) => counters.add(`http-${what}`),
    );
    try {
      this.#listener = await server.listen(address);
    } catch (error) {
      await this.#file.close();
      throw new UserError(listenProblem(address, error, "--status"), EXIT.failed);
    }
    void this.#note();
  }

  /** Takes new settings; where it listens stays, and with it the token where they have none. */
  configure(config: SiteConfig | undefined): void {
    const { address, token } = this.#config;
    if (config !== undefined) {
      this.#config = { ...config, address, token: config.token ?? token };
      this.#kept = undefined;
    }
    this.#file.configure(config?.metricsFile);
  }

  /** Ends it, and removes the file. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    this.#listener?.close();
    await this.#file.close();
  }

  async #answer(request: HttpRequest): Promise<HttpAnswer> {
    const { path } = request;
    // Who balances loads can't say a token.
    if (path === "/health") return textAnswer(200, "ok");
    if (path === "/ready") {
      const why = unready(await this.#current().made);
      return why === undefined ? textAnswer(200, "ready") : textAnswer(503, why);
    }
    const status = refusal(request, this.#config.token);
    if (status === 401) {
      const challenge = { "WWW-Authenticate": 'Basic realm="wgsig", charset="UTF-8"' };
      return textAnswer(401, "the token is needed: as a bearer, or as a password", challenge);
    }
    if (status === 421) {
      return textAnswer(421, "ask by an IP address or localhost, or set status-token-file");
    }
    if (path === "/metrics") {
      return ok(CONTENT_TYPE, await this.#shared(path, (report) => this.#metricsOf(report)));
    }
    if (path === "/status.json") {
      return ok("application/json", await this.#shared(path, (report) => this.#jsonOf(report)));
    }
    if (path === "/") return this.#page();
    return textAnswer(404, "there are /, /metrics, /status.json, /health and /ready");
  }

  #page(): HttpAnswer {
    const { page } = this.#config;
    if (page === undefined) return textAnswer(200, "see /status.json; this binary has no page");
    const body = new TextEncoder().encode(page.text);
    return ok("text/html; charset=utf-8", body, {
      "Content-Security-Policy": page.policy,
      "Referrer-Policy": "no-referrer",
    });
  }

  /** A body that is made once of each report: of many peers, that is a megabyte. */
  #shared(
    path: string,
    make: (report: InterfaceReport | ServeReport) => Iterable<string>,
  ): Promise<Uint8Array> {
    const { made, bodies } = this.#current();
    let body = bodies.get(path);
    if (body === undefined) {
      body = made.then((report) => this.#inTurns(make(report)));
      bodies.set(path, body);
    }
    return body;
  }

  /** Puts a text together, and lets others have their turn. */
  async #inTurns(pieces: Iterable<string>): Promise<Uint8Array> {
    let text = "";
    let from = this.#host.now().mono;
    for (const piece of pieces) {
      text += piece;
      if (this.#host.now().mono - from < TURN) continue;
      await pause(this.#host, 0);
      from = this.#host.now().mono;
    }
    return new TextEncoder().encode(text);
  }

  *#jsonOf(report: InterfaceReport | ServeReport): Generator<string, void> {
    const history = this.#history?.report(this.#host.now().mono) ?? null;
    const mesh: MeshReport[] = [];
    for (const each of meshesOf(report)) {
      mesh.push(each);
      yield "";
    }
    const meshes = report.kind === "serve" ? { mesh } : {};
    yield* jsonPieces({ schema: SCHEMA, ...report, ...meshes, history });
    yield "\n";
  }

  async #metrics(): Promise<string> {
    return this.#metricsOf(await this.#current().made)[0];
  }

  #metricsOf(report: InterfaceReport | ServeReport): readonly [string] {
    const { version, metricsPeers } = this.#config;
    const facts: ProgramFacts = {
      version,
      runtime: this.#host.runtime,
      startedAt: this.#startedAt,
      maxPeers: metricsPeers,
      counters: ownCounters(this.#program.counters),
      now: this.#host.now(),
    };
    return [metricsText(report, facts)];
  }

  /** A report that is no older than a second, made once for all who ask meanwhile. */
  #current(): Kept {
    const { mono } = this.#host.now();
    if (this.#kept === undefined || mono - this.#kept.at >= KEPT) {
      this.#kept = { at: mono, made: this.#program.report(), bodies: new Map() };
    }
    return this.#kept;
  }

  /** Notes figures, again and again. What can't be known now is missing in the history. */
  async #note(): Promise<void> {
    try {
      const report = await this.#current().made;
      this.#history ??= report.kind === "serve" ? serverHistory() : interfaceHistory();
      this.#history.note(figuresOf(report), this.#host.now().mono);
    } catch {
      // The next one may be known.
    }
    if (this.#isClosed) return;
    this.#stopTimer = this.#host.after(HISTORY_INTERVAL, () => void this.#note());
  }
}

/** Who reaches whom, for people: of the first groups, and in each of the peers heard last. */
function* meshesOf(report: InterfaceReport | ServeReport): Generator<MeshReport, void> {
  if (report.kind === "sync") return;
  for (const group of report.groups.slice(0, MESHED_GROUPS)) {
    yield meshOf(group, report.relay !== null, MOST_IN_ROWS);
  }
}

function figuresOf(report: InterfaceReport | ServeReport): Figures {
  if (report.kind === "sync") return interfaceFigures(report);
  return serverFigures(report.counters, report.groups.reduce((sum, { count }) => sum + count, 0));
}

function ok(
  type: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return { status: 200, headers: { "Content-Type": type, ...headers }, body };
}
