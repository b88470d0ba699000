/**
 * A zone that publishes WireGuard peers as DNS-SD (RFC 6763), compatible with wgsd:
 *
 * ```
 * ZONE                              SOA, NS
 * ns1.ZONE                          A or AAAA: the address that was asked, where it is known
 * _services._dns-sd._udp.ZONE       PTR _wireguard._udp.ZONE
 * _wireguard._udp.ZONE              PTR to every instance; TXT "txtvers=1" "peers=N"
 * _P._sub._wireguard._udp.ZONE      PTR to the instances that begin with P; TXT "txtvers=1" "peers=N"
 * KEY._wireguard._udp.ZONE          an instance: SRV, A and AAAA, TXT
 * ```
 *
 * KEY is a peer's public key in base32 with padding, 56 characters. Only peers with an endpoint are
 * instances. An SRV is `0 0 PORT` with its own name as target, as it was asked (uncompressed, RFC
 * 2782); Additional has the address first, then the TXT, as wgsd-client needs it, then the address of
 * the other family. There is one where a peer was seen over both with the same port: an SRV has one, and
 * wgsd-client takes whatever SRV comes first. An instance's TXT is
 *
 * ```
 * "txtvers=1" "pub=BASE64KEY" "allowed=CIDR,CIDR" "allowed2=CIDR" … "seen=UNIXSECONDS"
 * ```
 *
 * where a list of more than 255 bytes goes on in `allowed2`, `allowed3`, …, cut at commas. Without
 * `allowed`, AllowedIPs are not known; an empty one says that there are none. `seen` is said of
 * peers of a registry's group.
 *
 * **Many peers.** A message holds about 900 instances. A PTR answer over TCP that can't hold all has
 * as many as fit, those of a group that were seen last before others, without TC; over UDP it has
 * TC and none. Either has the TXT of the same name in Additional, which says in `peers` how many
 * there are: whoever got fewer asks for the subtypes (RFC 6763, section 7.1) `_A`, `_B`, … `_7`, and
 * for `_AA` and `_AAA` in turn where one of these is not whole. P is 1 to 3 base32 characters in
 * either case; these names always exist, in small zones and without instances, too. The list is up
 * to a second old (10 ms in a small zone; in one with views as many times that as it has views, at
 * most ten), all else is of the moment.
 *
 * While a device can't be read, what would be looked for there is answered with SERVFAIL: nobody
 * must remember that there is no such peer. Lists then have the peers that others know, if any.
 *
 * Other names without records that have names below them are empty (RFC 8020), all others don't
 * exist. ANY is answered with one record set (RFC 8482): SRV of an instance, TXT of a list, SOA.
 *
 * **Views.** Who asks gets what the first view says that is for them; where none is, they are refused.
 * A peer that a view doesn't show is in none of its lists and counts, and what is said of its name is
 * what is said of a key that nobody has.
 *
 * **Signed zones.** A zone with keys has DNSKEY, CDS and CDNSKEY at its own name, and RRSIG and NSEC
 * everywhere; see zone_answers.ts and signer.ts. In its signed answers `seen` is rounded down to ten minutes,
 * and Additional has no TXT.
 *
 * @module
 */

import { encodeName, MAX_NAME_SIZE } from "../../../wire/dns/name.ts";
import { KEY_LABEL_SIZE } from "../../../wire/dns/key_label.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { TsigKey } from "../../../wire/dns/tsig.ts";
import { PrefixSet } from "../../net/ip_prefix.ts";
import { UDP, WIREGUARD } from "./node.ts";
import type { ZonePeers } from "./peers.ts";
import type { ZoneSelf } from "./self.ts";
import { ViewMatch, type ViewMatchOptions } from "./view_match.ts";
import type { ZoneSigner } from "./signer.ts";
import { type QueryPath, ZoneView } from "./zone_view.ts";

/** What stands before the zone in an instance's name. */
const INSTANCE_SIZE = 1 + KEY_LABEL_SIZE + WIREGUARD.length + UDP.length;
const MAX_TTL = 2 ** 31 - 1;

/** Who is in a zone. */
export interface ZoneContents {
  /** Its peers. Of a peer of several, the first source's counts. */
  readonly peers: readonly ZonePeers[];
  /** The device itself, where it is published. It counts before `peers`. */
  readonly self?: ZoneSelf | undefined;
}

/** A view: for whom it is, and whom it shows. */
export interface ZoneViewRule extends ViewMatchOptions {
  /** Views that show the same may share one. */
  readonly shows: ZoneContents;
}

/** Settings of a zone. */
export interface ZoneOptions extends ZoneContents {
  /** Its name, with or without the last dot. */
  readonly name: string;
  /** Its views: the first that takes a question answers it. Undefined is one that shows all to all. */
  readonly views?: readonly ZoneViewRule[] | undefined;
  /** TTL of what is said of peers, in seconds. 0 if undefined. */
  readonly ttl?: number | undefined;
  /** IP prefixes of who may ask; undefined is everyone. */
  readonly allowFrom?: readonly string[] | undefined;
  /** Keys with which questions may be signed; none if undefined. */
  readonly keys?: readonly TsigKey[] | undefined;
  /** Whether nobody may ask without one of these. */
  readonly requireTsig?: boolean | undefined;
  /** What signs it, where it is signed. */
  readonly signer?: ZoneSigner | undefined;
}

/** One zone. */
export class Zone {
  /** Its name, as encodeName makes it. */
  readonly name: Uint8Array;
  /** How many labels its name has, without the root. */
  readonly labels: number;
  /** Keys with which questions may be signed. */
  readonly keys: readonly TsigKey[];
  readonly #requireTsig: boolean;
  /** What signs it; undefined where it isn't signed. */
  readonly signer: ZoneSigner | undefined;
  readonly #allowFrom: PrefixSet | undefined;
  readonly #views: readonly { readonly match: ViewMatch; readonly view: ZoneView }[];

  /**
   * Makes a zone.
   *
   * @throws {SyntaxError} Where its name is none, or too long for instances in it (180 characters),
   *   or a prefix of `allowFrom` or a view is none.
   * @throws {RangeError} Where the TTL is no whole number from 0 to 2^31-1 (RFC 2181, section 8).
   */
  constructor(options: ZoneOptions) {
    const { name, peers, self, ttl = 0, allowFrom, views, keys = [], requireTsig = false, signer } =
      options;
    this.name = encodeName(name);
    if (this.name.length + INSTANCE_SIZE > MAX_NAME_SIZE) {
      throw new SyntaxError(`"${name}" is too long a name for a zone: peers have none in it`);
    }
    if (!Number.isInteger(ttl) || ttl < 0 || ttl > MAX_TTL) {
      throw new RangeError(`${ttl} is no TTL`);
    }
    let labels = 0;
    for (let at = 0; this.name[at] !== 0; at += 1 + this.name[at]!) labels++;
    this.labels = labels;
    this.keys = keys;
    this.#requireTsig = requireTsig;
    this.signer = signer;
    this.#allowFrom = allowFrom === undefined ? undefined : new PrefixSet(allowFrom);
    const rules: readonly ZoneViewRule[] = views ?? [{ shows: { peers, self } }];
    const made = new Map<ZoneContents, ZoneView>();
    const count = new Set(rules.map(({ shows }) => shows)).size;
    this.#views = rules.map(({ shows, ...match }) => {
      const { peers, self } = shows;
      const view = made.get(shows) ?? new ZoneView({ labels, peers, self, ttl, views: count });
      made.set(shows, view);
      return { match: new ViewMatch(match), view };
    });
  }

  /** The key if it is one of this zone's: others say nothing of who may ask here. */
  ownKey(key: TsigKey): TsigKey | undefined {
    return this.keys.includes(key) ? key : undefined;
  }

  /**
   * Whether who has the 16-byte address at `at` may ask.
   *
   * @param key One of this zone's, with which the question was signed.
   */
  admits(source: WireBuffer, at: number, key: TsigKey | undefined): boolean {
    if (this.#requireTsig && key === undefined) return false;
    return this.#allowFrom === undefined || this.#allowFrom.contains(source, at);
  }

  /**
   * The view of whoever asks this way, or undefined where there is none for them.
   *
   * @param key The key of this zone that the question was signed with, if it was with one.
   */
  viewOf(path: QueryPath, key: TsigKey | undefined): ZoneView | undefined {
    for (const { match, view } of this.#views) {
      if (match.takes(path, key?.name)) return view;
    }
    return undefined;
  }
}
