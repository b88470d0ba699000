/**
 * In the place of lib/wire/crypto/portable.ts, so that the tests of codecs use the primitives in C.
 *
 * @module
 */

import { QUICKJS_PRIMITIVES } from "../../../lib/host/quickjs/crypto.ts";
import type { Primitives } from "../../../lib/wire/crypto/primitives.ts";

/** All of them, in C. */
export const PORTABLE: Primitives = QUICKJS_PRIMITIVES;
