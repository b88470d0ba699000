/**
 * What there is to tell: lines of the log, changes for the hook, the interface for the lease client.
 *
 * @module
 */

import type { Device } from "../net/device.ts";
import type { LogFields, LogLevel } from "../net/log_line.ts";

/** Something to tell. */
export type SyncNote =
  /** Something happened. */
  | {
    readonly kind: "event";
    readonly level: LogLevel;
    readonly event: string;
    readonly fields: LogFields;
  }
  /** The same, unless it was what was told last under this topic. */
  | {
    readonly kind: "once";
    readonly topic: string;
    /** What tells whether it is the same; undefined for all of the fields. */
    readonly sameAs: string | undefined;
    readonly level: LogLevel;
    readonly event: string;
    readonly fields: LogFields;
  }
  /** What was told under this topic is over: it is told again when it comes again. */
  | { readonly kind: "forget"; readonly topic: string }
  /** Something was changed, or has changed: for the hook as well. */
  | { readonly kind: "change"; readonly event: string; readonly fields: LogFields }
  /** What a server did, which is told where it did another thing before. */
  | { readonly kind: "server"; readonly server: string; readonly status: string }
  /** The clock of this host has become wrong, or right. */
  | { readonly kind: "clock"; readonly isWrong: boolean }
  /**
   * From which port ways to peers are probed, and with which mark; undefined where from none. For who
   * does that.
   */
  | {
    readonly kind: "path-port";
    readonly port: { readonly port: number; readonly mark: number } | undefined;
  }
  /** What the interface is now, for whoever leases addresses for it. */
  | { readonly kind: "device"; readonly device: Device | undefined };

/** Collects notes until they are taken. */
export class SyncNotes {
  #notes: SyncNote[] = [];

  /** What there is to tell since this was last called, in order. */
  take(): readonly SyncNote[] {
    const notes = this.#notes;
    if (notes.length > 0) this.#notes = [];
    return notes;
  }

  /** Adds any note. */
  add(note: SyncNote): void {
    this.#notes.push(note);
  }

  /** Something happened. */
  event(level: LogLevel, event: string, fields: LogFields): void {
    this.add({ kind: "event", level, event, fields });
  }

  /** The same, once until it changes. @param sameAs What tells whether it has; else the fields. */
  once(
    level: LogLevel,
    event: string,
    fields: LogFields,
    topic: string = event,
    sameAs?: string,
  ): void {
    this.add({ kind: "once", topic, sameAs, level, event, fields });
  }

  /** What was told once is over. */
  forget(topic: string): void {
    this.add({ kind: "forget", topic });
  }

  /** Something was changed, or has changed. */
  change(event: string, fields: LogFields): void {
    this.add({ kind: "change", event, fields });
  }
}
