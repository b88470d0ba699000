/**
 * A store that registries share, slow and readable: what its script makes of what is written, as
 * test/vectors/shared.json has it.
 *
 * @module
 */

import { hex } from "./bytes.ts";

const KINDS = [1, 2, 4];
/** Label, HEARD, FLAGS, SIZE, MAC. */
const EMPTY_REGISTER = 12 + 8 + 1 + 1 + 16;

/** Registers by kind. */
type Registers = Map<number, Uint8Array>;

/** What became of a record. */
export interface TwinMerge {
  /** What is stored then; no bytes for nothing. */
  readonly record: Uint8Array;
  /** Those registers of it that have changed; no bytes for none. */
  readonly changed: Uint8Array;
}

/** Takes a record apart; undefined where it is none. */
export function twinRegisters(record: Uint8Array): Registers | undefined {
  const [format, kinds = 0] = record;
  if (format !== 1 || kinds < 1 || kinds > 7) return undefined;
  const registers: Registers = new Map();
  let rest = record.subarray(2);
  for (const kind of KINDS.filter((each) => (kinds & each) !== 0)) {
    const size = rest[21];
    if (size === undefined || rest.length < EMPTY_REGISTER + size) return undefined;
    registers.set(kind, rest.slice(0, EMPTY_REGISTER + size));
    rest = rest.subarray(EMPTY_REGISTER + size);
  }
  return rest.length === 0 ? registers : undefined;
}

/** Whether the registers' peer has proved its key. */
export function twinIsProved(registers: Registers): boolean {
  return [...registers.values()].some(isProved);
}

function isProved(register: Uint8Array): boolean {
  return (register[20]! & 1) !== 0;
}

/** What a store makes of what it has and what comes. */
export function twinMerge(stored: Uint8Array, incoming: Uint8Array): TwinMerge {
  const there = twinRegisters(stored) ?? new Map();
  const coming = twinRegisters(incoming) ?? new Map();
  const areProved = twinIsProved(there) || twinIsProved(coming);
  const result: Registers = new Map();
  const changed: Registers = new Map();
  for (const kind of KINDS) {
    const [old, fresh] = [there, coming].map((registers) => {
      const register = registers.get(kind);
      return register !== undefined && isProved(register) === areProved ? register : undefined;
    });
    const isTaken = fresh !== undefined && (old === undefined || beats(fresh, old));
    const winner = isTaken ? fresh : old;
    if (isTaken) changed.set(kind, fresh);
    if (winner !== undefined) result.set(kind, winner);
  }
  const none = new Uint8Array();
  if (changed.size === 0) return { record: stored, changed: none };
  return { record: joined(result), changed: joined(changed) };
}

function joined(registers: Registers): Uint8Array {
  const kinds = [...registers.keys()].reduce((all, kind) => all + kind, 0);
  return Uint8Array.from([1, kinds, ...[...registers.values()].flatMap((each) => [...each])]);
}

/** Whether a register takes the place of another one: of the same label, what was heard earlier is right. */
function beats(fresh: Uint8Array, old: Uint8Array): boolean {
  if (labelOf(fresh) !== labelOf(old)) return labelOf(fresh) > labelOf(old);
  const [content, oldContent] = [fresh, old].map((each) => hex(each.subarray(20, -16)));
  return content !== oldContent && heardOf(fresh) < heardOf(old);
}

/** As many digits each: they are in the order of their numbers. */
function labelOf(register: Uint8Array): string {
  return hex(register.subarray(0, 12));
}

/** When a register was heard, by the store's clock. */
function heardOf(register: Uint8Array): number {
  return new DataView(register.buffer, register.byteOffset).getFloat64(12);
}

/** What was written at a time: what its stream says. */
export interface TwinChange {
  readonly group: number;
  readonly id: Uint8Array;
  readonly record: Uint8Array;
}

/** A store. */
export class TwinStore {
  /** Records by `GROUP ID`. */
  readonly peers = new Map<string, { group: number; id: Uint8Array; record: Uint8Array }>();
  /** All that has changed, in order. */
  readonly stream: TwinChange[] = [];

  /** Writes what a registry says of a peer. */
  write(group: number, id: Uint8Array, record: Uint8Array): void {
    const name = `${group} ${hex(id)}`;
    const merged = twinMerge(this.peers.get(name)?.record ?? new Uint8Array(), record);
    if (merged.changed.length === 0) return;
    this.peers.set(name, { group, id, record: merged.record });
    this.stream.push({ group, id, record: merged.changed });
  }

  /** Forgets a peer, if nobody has heard it since. */
  forget(group: number, id: Uint8Array, notHeardSince: number): void {
    const name = `${group} ${hex(id)}`;
    const registers = twinRegisters(this.peers.get(name)?.record ?? new Uint8Array());
    if (registers === undefined) return;
    for (const register of registers.values()) if (heardOf(register) >= notHeardSince) return;
    this.peers.delete(name);
  }
}
