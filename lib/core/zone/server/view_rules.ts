/**
 * Views as they are configured: for which questions each is, what it shows, and what can be wrong with
 * those of a zone.
 *
 * The first view that matches a question answers it. Where none does, the question is refused.
 *
 * @module
 */

import { IpPrefix } from "../../net/ip_prefix.ts";
import { ChosenKeys } from "./chosen_keys.ts";
import { ChosenPeers } from "./chosen_peers.ts";
import type { ZonePeers } from "./peers.ts";
import type { ZoneSelf } from "./self.ts";
import type { ZoneContents, ZoneViewRule } from "./zone.ts";

/** The most views that a zone can have: each is looked at for each question. */
export const MAX_VIEWS = 100;
/** All addresses: IPv4's, IPv6's. */
const EVERYWHERE = ["0.0.0.0/0", "::/0"];

/** A view as it is configured. What is undefined was not said. */
export interface ViewRule {
  /** Names of TSIG keys: it is for questions with one of these. */
  readonly tsig: readonly string[] | undefined;
  /** IP prefixes: it is for questions from there. With `tsig`, both must hold. */
  readonly from: readonly string[] | undefined;
  /** Groups of the zone whose peers it shows. */
  readonly groups: readonly number[] | undefined;
  /** Public keys in base64: it shows these, whichever source of the zone has them. */
  readonly peers: readonly string[] | undefined;
  /**
   * Whether it shows the interface's peers, and the interface itself where the zone does. Undefined:
   * where neither `groups` nor `peers` are given, and it shows all groups.
   */
  readonly interface: boolean | undefined;
}

/** What a zone has. */
export interface ViewedZone {
  /** Whether it has the peers of an interface. */
  readonly hasInterface: boolean;
  readonly groups: readonly number[];
  /** IP prefixes of who may ask; undefined is everyone. */
  readonly allowFrom: readonly string[] | undefined;
}

/** Where a zone's peers come from. The interface's word counts before a group's. */
export interface ZoneSources {
  readonly interface: ZonePeers | undefined;
  /** By group; of several that have a peer, the first counts. */
  readonly groups: ReadonlyMap<number, ZonePeers>;
}

/**
 * What is wrong with the views of a zone, as the end of a sentence that names the zone; undefined if
 * nothing is. Their names of keys are looked at by {@linkcode tsigProblem}.
 */
export function viewProblem(views: readonly ViewRule[], zone: ViewedZone): string | undefined {
  if (views.length === 0) {
    return "view is an empty list, which shows nobody anything; leave it out, or give it a view";
  }
  if (views.length > MAX_VIEWS) {
    return `it has ${views.length} views, and ${MAX_VIEWS} are the most; put some together`;
  }
  for (const [i, view] of views.entries()) {
    const why = ruleProblem(view, zone);
    if (why !== undefined) return `view[${i}]: ${why}`;
  }
  return refusedProblem(views, zone.allowFrom) ?? unreachedProblem(views);
}

/**
 * The same for the names of keys in views.
 *
 * @param known Names of the zone's keys.
 * @param isRequired Whether nobody is answered without one.
 */
export function tsigProblem(
  views: readonly ViewRule[],
  known: readonly string[],
  isRequired: boolean,
): string | undefined {
  for (const [i, { tsig = [] }] of views.entries()) {
    const unknown = tsig.find((name) => !known.includes(name));
    if (unknown === undefined) continue;
    const has = known.length === 0
      ? "it has none; name the key's file in tsig-files"
      : `it has ${[...new Set(known)].join(", ")}`;
    return `view[${i}].tsig: ${unknown} is no key of the zone: ${has}`;
  }
  // Without a key nobody comes so far: a view for everybody is one for all keys.
  const why = isRequired && known.length > 0
    ? unreachedProblem(views.map((view) => ({ ...view, tsig: view.tsig ?? known })))
    : undefined;
  return why && `with require-tsig, ${why}`;
}

/**
 * The views as a zone takes them. Those that show the same share what they show.
 *
 * @param self Makes the interface itself as it is published: where its key is one of these, or always.
 * @param seed Random.
 * @throws {SyntaxError} Where a key is none.
 */
export function zoneViews(
  views: readonly ViewRule[],
  sources: ZoneSources,
  self: (chosen: ChosenKeys | undefined) => ZoneSelf | undefined,
  seed: number,
): ZoneViewRule[] {
  const made = new Map<string, ZoneContents>();
  return views.map((rule) => {
    const { tsig, from } = rule;
    const groups = [...sources.groups.keys()].filter((id) => showsGroup(rule, id));
    const name = JSON.stringify([interfaceOf(rule), groups, [...new Set(rule.peers)]]);
    const shows = made.get(name) ?? contentsOf(rule, sources, self, seed);
    made.set(name, shows);
    return { tsig, from, shows };
  });
}

function contentsOf(
  rule: ViewRule,
  sources: ZoneSources,
  self: (chosen: ChosenKeys | undefined) => ZoneSelf | undefined,
  seed: number,
): ZoneContents {
  const chosen = new ChosenKeys(rule.peers ?? [], seed);
  const shown = (source: ZonePeers, isWhole: boolean): ZonePeers[] =>
    isWhole ? [source] : chosen.count === 0 ? [] : [new ChosenPeers(source, chosen)];
  const showsInterface = interfaceOf(rule);
  const device = sources.interface;
  return {
    peers: [
      ...device === undefined ? [] : shown(device, showsInterface),
      ...[...sources.groups].flatMap(([id, source]) => shown(source, showsGroup(rule, id))),
    ],
    self: showsInterface ? self(undefined) : chosen.count > 0 ? self(chosen) : undefined,
  };
}

function interfaceOf({ groups, peers, interface: shows }: ViewRule): boolean {
  return shows ?? (groups === undefined && peers === undefined);
}

function showsGroup({ groups, peers }: ViewRule, id: number): boolean {
  return groups?.includes(id) ?? peers === undefined;
}

function ruleProblem(rule: ViewRule, { hasInterface, groups }: ViewedZone): string | undefined {
  if (rule.tsig?.length === 0) return "tsig is an empty list, which no question has; leave it out";
  if (rule.from?.length === 0) return "from is an empty list, where nobody is; leave it out";
  const foreign = rule.groups?.find((id) => !groups.includes(id));
  if (foreign !== undefined) {
    const own = groups.length === 0 ? "has none" : `has ${groups.join(", ")}`;
    return `group ${foreign} is none of the zone, which ${own}; add it to group of the zone, or leave it out`;
  }
  if (rule.interface === true && !hasInterface) {
    return "the zone has no interface to show; name one, or leave interface out";
  }
  const showsSome = hasInterface && interfaceOf(rule) ||
    groups.some((id) => showsGroup(rule, id)) || (rule.peers ?? []).length > 0;
  return showsSome ? undefined : "it shows nobody; name groups or peers, or leave it out";
}

/** Looks for a view whose questions are all refused before. */
function refusedProblem(
  views: readonly ViewRule[],
  allowFrom: readonly string[] = EVERYWHERE,
): string | undefined {
  const allowed = allowFrom.map((text) => new IpPrefix(text));
  const i = views.findIndex(({ from = EVERYWHERE }) =>
    !from.some((text) => allowed.some((each) => each.overlaps(new IpPrefix(text))))
  );
  if (i < 0) return undefined;
  return `view[${i}] is never reached: allow-from lets nobody ask from there; add it there, or ` +
    "leave the view out";
}

/** Looks for a view that no question comes to, because those before it take each that it matches. */
function unreachedProblem(views: readonly ViewRule[]): string | undefined {
  const before: { readonly tsig: ReadonlySet<string> | undefined; readonly from: IpPrefix[] }[] =
    [];
  for (const [i, { tsig, from = EVERYWHERE }] of views.entries()) {
    const wanted = from.map((text) => new IpPrefix(text));
    const takes = (name: string | undefined, prefix: IpPrefix) =>
      before.findIndex(({ tsig, from }) =>
        (tsig === undefined || name !== undefined && tsig.has(name)) &&
        from.some((each) => each.covers(prefix))
      );
    const isTaken = (tsig ?? [undefined]).every((name) =>
      wanted.every((prefix) => takes(name, prefix) >= 0)
    );
    if (isTaken) {
      const first = takes(tsig?.[0], wanted[0]!);
      return `view[${i}] is never reached: view[${first}] takes its questions before it; put ` +
        "the narrower one first, or leave one out";
    }
    before.push({ tsig: tsig && new Set(tsig), from: wanted });
  }
  return undefined;
}
