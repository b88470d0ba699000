/**
 * The sections of the settings file.
 *
 * @module
 */

import { CLIENT, PEER } from "./client_options.ts";
import { namedTables, oneTable, type Rows, tableList } from "./option.ts";
import { SERVE } from "./serve_options.ts";

/** All that a settings file can say. */
export const SETTINGS = {
  serve: oneTable(SERVE),
  sync: namedTables(CLIENT, "wg0"),
  peer: tableList(PEER),
} satisfies Rows;
