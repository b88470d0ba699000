/**
 * Reads the headers of an ELF file: what the system would do with it.
 *
 * @module
 */

/** What the tests and the build want to know of a binary. */
export interface ElfFacts {
  /** 1 for 32-bit files, 2 for 64-bit ones. */
  readonly wordClass: number;
  readonly bigEndian: boolean;
  /** The processor (e_machine): 62 is x86_64, 183 aarch64, 40 ARM, 8 MIPS. */
  readonly machine: number;
  /** Whether it can be loaded at any address (ET_DYN). */
  readonly movable: boolean;
  /** Whether a loader has to run it (PT_INTERP): a static binary has none. */
  readonly needsLoader: boolean;
  /** Whether its stack may hold code (PT_GNU_STACK is missing, or executable). */
  readonly executableStack: boolean;
  /** Whether a segment can be both written and run. */
  readonly writableCode: boolean;
}

const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_GNU_STACK = 0x6474_e551;
const ET_DYN = 3;

/**
 * Reads the headers.
 *
 * @throws {TypeError} It is no ELF file.
 * @throws {RangeError} It is cut off.
 */
export function elfFacts(bytes: Uint8Array<ArrayBuffer>): ElfFacts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== 0x7f45_4c46) throw new TypeError("no ELF file");
  const wordClass = view.getUint8(4);
  const wide = wordClass === 2;
  const little = view.getUint8(5) === 1;
  const start = wide ? Number(view.getBigUint64(32, little)) : view.getUint32(28, little);
  const size = view.getUint16(wide ? 54 : 42, little);
  const count = view.getUint16(wide ? 56 : 44, little);
  let [needsLoader, executableStack, writableCode] = [false, true, false];
  for (let i = 0; i < count; i++) {
    const at = start + i * size;
    const type = view.getUint32(at, little);
    const flags = view.getUint32(at + (wide ? 4 : 24), little);
    if (type === PT_INTERP) needsLoader = true;
    if (type === PT_GNU_STACK) executableStack = (flags & 1) !== 0;
    if (type === PT_LOAD && (flags & 3) === 3) writableCode = true;
  }
  return {
    wordClass,
    bigEndian: !little,
    machine: view.getUint16(18, little),
    movable: view.getUint16(16, little) === ET_DYN,
    needsLoader,
    executableStack,
    writableCode,
  };
}
