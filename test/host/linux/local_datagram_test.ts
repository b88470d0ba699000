/** Datagrams over unix sockets, on Deno and on Bun; QuickJS has them in C. */

import { assertEquals } from "@std/assert";
import { DENO, ROOT } from "../../../scripts/tools.ts";
import { bundle, bunProgram, ownTarget } from "../../../scripts/tools.ts";
import { run, testWith, withFolder } from "../../support/program.ts";
import { NotifySocket } from "../../support/notify_socket.ts";

const SCRIPT = (runtime: string) =>
  `import { ${runtime}Host } from "${ROOT}/lib/host/${runtime}/${runtime}.ts";
  const host = ${runtime}Host();
  const said = (to) => {
    try {
      host.sendLocal(to, new TextEncoder().encode("READY=1\\n"));
      return "sent";
    } catch (error) {
      return error.code;
    }
  };
  host.out.write(host.args.map(said).join(" ") + " " + host.out.file);`;

for (const runtime of ["deno", "bun"] as const) {
  testWith([], `a datagram goes to a unix socket on ${runtime}`, async () => {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/script.ts`, SCRIPT(runtime));
      const file = `${folder}/script.js`;
      await bundle(`${folder}/script.ts`, file);
      const program = runtime === "deno"
        ? [DENO, "run", "--allow-all", file]
        : [await bunProgram(ownTarget()), file];
      using named = new NotifySocket(`${folder}/notify`);
      using abstract = new NotifySocket(`@wgsig-test-${Deno.pid}`);
      await Deno.writeTextFile(`${folder}/file`, "");
      const names = [
        named.name,
        abstract.name,
        `${folder}/none`,
        `${folder}/file`,
        "x".repeat(200),
      ];
      const out = `${folder}/out`;
      const { code, err } = await run([
        "sh",
        "-c",
        `exec "$@" > ${out}`,
        "sh",
        ...program,
        ...names,
      ]);
      assertEquals([code, err], [0, ""]);
      const { dev, ino } = await Deno.stat(out);
      assertEquals(
        await Deno.readTextFile(out),
        `sent sent ENOENT ECONNREFUSED ENAMETOOLONG ${dev}:${ino}`,
      );
      assertEquals([named.take(), abstract.take()], ["READY=1\n", "READY=1\n"]);
    });
  });
}
