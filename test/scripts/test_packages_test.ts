/** The installation of what the tests need. */

import { assertEquals, assertRejects } from "@std/assert";
import { withoutServices } from "../../scripts/test_packages.ts";
import { isFile, run, withFolder } from "../support/program.ts";

Deno.test("while packages are installed, no service may start, and afterwards all may", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/policy-rc.d`;
    const status = await withoutServices(
      file,
      async () => (await run([file, "unbound", "start"])).code,
    );
    // As invoke-rc.d(8) has it: it is forbidden.
    assertEquals([status, isFile(file)], [101, false]);
    await assertRejects(() => withoutServices(file, () => Promise.reject(new Error("no network"))));
    assertEquals(isFile(file), false);
  });
});

Deno.test("a policy that is there already is somebody's, and stays", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/policy-rc.d`;
    await Deno.writeTextFile(file, "#!/bin/sh\nexit 0\n");
    assertEquals(await withoutServices(file, () => Promise.resolve("done")), "done");
    assertEquals(await Deno.readTextFile(file), "#!/bin/sh\nexit 0\n");
  });
});
