/**
 * Names and addresses.
 *
 * @module
 */

/** Looks names up. */
export interface Names {
  /** The IP addresses of a name, as the system's resolver gives them (`ENOTFOUND`). */
  resolve(name: string): Promise<string[]>;
}

/** Knows which addresses this host has. */
export interface LocalAddresses {
  /** The IP addresses of this host. */
  localAddresses(): string[];
}
