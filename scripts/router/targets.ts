/**
 * The systems that router binaries are made for.
 *
 * @module
 */

/** A system that a router binary is made for. */
export interface RouterTarget {
  /** As in `dist/router/wgsig-NAME`. */
  readonly name: string;
  /** The GNU triplet: its compiler is `TRIPLET-gcc`, in Debian's package `gcc-TRIPLET`. */
  readonly triplet: string;
  /** What the compiler is told about the processor. */
  readonly flags: readonly string[];
  /**
   * How the engine is compiled. Where flash is not scarce, for speed: it answers a third more
   * requests then, and is a fifth larger.
   */
  readonly engine: "-O2" | "-Os";
  /** Whether the binary is loaded at a random address (static-pie). */
  readonly pie: boolean;
  /** Whether floating point has to be done in software that the compiler doesn't bring. */
  readonly softFloat: boolean;
  /** Whether the processor reads and writes 64 bits at once. */
  readonly atomic64: boolean;
  /**
   * Whether some of these processors multiply short numbers faster than long ones, as MIPS's 4K and
   * XScale do: the time would tell of a secret.
   */
  readonly unevenMultiply: boolean;
  /** The program that runs the binary on another system, in Debian's package qemu-user-static. */
  readonly qemu: string;
}

/**
 * MIPS routers (ath79's 24Kc, ramips' 1004Kc) have no floating point unit: what Debian's compiler
 * makes by itself would end there with SIGILL.
 */
const MIPS_FLAGS = ["-march=mips32r2", "-mtune=24kc", "-msoft-float"];

/** All of them. */
export const ROUTER_TARGETS: readonly RouterTarget[] = [
  {
    name: "x86_64",
    triplet: "x86_64-linux-gnu",
    flags: [],
    engine: "-O2",
    pie: true,
    softFloat: false,
    atomic64: true,
    unevenMultiply: false,
    qemu: "qemu-x86_64-static",
  },
  {
    name: "aarch64",
    triplet: "aarch64-linux-gnu",
    flags: [],
    engine: "-O2",
    pie: true,
    softFloat: false,
    atomic64: true,
    unevenMultiply: false,
    qemu: "qemu-aarch64-static",
  },
  {
    name: "armhf",
    triplet: "arm-linux-gnueabihf",
    flags: [],
    engine: "-Os",
    pie: false,
    softFloat: false,
    atomic64: true,
    unevenMultiply: false,
    qemu: "qemu-arm-static",
  },
  {
    name: "armel",
    triplet: "arm-linux-gnueabi",
    flags: [],
    engine: "-Os",
    pie: false,
    softFloat: false,
    atomic64: false,
    unevenMultiply: true,
    qemu: "qemu-arm-static",
  },
  {
    name: "mipsel",
    triplet: "mipsel-linux-gnu",
    flags: MIPS_FLAGS,
    engine: "-Os",
    pie: false,
    softFloat: true,
    atomic64: false,
    unevenMultiply: true,
    qemu: "qemu-mipsel-static",
  },
  {
    name: "mips",
    triplet: "mips-linux-gnu",
    flags: MIPS_FLAGS,
    engine: "-Os",
    pie: false,
    softFloat: true,
    atomic64: false,
    unevenMultiply: true,
    qemu: "qemu-mips-static",
  },
];

/** The target of this machine's processor, if there is one. */
export function ownRouterTarget(): RouterTarget | undefined {
  return ROUTER_TARGETS.find(({ name }) => name === Deno.build.arch);
}

/** Debian's package of a target's compiler. */
export function compilerPackage({ triplet }: RouterTarget): string {
  return `gcc-${triplet.replaceAll("_", "-")}`;
}
