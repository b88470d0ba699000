/**
 * The program on Bun.
 *
 * @module
 */

import process from "node:process";
import { bunHost } from "../lib/host/bun/bun.ts";
import { main } from "./main.ts";

process.exit(await main(bunHost()));
