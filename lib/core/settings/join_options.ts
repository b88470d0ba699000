/**
 * The flags of `join`, which writes settings and has none.
 *
 * @module
 */

import { DEFAULT_SETTINGS_FILE, file, HELP, SWITCH, time } from "./common_options.ts";
import { type Rows, whole } from "./option.ts";

/** Flags of `join`. */
export const JOIN_FLAGS = {
  up: { flag: "up", ...SWITCH, help: "bring the interface up, by wg-quick where there is one" },
  port: {
    flag: "port",
    reader: whole(1, 0xffff),
    shown: "51820, or one that is free",
    help: "the interface's UDP port",
  },
  config: {
    flag: "config",
    reader: file,
    shown: DEFAULT_SETTINGS_FILE,
    help: "settings file to write; never over another",
  },
  timeout: { flag: "timeout", reader: time, default: "10s", help: "give up after this time" },
  ...HELP,
} satisfies Rows;
