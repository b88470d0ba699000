/**
 * The two connections to a store: one that asks and writes, and one that waits for changes.
 *
 * @module
 */

import {
  codeFault,
  linkFault,
  replyFault,
  type StoreFault,
} from "../../core/shared/store_fault.ts";
import type { StorePlace } from "../../core/net/store_place.ts";
import { UserError } from "../../core/settings/user_error.ts";
import { errorCode, explainCode } from "../../host/error.ts";
import type { Files, Input } from "../../host/files.ts";
import type { System } from "../../host/host.ts";
import { type SharedStores, type StoreConnection, StoreRefusal } from "../../host/shared_stores.ts";
import { readStoreFiles } from "../files/store_files.ts";
import type { SharedStoreConfig } from "./config.ts";

/** What of a host it takes. */
export type StoreHost = System & Files & Input & SharedStores;

/** A connection takes so many seconds at most. */
const CONNECT_TIMEOUT = 5;

/** Two connections. */
export interface StoreLink {
  readonly writer: StoreConnection;
  readonly reader: StoreConnection;
}

/**
 * Opens both. The files of the password and of certificates are read each time: they may be changed.
 *
 * @param onEnd Called where one of them ends by itself.
 * @param stop Has it given up when it is done.
 * @throws What {@linkcode storeFault} has words for.
 */
export async function openLink(
  host: StoreHost,
  config: SharedStoreConfig,
  onEnd: (fault: StoreFault) => void,
  stop: Promise<void>,
): Promise<StoreLink> {
  const { openStore } = host;
  if (openStore === undefined) throw new Error("this program can't reach stores");
  const { place, user } = config;
  const { password, authority } = await readStoreFiles(host, config);
  const open = () =>
    openStore({
      place,
      user,
      password,
      authority,
      timeout: CONNECT_TIMEOUT,
      stop,
      onEnd: (why) => onEnd(codeFault(why, explainCode(why))),
    });
  const writer = await open();
  try {
    return { writer, reader: await open() };
  } catch (error) {
    writer.close();
    throw error;
  }
}

/** Ends both. */
export function closeLink(link: StoreLink | undefined): void {
  link?.writer.close();
  link?.reader.close();
}

/**
 * What went wrong, of anything that was thrown.
 *
 * @param opened Where nothing was answered yet.
 */
export function storeFault(error: unknown, opened?: StorePlace): StoreFault {
  if (error instanceof StoreRefusal) return replyFault(error.message);
  if (error instanceof UserError) return linkFault(error.message);
  const code = errorCode(error);
  const how = opened?.isEncrypted === true ? "tls" : "plain";
  return codeFault(code, explainCode(code), opened && how);
}
