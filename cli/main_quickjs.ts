/**
 * The program on QuickJS.
 *
 * @module
 */

import "../lib/host/quickjs/globals.ts";
import { exit, quickjsHost } from "../lib/host/quickjs/quickjs.ts";
import { main } from "./main.ts";

exit(await main(quickjsHost()));
