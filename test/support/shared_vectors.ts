/**
 * Reads the vectors of what registries write to a store that they share.
 *
 * @module
 */

import json from "../vectors/shared.json" with { type: "json" };
import { unhex } from "./bytes.ts";

/** A register as a registry writes it. */
export interface SharedRegister {
  readonly group: number;
  readonly peer: Uint8Array;
  readonly kind: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly heard: number;
  readonly flags: number;
  readonly content: Uint8Array;
  readonly register: Uint8Array;
}

/** What a store makes of what it has and what comes; nothing has no bytes. */
export interface SharedMerge {
  readonly name: string;
  readonly stored: Uint8Array;
  readonly incoming: Uint8Array;
  /** What it has then. */
  readonly record: Uint8Array;
  /** Those registers of it that have changed. */
  readonly changed: Uint8Array;
}

/** The registries' key pair. */
export const sharedServer = {
  privateKey: unhex(json.server.private),
  publicKey: unhex(json.server.public),
} as const;

/** Registers with their MACs. */
export const sharedRegisters: readonly SharedRegister[] = json.registers.map((each) => ({
  ...each,
  peer: unhex(each.peer),
  content: unhex(each.content),
  register: unhex(each.register),
}));

/** What becomes of records in a store. */
export const sharedMerges: readonly SharedMerge[] = json.merges.map((each) => ({
  name: each.name,
  stored: unhex(each.stored),
  incoming: unhex(each.incoming),
  record: unhex(each.record),
  changed: unhex(each.changed),
}));
