/**
 * Starts the program on QuickJS.
 *
 * @module
 */

import { exit, quickjsHost } from "../lib/host/quickjs/quickjs.ts";
import { main } from "./main.ts";

exit(await main(quickjsHost()));
