/**
 * The program on Deno.
 *
 * @module
 */

import { denoHost } from "../lib/host/deno/deno.ts";
import { main } from "./main.ts";

Deno.exit(await main(denoHost()));
