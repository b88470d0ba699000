/**
 * Stands for the package of QR codes, which would take more of a router's flash than it is worth there.
 *
 * @module
 */

import { codedError } from "../error.ts";

/** Makes none: `ENOSYS`. */
export default function encodeQR(): never {
  throw codedError("ENOSYS");
}
