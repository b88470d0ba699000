/**
 * The program on Deno.
 *
 * @module
 */

import { denoHost } from "../lib/host/deno.ts";
import { main } from "./main.ts";
import { work } from "./work.ts";

const host = denoHost({ program: import.meta.url });
if (host.parent === undefined) Deno.exit(await main(host));
else work(host, host.parent);
