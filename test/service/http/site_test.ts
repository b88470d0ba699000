/** What is made of a report is made once, however many ask for it. */

import { assertEquals } from "@std/assert";
import { Counters } from "../../../lib/core/net/counters.ts";
import type { ServeReport } from "../../../lib/core/status/serve_report.ts";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { StatusSite } from "../../../lib/service/http/site.ts";
import { SERVE_REPORT } from "../../support/status_report.ts";

const HOST = denoHost({ libc: false });
const LOOPBACK = "127.0.0.1";

Deno.test("site: a text is made once of each report, for all who ask while it is new", async () => {
  let mono = 100;
  let reads = 0;
  const report = (): Promise<ServeReport> =>
    Promise.resolve({
      ...SERVE_REPORT,
      get groups() {
        reads++;
        return SERVE_REPORT.groups;
      },
    });
  const program = { report, counters: new Counters(), unwritten: () => {} };
  const site = new StatusSite({ ...HOST, now: () => ({ unix: 1000, mono }) }, program, {
    address: { host: LOOPBACK, port: 0 },
    token: undefined,
    metricsFile: undefined,
    metricsPeers: 0,
    version: "0.1.0",
    page: undefined,
  });
  await site.open();
  const ask = async (path: string) => await (await fetch(`http://${site.address}${path}`)).text();
  try {
    for (const path of ["/status.json", "/metrics"]) {
      const first = await ask(path);
      const before = reads;
      const all = await Promise.all(Array.from({ length: 20 }, () => ask(path)));
      assertEquals([new Set(all), reads], [new Set([first]), before]);
      mono++;
      await ask(path);
      assertEquals(reads > before, true, "a second later there is another report");
    }
    const { groups, kind, mesh, history } = JSON.parse(await ask("/status.json"));
    assertEquals([groups, kind], [SERVE_REPORT.groups, "serve"]);
    assertEquals([mesh.length, history.interval], [SERVE_REPORT.groups.length, 30]);
  } finally {
    await site.close();
  }
});
