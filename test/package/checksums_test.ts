/** `dist/SHA256SUMS`, and what the head of a program's file says. */

import { assertEquals, assertThrows } from "@std/assert";
import { writeChecksums } from "../../scripts/package/checksums.ts";
import { readProgram } from "../../scripts/package/elf.ts";
import { run, withFolder } from "../support/program.ts";

Deno.test("sha256sum agrees with the checksums of what is released", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/router`);
    const released = [
      "router/LICENSES",
      "router/wgsig-mipsel",
      "wgsig-linux-arm64-musl",
      "wgsig-wgsig-1.2.3.tgz",
      "wgsig_1.2.3-r1_mipsel.ipk",
      "wgsig_1.2.3_amd64.deb",
    ];
    const others = [
      "wgsig",
      "wgsig.js",
      "SHA256SUMS",
      "router/wgsig-sanitized",
      "router/wgsig-movable-clock",
      "all_tests.ts",
    ];
    for (const name of [...released, ...others]) {
      await Deno.writeTextFile(`${folder}/${name}`, `content of ${name}`);
    }
    const lines = await writeChecksums(folder);
    assertEquals(lines.map((line) => line.trim().split("  ")[1]), released);
    const argv = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"];
    assertEquals(await run(argv, { cwd: folder }), { code: 0, out: "", err: "" });
    await Deno.writeTextFile(`${folder}/router/wgsig-mipsel`, "another");
    assertEquals((await run(argv, { cwd: folder })).code, 1);
  });
});

/** An ELF file's head with one program header, that of a loader if it is to have one. */
function head(
  machine: number,
  { wide = true, little = true, flags = 0, loader = "" }: {
    wide?: boolean;
    little?: boolean;
    flags?: number;
    loader?: string;
  } = {},
): Uint8Array {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2]);
  view.setUint16(18, machine, little);
  const word = (at: number, value: number) =>
    wide ? view.setBigUint64(at, BigInt(value), little) : view.setUint32(at, value, little);
  word(wide ? 32 : 28, 64);
  view.setUint32(wide ? 48 : 36, flags, little);
  view.setUint16(wide ? 54 : 42, wide ? 56 : 32, little);
  view.setUint16(wide ? 56 : 44, 1, little);
  if (loader !== "") {
    view.setUint32(64, 3, little);
    word(64 + (wide ? 8 : 4), 160);
    bytes.set(new TextEncoder().encode(`${loader}\0`), 160);
  }
  return bytes;
}

Deno.test("a program's processor and loader are told by its head", () => {
  const of = (...args: Parameters<typeof head>) => readProgram(head(...args));
  const narrow = { wide: false };
  assertEquals(of(62), { architecture: "amd64", loader: undefined });
  assertEquals(of(62, { loader: "/lib64/ld.so" }), {
    architecture: "amd64",
    loader: "/lib64/ld.so",
  });
  assertEquals(of(183).architecture, "arm64");
  assertEquals(of(40, { ...narrow, flags: 0x05000400 }).architecture, "armhf");
  assertEquals(of(40, { ...narrow, flags: 0x05000200 }).architecture, "armel");
  assertEquals(of(8, narrow).architecture, "mipsel");
  assertEquals(of(8, { ...narrow, little: false, loader: "/lib/ld.so" }), {
    architecture: "mips",
    loader: "/lib/ld.so",
  });
  assertThrows(() => of(3, narrow), TypeError, "machine 3");
  assertThrows(() => readProgram(new Uint8Array(100)), TypeError, "no ELF");
  assertThrows(() => readProgram(head(62).subarray(0, 100)), TypeError, "cut off");
});
