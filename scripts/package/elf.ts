/**
 * What the head of a program's file says: for which processor it is, and whether it needs a loader.
 * Source: elf(5).
 *
 * @module
 */

/** A program's file. */
export interface Program {
  /** As Debian calls it: `amd64`, `arm64`, `armhf`, `armel`, `mipsel`, `mips`. */
  readonly architecture: string;
  /** The loader that it names, or undefined where it is linked statically. */
  readonly loader: string | undefined;
}

const EI_CLASS = 4;
const EI_DATA = 5;
const PT_INTERP = 3;
const EF_ARM_ABI_FLOAT_HARD = 0x400;
const MACHINES: Readonly<Record<number, string>> = { 62: "amd64", 183: "arm64" };
const MIPS = 8;
const ARM = 40;

/**
 * Reads the head of a program.
 *
 * @throws {TypeError} If it is none, or one for another processor.
 */
export function readProgram(bytes: Uint8Array): Program {
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (bytes.length < 64 || magic !== "\x7fELF") throw new TypeError("Cannot read program: no ELF");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[EI_CLASS] === 2;
  const little = bytes[EI_DATA] === 1;
  const word = (at: number) =>
    wide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  const headers = word(wide ? 32 : 28);
  const size = view.getUint16(wide ? 54 : 42, little);
  const count = view.getUint16(wide ? 56 : 44, little);
  let loader: string | undefined;
  for (let i = 0; i < count; i++) {
    const at = headers + i * size;
    if (at + size > bytes.length) throw new TypeError("Cannot read program: it is cut off");
    if (view.getUint32(at, little) !== PT_INTERP) continue;
    const start = word(at + (wide ? 8 : 4));
    const end = bytes.indexOf(0, start);
    loader = new TextDecoder().decode(bytes.subarray(start, end));
  }
  const machine = view.getUint16(18, little);
  const flags = view.getUint32(wide ? 48 : 36, little);
  return { architecture: architectureOf(machine, flags, little), loader };
}

function architectureOf(machine: number, flags: number, little: boolean): string {
  if (machine === ARM) return (flags & EF_ARM_ABI_FLOAT_HARD) !== 0 ? "armhf" : "armel";
  if (machine === MIPS) return little ? "mipsel" : "mips";
  const name = MACHINES[machine];
  if (name === undefined) throw new TypeError(`Cannot read program: machine ${machine}`);
  return name;
}
