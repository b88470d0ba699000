/**
 * How a server is doing, in a line.
 *
 * @module
 */

/** What there is to say. */
export interface ServeFigures {
  readonly groups: number;
  readonly zones: number;
  readonly peers: number;
  /** Requests of peers, and questions for names, that were answered. */
  readonly answered: number;
}

/** The line. */
export function serveStatus({ groups, zones, peers, answered }: ServeFigures): string {
  const places = [
    ...groups > 0 ? [counted(groups, "group")] : [],
    ...zones > 0 ? [counted(zones, "zone")] : [],
  ];
  const where = places.length > 0 ? ` in ${places.join(" and ")}` : "";
  return `${counted(peers, "peer")}${where}, ${answered} answered`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
