/**
 * Which connections of lease clients there are, and which has to go where there are too many.
 *
 * @module
 */

import { LEASE_PORT } from "../../../wire/lease/message.ts";
import type { HostPort } from "../../net/host_port.ts";

/**
 * More at once: the one that was silent for longest is closed, whose client comes back when it
 * renews; where none is silent, the new one has to come back.
 */
export const MAX_LEASE_CONNECTIONS = 512;

/** What becomes of a new connection. */
export interface Admission<T> {
  readonly isAdmitted: boolean;
  /** Others, which are to be aborted for it. */
  readonly leaving: readonly T[];
}

/** All connections, by the other end's address. */
export class ConnectionTable<T> {
  readonly #open = new Map<string, T>();
  /** Those of them that were answered, and ask nothing now; who fell silent last is last. */
  readonly #silent = new Map<string, T>();

  /** How many there are. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Takes a new connection in, if there is room for it.
   *
   * @param remote The other end: clients have a port that is theirs alone.
   */
  admit({ host: address, port }: HostPort, connection: T): Admission<T> {
    if (port !== LEASE_PORT) return { isAdmitted: false, leaving: [] };
    // The same address can only come back when its old connection is gone.
    const leaving = this.#take(address);
    if (this.#isFull) {
      const [longest] = this.#silent.keys();
      if (longest !== undefined) leaving.push(...this.#take(longest));
    }
    if (this.#isFull) return { isAdmitted: false, leaving };
    this.#open.set(address, connection);
    return { isAdmitted: true, leaving };
  }

  /** Says that a connection asks for something. */
  asks(address: string, connection: T): void {
    if (this.#silent.get(address) === connection) this.#silent.delete(address);
  }

  /** Says that a connection was answered. */
  answered(address: string, connection: T): void {
    if (this.#open.get(address) === connection) this.#silent.set(address, connection);
  }

  /** Says that a connection is over. */
  leave(address: string, connection: T): void {
    if (this.#open.get(address) === connection) this.#take(address);
  }

  get #isFull(): boolean {
    // One of the host's is the new one.
    return this.#open.size >= MAX_LEASE_CONNECTIONS - 1;
  }

  #take(address: string): T[] {
    const connection = this.#open.get(address);
    this.#open.delete(address);
    this.#silent.delete(address);
    return connection === undefined ? [] : [connection];
  }
}
