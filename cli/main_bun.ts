/**
 * The program on Bun.
 *
 * @module
 */

import process from "node:process";
import { bunHost } from "../lib/host/bun.ts";
import { main } from "./main.ts";
import { work } from "./work.ts";

const host = bunHost({ program: import.meta.url });
if (host.parent === undefined) process.exit(await main(host));
else work(host, host.parent);
