/**
 * The event loop: timers, files that are ready, signals; and between any two of them the jobs of
 * promises. It ends when there is nothing more to wait for.
 *
 * @module
 */

import { LONGEST_TIMER_MS } from "../clock.ts";
import type { Signal } from "../signals.ts";
import { checked, native, READABLE, WRITABLE } from "./native.ts";

/** Signals by their places in loop.c. */
const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCHLD"] as const;
type LoopSignal = Signal | "SIGCHLD";

/** What is called when a file is ready to be read, written, or both. */
export interface Watcher {
  readonly onReadable?: () => void;
  readonly onWritable?: () => void;
}

/**
 * Milliseconds between two collections of garbage. The engine's own begin only when much of it is
 * there, and a small router has little memory; one takes 1 ms on a PC.
 */
const COLLECT_MS = 250;

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** By when they are due, those of one time in the order in which they came. */
const timers: Timer[] = [];
const watchers = new Map<number, Watcher>();
const handlers = new Map<LoopSignal, Set<() => void>>();
/** Not at the start, when there is little garbage. */
let collectedAt = native.mono();
/** Of the watched files: that for signals, which is nothing to wait for. */
let signalFd = -1;

/** Calls `run` once after `ms` milliseconds; the returned function prevents it. */
export function setTimer(ms: number, run: () => void): () => void {
  const timer = { at: native.mono() + Math.min(Math.max(ms, 0), LONGEST_TIMER_MS), run };
  let low = 0;
  let high = timers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timers[middle]!.at <= timer.at) low = middle + 1;
    else high = middle;
  }
  timers.splice(low, 0, timer);
  return () => {
    const at = timers.indexOf(timer);
    if (at >= 0) timers.splice(at, 1);
  };
}

/**
 * Watches a file, in the place of what was watched for there before. Throws an error with a POSIX
 * `code`: `EPERM` for a file that is always ready.
 */
export function watch(fd: number, watcher: Watcher): void {
  const before = watchers.get(fd);
  if (before === watcher) return;
  const events = eventsOf(watcher);
  if (events === 0) return unwatch(fd);
  // Only changes cost a system call.
  if (before === undefined || eventsOf(before) !== events) checked(native.watch(fd, events));
  watchers.set(fd, watcher);
}

function eventsOf({ onReadable, onWritable }: Watcher): number {
  return (onReadable === undefined ? 0 : READABLE) | (onWritable === undefined ? 0 : WRITABLE);
}

/** Watches a file no more: to be called before it is closed. */
export function unwatch(fd: number): void {
  if (watchers.delete(fd)) native.watch(fd, 0);
}

/** Calls `run` whenever the signal comes; the returned function ends that. */
export function onSignal(signal: LoopSignal, run: () => void): () => void {
  const runs = handlers.get(signal) ?? new Set();
  // A function that is given twice is two.
  const own = () => run();
  runs.add(own);
  handlers.set(signal, runs);
  takeSignals();
  return () => {
    runs.delete(own);
    if (runs.size === 0) handlers.delete(signal);
    takeSignals();
  };
}

function takeSignals(): void {
  let wanted = 0;
  SIGNALS.forEach((signal, i) => wanted |= handlers.has(signal) ? 1 << i : 0);
  const fd = checked(native.signals(wanted));
  if (fd === signalFd) return;
  signalFd = fd;
  watch(fd, { onReadable: callSignals });
}

function callSignals(): void {
  const came = native.readSignals();
  SIGNALS.forEach((signal, i) => {
    if ((came & (1 << i)) === 0) return;
    for (const run of [...handlers.get(signal) ?? []]) run();
  });
}

/** Whether a signal must still come: a program that ends, say. */
function isExpected(): boolean {
  return handlers.has("SIGCHLD");
}

/** Calls what is due now. What it adds has to wait, so that others have their turn. */
function runTimers(): void {
  const now = native.mono();
  for (let left = timers.length; left > 0 && timers.length > 0 && timers[0]!.at <= now; left--) {
    timers.shift()!.run();
    native.runJobs();
  }
}

/** Collects garbage if that was long ago: at a time when there is nothing else to do. */
function collectGarbage(): void {
  const now = native.mono();
  if (now - collectedAt < COLLECT_MS) return;
  collectedAt = now;
  native.collect();
}

/** How long there is nothing to do, in whole milliseconds, not too short; -1 is for ever. */
function idleMs(): number {
  const next = timers[0];
  return next === undefined ? -1 : Math.max(0, Math.ceil(next.at - native.mono()));
}

function run(): void {
  for (;;) {
    runTimers();
    const files = watchers.size - (signalFd < 0 ? 0 : 1);
    if (files === 0 && timers.length === 0 && !isExpected()) return;
    const ms = idleMs();
    if (ms !== 0) collectGarbage();
    const ready = native.wait(ms);
    if (ready < 0) continue;
    const fd = ready >>> 2;
    if ((ready & WRITABLE) !== 0) call(watchers.get(fd)?.onWritable);
    // Perhaps it was closed meanwhile.
    if ((ready & READABLE) !== 0) call(watchers.get(fd)?.onReadable);
  }
}

function call(handler: (() => void) | undefined): void {
  if (handler === undefined) return;
  handler();
  native.runJobs();
}

native.setLoop(run);
