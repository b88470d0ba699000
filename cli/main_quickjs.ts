/**
 * The program on QuickJS: what the engine lacks comes first, before any other part is loaded.
 *
 * @module
 */

import "../lib/host/quickjs/globals.ts";

await import("./start_quickjs.ts");
