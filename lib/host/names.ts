/**
 * Names and addresses.
 *
 * @module
 */

import { errorCode, explain } from "./error.ts";

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
   * The IP addresses of a name, IPv4 first (`ENOTFOUND`; `ETIMEDOUT`, with what stood in the way as
   * their message: see {@linkcode explainLookUp}). What comes after that is kept
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

/** Why a name was not found, in words. */
export function explainLookUp(error: unknown): string {
  const code = errorCode(error);
  const isSaid = error instanceof Error && error.message !== code && error.message !== "";
  if (!isSaid || (code !== "ENOTFOUND" && code !== "ETIMEDOUT")) return explain(error);
  return code === "ETIMEDOUT" ? `${explain(error)}: ${error.message}` : error.message;
}
