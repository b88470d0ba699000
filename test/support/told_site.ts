/**
 * `--status` of a program whose report a test writes: the server and the page are those of the binary.
 *
 * @module
 */

import { Counters } from "../../lib/core/net/counters.ts";
import type { InterfaceReport } from "../../lib/core/status/report.ts";
import type { ServeReport } from "../../lib/core/status/serve_report.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";
import { makePage } from "../../lib/service/http/page.ts";
import { type SiteConfig, StatusSite } from "../../lib/service/http/site.ts";

const HOST = denoHost({ libc: false });
const LOOPBACK = "127.0.0.1";

/** What it says of itself. */
export type Told = InterfaceReport | ServeReport;

/** A site that can be gone, and come back. */
export class ToldSite implements AsyncDisposable {
  /** What is told from now on. */
  report: Told;
  #site: StatusSite | undefined;
  #port = 0;

  constructor(report: Told) {
    this.report = report;
  }

  /** Begins, where it was before if it was. */
  async open(): Promise<void> {
    const program = {
      report: () => Promise.resolve(this.report),
      counters: new Counters(),
      unwritten: () => {},
    };
    const address = { host: LOOPBACK, port: this.#port };
    const config: SiteConfig = {
      address,
      token: undefined,
      metricsFile: undefined,
      metricsPeers: 0,
      version: "0.1.0",
      page: makePage(),
    };
    this.#site = new StatusSite(HOST, program, config);
    await this.#site.open();
    this.#port = Number(this.#site.address?.split(":").at(-1));
  }

  get url(): string {
    return `http://${LOOPBACK}:${this.#port}/`;
  }

  async close(): Promise<void> {
    await this.#site?.close();
    this.#site = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
