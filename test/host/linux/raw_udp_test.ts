/**
 * Raw UDP sockets that speak with anybody, on Deno and on Bun.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { bundle, bunProgram, DENO, ownTarget, ROOT } from "../../../scripts/tools.ts";
import { run, testWith, withFolder } from "../../support/program.ts";
import { CONVERSATION, conversationErrors, RAW_NETWORK } from "./raw_udp_exchange.ts";

const ADDRESSES = ["127.0.0.1", "::1"];

for (const runtime of ["Deno", "Bun"] as const) {
  const name = runtime.toLowerCase();

  /** Bundles a script that has the `host`, and what comes before it on the command line. */
  const withScript = (script: string, test: (argv: readonly string[]) => Promise<void>) =>
    withFolder(async (folder) => {
      const text = `import { ${name}Host } from "${ROOT}/lib/host/${name}/${name}.ts";
        import { converse, rawRefusals } from "${ROOT}/test/host/linux/raw_udp_exchange.ts";
        const host = ${name}Host();
        host.out.write(JSON.stringify(${script}));`;
      await Deno.writeTextFile(`${folder}/script.ts`, text);
      await bundle(`${folder}/script.ts`, `${folder}/script.js`);
      const start = runtime === "Deno"
        ? [DENO, "run", "--allow-all", "--unstable-net"]
        : [await bunProgram(ownTarget())];
      await test([...start, `${folder}/script.js`]);
    });

  for (const address of ADDRESSES) {
    testWith(
      ["network namespaces", "ip", "nft"],
      `a raw socket on ${address} speaks with anybody from WireGuard's port on ${runtime}`,
      async () => {
        await withScript(`await converse(host, "${address}")`, async (argv) => {
          const { code, out, err } = await run([...RAW_NETWORK, ...argv]);
          assertEquals([code, err], [0, ""]);
          const errors = conversationErrors(address);
          assertEquals<unknown>(JSON.parse(out), { ...CONVERSATION, errors });
        });
      },
    );
  }

  testWith(
    ["network namespaces", "ip", "nft", "setpriv"],
    `what is not permitted is EPERM on ${runtime}`,
    async () => {
      await withScript("await rawRefusals(host)", async (argv) => {
        const within = async (dropped: string) => {
          const without = ["setpriv", `--bounding-set=${dropped}`, `--inh-caps=${dropped}`];
          const { code, out, err } = await run([...RAW_NETWORK, ...without, ...argv]);
          assertEquals([code, err], [0, ""]);
          return JSON.parse(out);
        };
        assertEquals(await within("-sys_admin"), "none,none");
        assertEquals(await within("-net_raw"), "EPERM,EPERM");
        assertEquals(await within("-all,+net_raw"), "none,none");
      });
    },
  );
}
