/**
 * The version, from the one place where it stands.
 *
 * @module
 */

import manifest from "../deno.json" with { type: "json" };

/** The version of this program. */
export const VERSION: string = manifest.version;
