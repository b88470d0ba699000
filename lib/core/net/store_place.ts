/**
 * Where a store is that registries share: `redis://HOST[:PORT][/DB]`, and what else begins so.
 *
 * @module
 */

import { formatHostPort, type HostPort, parseHostPort } from "./host_port.ts";

/** Where a store is. */
export interface StorePlace {
  /** One server; servers that say which one it is just now; or several that have a part each. */
  readonly kind: "single" | "sentinel" | "cluster";
  readonly isEncrypted: boolean;
  /** Whom to ask. */
  readonly nodes: readonly HostPort[];
  /** What its sentinels call the server; empty where there are none. */
  readonly master: string;
  readonly database: number;
}

const PORT = 6379;
const SENTINEL_PORT = 26_379;
const MAX_DATABASE = 0xffff;
const MAX_NODES = 16;
const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/([^/?#]*)((?:\/[^/?#]*)*)$/;
const MASTER = /^[\w.-]{1,128}$/;

/**
 * Whether the text may have a user or a password in it, where everyone sees them. Nothing else has an `@`
 * or a `?`; a password may have a slash, and what stands before it may be mistyped.
 */
export function hasStoreSecret(text: string): boolean {
  return /[@?#]/.test(text);
}

/** Reads it; undefined where it is none. */
export function parseStorePlace(text: string): StorePlace | undefined {
  const match = FORM.exec(text);
  if (match === null || hasStoreSecret(text)) return undefined;
  const [, scheme, kind = "single", hosts = "", path = ""] = match;
  const isSentinel = kind === "sentinel";
  const port = isSentinel ? SENTINEL_PORT : PORT;
  const nodes = hosts.split(",").map((host) => parseHostPort(host, port));
  const known = nodes.filter((node) => node !== undefined && node.port > 0);
  const most = kind === "single" ? 1 : MAX_NODES;
  if (known.length < nodes.length || nodes.length > most) return undefined;
  const rest = path.split("/").slice(1).filter((part, i, all) => part !== "" || i < all.length - 1);
  const master = isSentinel ? rest.shift() ?? "" : "";
  if (isSentinel && !MASTER.test(master)) return undefined;
  const [number = "0", ...others] = rest;
  const database = /^\d{1,5}$/.test(number) ? Number(number) : Infinity;
  if (others.length > 0 || database > (kind === "cluster" ? 0 : MAX_DATABASE)) return undefined;
  return {
    kind: kind === "sentinel" || kind === "cluster" ? kind : "single",
    isEncrypted: scheme === "rediss",
    nodes: known.filter((node) => node !== undefined),
    master,
    database,
  };
}

/** The text of it. There is nothing secret in it. */
export function formatStorePlace(place: StorePlace): string {
  const { kind, isEncrypted, nodes, master, database } = place;
  const scheme = `${isEncrypted ? "rediss" : "redis"}${kind === "single" ? "" : `+${kind}`}`;
  const path = `${master === "" ? "" : `/${master}`}${database === 0 ? "" : `/${database}`}`;
  return `${scheme}://${nodes.map(formatHostPort).join(",")}${path}`;
}
