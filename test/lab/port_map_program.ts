/**
 * Maps the UDP port that is its argument, and tells of it as `sync` does, with a line of JSON for
 * each list of mappings.
 *
 * @module
 */

import type { Verbosity } from "../../lib/service/log/log.ts";
import { SyncReport } from "../../lib/service/log/sync_report.ts";
import { PortMapper } from "../../lib/service/portmap/port_mapper.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";

const host = denoHost();
const verbosity: Verbosity = "verbose";
const report = new SyncReport(host, { log: { format: "text", verbosity }, hook: undefined });
const mapper = new PortMapper(host, report, (mappings) => {
  host.out.write(`mappings ${JSON.stringify(mappings)}\n`);
});
mapper.want(Number(Deno.args[0]));
host.onSignal("SIGUSR1", () => mapper.look());
host.onSignal("SIGTERM", () => {
  void mapper.end().then(() => {
    host.out.write("ended\n");
    Deno.exit(0);
  });
});
