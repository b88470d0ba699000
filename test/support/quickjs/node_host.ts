/**
 * In the place of lib/host/node.ts, so that its tests hold for this host.
 *
 * @module
 */

export { quickjsHost as nodeHost } from "../../../lib/host/quickjs.ts";
