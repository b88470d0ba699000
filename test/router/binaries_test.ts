/**
 * What `deno task build:router --all` made: sizes, how they are linked, and that they run.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type ElfFacts, elfFacts } from "../../scripts/router/elf.ts";
import { ROUTER_TARGETS } from "../../scripts/router/targets.ts";
import { run, testWith } from "../support/program.ts";
import { needsOf, routerBinary, runnerOf } from "./router_binary.ts";

const LIMIT = 1_500_000;
const EXPECTED: Readonly<Record<string, Pick<ElfFacts, "wordClass" | "bigEndian" | "machine">>> = {
  x86_64: { wordClass: 2, bigEndian: false, machine: 62 },
  aarch64: { wordClass: 2, bigEndian: false, machine: 183 },
  armhf: { wordClass: 1, bigEndian: false, machine: 40 },
  armel: { wordClass: 1, bigEndian: false, machine: 40 },
  mipsel: { wordClass: 1, bigEndian: false, machine: 8 },
  mips: { wordClass: 1, bigEndian: true, machine: 8 },
};
const SHOWN: Readonly<Record<string, string>> = {
  x86_64: "linux-x64",
  aarch64: "linux-arm64",
  armhf: "linux-arm",
  armel: "linux-arm",
  mipsel: "linux-mipsel",
  mips: "linux-mips",
};
/** Instructions of MIPS processors that use the registers of the floating point unit. */
const FLOATING = /^([ls][wd]x?c1|[mc][tf]h?c1|bc1[tf]l?|[a-z0-9.]+\.[sdwl]|ctc1|cfc1)$/;

const X86_64 = ROUTER_TARGETS.find(({ name }) => name === "x86_64")!;
const OLD = ["qemu-x86_64-static", "-cpu", "Conroe"];

testWith([...needsOf(X86_64), OLD[0]!], "router binary x86_64: runs without SSE4.2", async () => {
  const { code, out } = await run([...OLD, routerBinary(X86_64), "keygen", "secret"]);
  assertEquals([code, out.length], [0, 45]);
});

for (const target of ROUTER_TARGETS) {
  const { name, pie, softFloat, triplet } = target;
  const binary = routerBinary(target);

  testWith(needsOf(target), `router binary ${name}: static and small`, async () => {
    const bytes = await Deno.readFile(binary);
    const { needsLoader, executableStack, movable, writableCode, ...rest } = elfFacts(bytes);
    assertEquals<unknown>(rest, EXPECTED[name]);
    assertEquals({ needsLoader, executableStack, movable, writableCode }, {
      needsLoader: false,
      executableStack: false,
      movable: pie,
      writableCode: false,
    });
    assert(bytes.length <= LIMIT, `${bytes.length} bytes`);
  });

  testWith(needsOf(target), `router binary ${name}: says what it is`, async () => {
    const { code, out, err } = await run([...runnerOf(target), binary, "--version"]);
    assertEquals([code, err], [0, ""]);
    assert(out.endsWith(`(quickjs 2025-04-26, ${SHOWN[name]})\n`), out);
  });

  if (softFloat) {
    const objdump = `${triplet}-objdump`;
    testWith([objdump], `router binary ${name}: no floating point unit`, async () => {
      const { code, out } = await run([objdump, "-d", "--no-show-raw-insn", binary]);
      assertEquals(code, 0);
      const names = out.split("\n").map((line) => line.split("\t")[1]?.trim() ?? "");
      assert(names.filter((each) => each === "addiu").length > 1000, "no code was seen");
      assertEquals(names.filter((each) => FLOATING.test(each)), []);
    });
  }
}
