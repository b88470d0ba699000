/**
 * In the place of test/support/common_host.ts, so that the common tests hold for this host.
 *
 * @module
 */

import type { Host } from "../../../lib/host/host.ts";
import { quickjsHost } from "../../../lib/host/quickjs/quickjs.ts";

/** The host here. */
export const commonHost: Host = quickjsHost();
