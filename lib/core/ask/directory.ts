/**
 * The peers of a group as a registry has told of them: answers and pushes come in any order, and what
 * is older never takes the place of what is newer.
 *
 * @module
 */

import { CANDIDATE, type Candidate, isIpv4 } from "../../wire/wgsig2/candidate.ts";
import { natOfFlags } from "../../wire/wgsig2/nat.ts";
import { type PeerNews, RECORD_FLAG } from "../../wire/wgsig2/record.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { formatAddress } from "../net/ip_address.ts";
import { formatKey } from "../net/peer_key.ts";
import type { NatKind } from "./own_reach.ts";

/** The most peers that a client keeps. */
export const MAX_PEERS_KEPT = 100_000;
const MAX_AGE = 0xffff_ffff;
/** Ages are whole seconds: so much older than another a record must be, to be older for certain. */
const AGE_STEP = 1;

/** Where a candidate is from. */
export type CandidateKind = keyof typeof CANDIDATE;

/** One place where a peer can be reached. */
export interface PeerCandidate {
  /** Where it is from. */
  readonly kind: CandidateKind;
  /** An IP address. */
  readonly address: string;
  /** UDP port. */
  readonly port: number;
  /** When it was confirmed: the monotonic clock, in seconds. */
  readonly confirmedAt: number;
}

/** What a registry has told of a peer. */
export interface PeerRecord {
  /** The WireGuard public key in base64. */
  readonly publicKey: string;
  /** Whether the registry has a proof of it. */
  readonly isProved: boolean;
  /** Whether it comes from the same public address as the question. */
  readonly isNear: boolean;
  /** Whether its host says that it answers path probes at the port that is registered. */
  readonly probes: boolean;
  /** How its NAT maps that port, as it says. */
  readonly nat: NatKind;
  /** When the registry heard it: the monotonic clock, in seconds. */
  readonly heardAt: number;
  /** What a host can have; as the registry orders them. */
  readonly candidates: readonly PeerCandidate[];
}

/** Which answer or push tells something. */
export interface Telling {
  /** Its VERSION. */
  readonly version: number;
  /** Which whole answer it belongs to, or comes after: a number that goes up. */
  readonly generation: number;
}

/** What is kept of a peer. */
interface Entry {
  /** Undefined where it is gone. */
  record: PeerRecord | undefined;
  version: number;
  generation: number;
  /** Whether it is from before the registry counted anew, or from another registry of the same name. */
  isBefore: boolean;
}

const KINDS: ReadonlyMap<number, CandidateKind> = new Map([
  [CANDIDATE.seen, "seen"],
  [CANDIDATE.lan, "lan"],
  [CANDIDATE.mapped, "mapped"],
  [CANDIDATE.declared, "declared"],
  [CANDIDATE.relay, "relay"],
]);

/** The peers that are known. */
export class Directory {
  readonly #entries = new Map<string, Entry>();
  /** Those of them that are gone. */
  readonly #gone = new Set<string>();
  #leftOut = 0;
  #revision = 0;

  /** How many peers there are, those that are gone and still to be remembered among them. */
  get size(): number {
    return this.#entries.size;
  }

  /** How often a peer was not taken up since there were too many. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Another number after each change of what is known. */
  get revision(): number {
    return this.#revision;
  }

  /** The peers, in the order in which they came first. */
  *peers(): Generator<PeerRecord> {
    for (const { record } of this.#entries.values()) if (record !== undefined) yield record;
  }

  /** One of them. @param publicKey In base64. */
  get(publicKey: string): PeerRecord | undefined {
    return this.#entries.get(publicKey)?.record;
  }

  /**
   * Takes over what is told of a peer, unless something newer was. What is from before the registry
   * counted anew goes by when the peer was heard: another registry of the same name may have heard of
   * a change later than the one that was asked before.
   *
   * @param mono The monotonic clock.
   */
  take(news: PeerNews, { version, generation }: Telling, mono: number): void {
    const publicKey = formatKey(news.id.bytes);
    const entry = this.#entries.get(publicKey);
    const isGone = (news.flags & RECORD_FLAG.gone) !== 0;
    if (entry === undefined) {
      if (this.#entries.size >= MAX_PEERS_KEPT) {
        this.#leftOut++;
        return;
      }
      const record = isGone ? undefined : recordOf(publicKey, news, mono);
      this.#entries.set(publicKey, { record, version, generation, isBefore: false });
    } else {
      entry.generation = Math.max(entry.generation, generation);
      if (version < entry.version) return;
      const heardAt = entry.record?.heardAt ?? -Infinity;
      const isOlder = entry.isBefore && !isGone && mono - news.age < heardAt - AGE_STEP;
      entry.version = version;
      entry.isBefore = false;
      if (isOlder) return;
      entry.record = isGone ? undefined : recordOf(publicKey, news, mono);
    }
    if (isGone) this.#gone.add(publicKey);
    else this.#gone.delete(publicKey);
    this.#revision++;
  }

  /** All is known up to this version: nothing older comes any more that could bring back who is gone. */
  settle(version: number): void {
    for (const publicKey of this.#gone) {
      const entry = this.#entries.get(publicKey);
      if (entry !== undefined && entry.version > version) continue;
      this.#gone.delete(publicKey);
      this.#entries.delete(publicKey);
    }
  }

  /**
   * Forgets of whom neither the whole answer of this generation nor anything since has told, and
   * nothing that is newer than this version.
   */
  sweep({ version, generation }: Telling): void {
    this.#remove((_, entry) => entry.generation < generation && entry.version <= version);
  }

  /** Forgets who isn't wanted any more. @param isWanted Of a public key in base64. */
  narrow(isWanted: (publicKey: string) => boolean): void {
    this.#remove((publicKey) => !isWanted(publicKey));
  }

  /** The registry counts anew: whatever it tells comes after what is known. */
  recount(): void {
    this.settle(Infinity);
    for (const entry of this.#entries.values()) {
      entry.version = 0;
      entry.isBefore = true;
    }
  }

  #remove(isOver: (publicKey: string, entry: Entry) => boolean): void {
    for (const [publicKey, entry] of this.#entries) {
      if (!isOver(publicKey, entry)) continue;
      this.#entries.delete(publicKey);
      this.#gone.delete(publicKey);
      this.#revision++;
    }
  }
}

const NATS: readonly NatKind[] = ["unknown", "easy", "sequential", "hard"];

function recordOf(publicKey: string, news: PeerNews, mono: number): PeerRecord {
  const { flags, age, candidates: { count, slots } } = news;
  const candidates: PeerCandidate[] = [];
  for (let i = 0; i < count; i++) {
    const candidate = slots[i]!;
    const kind = KINDS.get(candidate.kind);
    if (kind === undefined || !isUsable(candidate)) continue;
    candidates.push({
      kind,
      address: formatAddress(candidate.address, 0),
      port: candidate.port,
      confirmedAt: mono - candidate.age,
    });
  }
  return {
    publicKey,
    isProved: (flags & RECORD_FLAG.proved) !== 0,
    isNear: (flags & RECORD_FLAG.near) !== 0,
    probes: (flags & RECORD_FLAG.probes) !== 0,
    nat: NATS[natOfFlags(flags)] ?? "unknown",
    heardAt: mono - Math.min(age, MAX_AGE),
    candidates,
  };
}

/**
 * Whether an endpoint can be that of a host: no port 0, no network 0, no group of hosts, nothing that
 * holds on one link alone. What a registry sees may be this host's own loopback.
 */
function isUsable({ kind, address, port }: Candidate): boolean {
  if (port === 0) return false;
  const isLoopback = isIpv4(address) ? address.bytes[12] === 127 : isSmall(address, 1);
  if (isLoopback) return kind === CANDIDATE.seen || kind === CANDIDATE.relay;
  if (isIpv4(address)) return address.bytes[12]! > 0 && address.bytes[12]! < 224;
  const head = address.view.getUint16(0);
  return head >>> 8 !== 0xff && (head & 0xffc0) !== 0xfe80 && !isSmall(address, 0);
}

/** Whether an IPv6 address is this number, below 256. */
function isSmall({ bytes, view }: WireBuffer, number: number): boolean {
  return view.getUint32(0) === 0 && view.getUint32(4) === 0 && view.getUint32(8) === 0 &&
    view.getUint32(12) === number && bytes[15] === number;
}
