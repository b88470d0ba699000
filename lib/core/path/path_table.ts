/**
 * The ways to a peer that there may be: those of which registries tell, and those by which a probe of
 * the peer came.
 *
 * @module
 */

import type { HostPort } from "../net/host_port.ts";
import {
  kindOfPlace,
  kindOfStranger,
  newPath,
  type Path,
  pathId,
  type PathKind,
  type Place,
  rankOf,
} from "./path.ts";

/** Ways of which registries tell that are kept. */
const MOST_TOLD = 16;
/** Others. */
const MOST_MET = 8;

/** Knows the ways to one peer. */
export class PathTable {
  readonly #paths = new Map<string, Path>();

  /** All ways, the best kind first. */
  all(): readonly Path[] {
    return [...this.#paths.values()].toSorted((a, b) => rankOf(a.kind) - rankOf(b.kind));
  }

  /** The way that begins and ends there, if it is known. */
  find(endpoint: HostPort, from?: number): Path | undefined {
    return this.#paths.get(pathId(endpoint, from));
  }

  /**
   * Takes in all that registries tell now.
   *
   * @returns Whether there is a new way among them, or one that was told before isn't any more.
   */
  tell(places: readonly Place[]): boolean {
    const told = new Map<string, Place>();
    for (const place of places) {
      const id = pathId(place.endpoint, undefined);
      const known = told.get(id);
      if (known !== undefined && rankOf(kindOfPlace(known)) <= rankOf(kindOfPlace(place))) continue;
      if (known === undefined && told.size >= MOST_TOLD) continue;
      told.set(id, place);
    }
    let hasChanged = false;
    for (const path of this.#paths.values()) {
      if (!path.isTold || told.has(pathId(path.endpoint, path.from))) continue;
      path.isTold = false;
      hasChanged = true;
    }
    for (const [id, place] of told) {
      const before = this.#paths.get(id);
      if (before?.isTold !== true) hasChanged = true;
      const kind = kindOfPlace(place);
      const path = before?.kind === kind
        ? before
        : { ...newPath(place.endpoint, kind), ...before, kind };
      path.isTold = true;
      this.#paths.set(id, path);
    }
    this.#limit();
    return hasChanged;
  }

  /** The way by which something came; it is noted where it wasn't known. */
  meet(endpoint: HostPort, from?: number, kind: PathKind = kindOfStranger(endpoint)): Path {
    const id = pathId(endpoint, from);
    const known = this.#paths.get(id);
    if (known !== undefined) return known;
    const path = newPath(endpoint, kind, from);
    this.#paths.set(id, path);
    this.#limit();
    return path;
  }

  /** A way that was probed without being known was answered. */
  adopt(path: Path): void {
    const id = pathId(path.endpoint, path.from);
    if (this.#paths.has(id)) return;
    this.#paths.set(id, path);
    this.#limit();
  }

  /** Of what nobody tells, as much goes as there is too much: what was proved longest ago first. */
  #limit(): void {
    const met = [...this.#paths].filter(([, { isTold }]) => !isTold);
    if (met.length <= MOST_MET) return;
    met.sort(([, a], [, b]) => a.provedAt - b.provedAt);
    // The newest has proved nothing yet; it is the last of those.
    const unproved = met.filter(([, { provedAt }]) => provedAt === -Infinity);
    const [id] = unproved.length > 1 ? unproved[0]! : met.find(([, p]) => p.provedAt > -Infinity)!;
    this.#paths.delete(id);
    this.#limit();
  }
}
