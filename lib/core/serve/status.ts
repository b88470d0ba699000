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
  /** What is wrong with the store that it shares peers in, if anything is. */
  readonly trouble?: string | undefined;
}

/** The line. */
export function serveStatus(figures: ServeFigures): string {
  const { groups, zones, peers, answered, trouble } = figures;
  const places = [
    ...groups > 0 ? [counted(groups, "group")] : [],
    ...zones > 0 ? [counted(zones, "zone")] : [],
  ];
  const where = places.length > 0 ? ` in ${places.join(" and ")}` : "";
  const wrong = trouble === undefined ? "" : `; ${trouble}`;
  return `${counted(peers, "peer")}${where}, ${answered} answered${wrong}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
