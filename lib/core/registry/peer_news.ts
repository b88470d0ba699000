/**
 * What answers and pushes say of the peers of a directory.
 *
 * @module
 */

import { copyBytes } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE, readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import { CANDIDATE } from "../../wire/wgsig2/candidate.ts";
import { newPeerNews, type PeerNews, RECORD_FLAG } from "../../wire/wgsig2/record.ts";
import { writeIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { Members } from "./members.ts";
import type { PeerDirectory } from "./peer_directory.ts";
import type { Vantage } from "./vantage.ts";
import type { WantedChanges } from "./wanted_changes.ts";

/** Reads peers, one at a time. */
export class NewsReader {
  /** What was read last. */
  readonly news: PeerNews = newPeerNews();

  /** Reads the peer of a change as it is now, as it is told to who looks from `vantage`. */
  read(
    { table, maxAge }: Members,
    directory: PeerDirectory,
    { peer, goneAt }: WantedChanges,
    vantage: Vantage,
    mono: number,
  ): void {
    const { news } = this;
    const { candidates } = news;
    candidates.count = 0;
    if (peer === NONE) {
      copyBytes(directory.log.goneIds, goneAt, news.id, 0, ID_SIZE);
      news.flags = RECORD_FLAG.gone;
      news.age = 0;
      return;
    }
    const isNear = vantage.isNear(peer, directory, table, mono - maxAge);
    copyBytes(directory.ids, directory.idAt(peer), news.id, 0, ID_SIZE);
    news.flags = (directory.isProved(peer) ? RECORD_FLAG.proved : 0) |
      (isNear ? RECORD_FLAG.near : 0) | directory.places.flagsOf(peer);
    news.age = secondsSince(directory.heardAt(peer), mono);
    const row = directory.rowOf(peer);
    if (row !== NONE) {
      const slot = candidates.slots[candidates.count++]!;
      const at = table.recordAt(row);
      slot.kind = CANDIDATE.seen;
      writeIpv4(slot.address, 0, readAddress(table.pages, at));
      slot.port = table.pages.view.getUint16(at + RECORD_PORT);
      slot.age = secondsSince(table.seenAt(row), mono);
    }
    const { places } = directory;
    if (mono - places.seenAt(peer) <= maxAge) {
      places.readSeen(peer, candidates.slots[candidates.count++]!, mono);
    }
    places.readSaid(peer, candidates, isNear, mono);
  }
}

function secondsSince(then: number, mono: number): number {
  return Math.max(0, Math.floor(mono - then));
}
