/**
 * A target's compiler, with what all C code of a router binary is compiled and linked with.
 *
 * @module
 */

import { has } from "../tools.ts";
import { runQuietly } from "./commands.ts";
import { compilerPackage, type RouterTarget } from "./targets.ts";

/** The programs that make a binary. */
export interface Toolchain {
  readonly target: RouterTarget;
  readonly cc: string;
  readonly ar: string;
  /** The compiler's name and version. What it makes may differ with them. */
  readonly version: string;
  /** What code is compiled with, whosever it is. */
  readonly flags: readonly string[];
}

/** The compiler's folder of headers (stdarg.h and so on), or one of its files. */
export async function compilerFile({ cc }: Toolchain, name: string): Promise<string> {
  return (await runQuietly({ argv: [cc, `-print-file-name=${name}`], cwd: "/" })).trim();
}

/** The programs of a target that is in {@linkcode missingPackages} no more. */
export async function toolchain(target: RouterTarget): Promise<Toolchain> {
  const cc = `${target.triplet}-gcc`;
  const version = await runQuietly({ argv: [cc, "--version"], cwd: "/" });
  return {
    target,
    cc,
    ar: `${target.triplet}-ar`,
    version: version.split("\n")[0] ?? "",
    flags: [
      ...target.flags,
      "-Os",
      "-std=gnu11",
      target.pie ? "-fPIE" : "-fno-pie",
      "-ffunction-sections",
      "-fdata-sections",
      "-fstack-protector-strong",
      // Tables for debuggers and for C++ exceptions: neither is here.
      "-fno-asynchronous-unwind-tables",
      "-fno-unwind-tables",
    ],
  };
}

/** Debian's packages that are missing to make binaries of some targets. */
export function missingPackages(targets: readonly RouterTarget[]): string[] {
  const tools = ["make", "xz"].filter((program) => !has(program))
    .map((program) => program === "xz" ? "xz-utils" : program);
  // The engine's compiler of bytecode runs here, and is compiled for here.
  const own = has("gcc") && hasHeaders() ? [] : ["gcc", "libc6-dev"];
  const cross = targets.filter(({ triplet }) => !has(`${triplet}-gcc`)).map(compilerPackage);
  return [...new Set([...own, ...tools, ...cross])];
}

function hasHeaders(): boolean {
  try {
    return Deno.statSync("/usr/include/stdio.h").isFile;
  } catch {
    return false;
  }
}
