/**
 * The networks in which what a roster gives to peers must lie, unless somebody says otherwise.
 *
 * @module
 */

/** Private networks (RFC 1918, RFC 6598, RFC 4193): others are not let in unless somebody says so. */
export const PRIVATE_NETWORKS: readonly string[] = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "fc00::/7",
];
