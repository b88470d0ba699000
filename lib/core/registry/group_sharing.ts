/**
 * What a registry tells of its groups to who shares their peers with other registries.
 *
 * @module
 */

import type { RegistryGroup } from "./group.ts";

/** Told of the groups of a registry. */
export interface GroupSharing {
  /** A group is there, or in the place of another one with the same number. */
  added(group: RegistryGroup): void;
  /** A group is there no more. */
  removed(group: RegistryGroup): void;
}
