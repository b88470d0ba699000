/**
 * Names and addresses.
 *
 * @module
 */

/** How a name is looked up. */
export interface LookUpOptions {
  /** Seconds that an answer is waited for; as the system's settings have it where left out. */
  readonly timeout?: number;
  /**
   * The mark (SO_MARK) of a tunnel's own datagrams: name servers that can't be reached without it
   * are asked with it, where the host can; 0 is none.
   */
  readonly mark?: number;
}

/** Looks names up. */
export interface Names {
  /**
   * The IP addresses of a name, IPv4 first (`ENOTFOUND`; `ETIMEDOUT`). What comes after that is kept
   * for the next look, and where that learns nothing, what was known before holds.
   */
  resolve(name: string, options?: LookUpOptions): Promise<string[]>;
}

/** The system's own resolver. */
export interface SystemResolver {
  /** The addresses of a name (`ENOTFOUND`). */
  lookUp(name: string): Promise<string[]>;
  /** Whether it alone knows how names are looked up here. */
  readonly isOnly: boolean;
}

/** Knows which addresses this host has. */
export interface LocalAddresses {
  /** The IP addresses of this host. */
  localAddresses(): string[];
}
