import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  decodePcpAnnounce,
  decodePcpMapping,
  encodePcpAnnounce,
  encodePcpMap,
  PCP_ANNOUNCE_SIZE,
  PCP_MAP_SIZE,
  PCP_OTHER_VERSION,
} from "../../../lib/wire/portmap/pcp.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { bytesOf, place, uint16, uint32 } from "../../support/arbitraries.ts";
import { assertNeeds, hex, ODD_PLACE, placed, unhex, written } from "../../support/bytes.ts";
import { bigEndian } from "../../support/twins.ts";
import vectors from "../../vectors/portmap.json" with { type: "json" };
import { test } from "../../testing.ts";

const CLIENT = new WireBuffer(unhex("00000000000000000000ffffc0a80102"));
const ANY = new WireBuffer(unhex("00000000000000000000ffff00000000"));
const NONCE = new WireBuffer(unhex("000102030405060708090a0b"));
const QUESTION = {
  lifetime: 7200,
  client: CLIENT,
  nonce: NONCE,
  internalPort: 51820,
  externalPort: 51820,
  externalAddress: ANY,
};

function mapping(digits: string, nonce = NONCE, internalPort = 51820) {
  const bytes = unhex(digits);
  const external = new WireBuffer(16);
  const answer = decodePcpMapping(
    placed(bytes, ODD_PLACE),
    ODD_PLACE.at,
    bytes.length,
    { nonce, internalPort },
    external,
  );
  return answer && { ...answer, external: hex(external.bytes) };
}

test("PCP: questions are those that miniupnpd answers", () => {
  const announce = written(
    PCP_ANNOUNCE_SIZE,
    ODD_PLACE,
    (buffer, at) => encodePcpAnnounce(CLIENT, buffer, at),
  );
  assertEquals(hex(announce), vectors["pcp-announce"].question);
  for (const [name, lifetime] of [["pcp-map", 7200], ["pcp-release", 0]] as const) {
    const map = written(
      PCP_MAP_SIZE,
      ODD_PLACE,
      (buffer, at) => encodePcpMap({ ...QUESTION, lifetime }, buffer, at),
    );
    assertEquals(hex(map), vectors[name].question);
  }
});

test("PCP: its answers are read", () => {
  assertEquals(mapping(vectors["pcp-map"].answer), {
    result: 0,
    lifetime: 7200,
    epoch: 2,
    externalPort: 51820,
    external: "00000000000000000000ffffcb007315",
  });
  const nothing = "00".repeat(16);
  const refused = { lifetime: 0, epoch: 2, externalPort: 0, external: nothing };
  assertEquals(mapping(vectors["pcp-release"].answer), { ...refused, result: 2 });
  assertEquals(mapping(vectors["pcp-wrong-address"].answer), { ...refused, result: 12 });
  const bytes = unhex(vectors["pcp-announce"].answer);
  assertEquals(decodePcpAnnounce(new WireBuffer(bytes), 0, bytes.length), {
    result: 0,
    lifetime: 0,
    epoch: 2,
  });
});

test("PCP: an answer with another nonce, or of another port, is none", () => {
  assertEquals(mapping(vectors["pcp-map-other-nonce"].answer), undefined);
  assertEquals(mapping(vectors["pcp-map"].answer, NONCE, 51821), undefined);
  fc.assert(fc.property(bytesOf(12).filter((each) => hex(each) !== hex(NONCE.bytes)), (nonce) => {
    assertEquals(mapping(vectors["pcp-map"].answer, new WireBuffer(nonce)), undefined);
  }));
});

test("PCP: a gateway of another version says so, with or without the rest", () => {
  // RFC 6886, section 3.5: NAT-PMP's answer to a version that it doesn't know.
  for (const digits of ["0081000100000009", "00810001", vectors["pcp-version-3"].answer]) {
    assertEquals(mapping(digits)?.result, PCP_OTHER_VERSION, digits);
  }
  assertEquals(mapping(vectors["nat-pmp-map"].answer)?.result, PCP_OTHER_VERSION);
  const later = "03" + vectors["pcp-map"].answer.slice(2);
  assertEquals(mapping(later), undefined);
  assertEquals(mapping(later.replace("03810000", "03810001"))?.result, PCP_OTHER_VERSION);
});

test("PCP: what is cut, too long, a question or another operation's is no answer", () => {
  const whole = vectors["pcp-map"].answer;
  for (let size = 0; size < PCP_MAP_SIZE; size++) {
    assertEquals(mapping(whole.slice(0, 2 * size)), undefined, `${size} bytes`);
  }
  assertEquals(mapping(whole + "00".repeat(1041)), undefined);
  assertEquals(mapping(whole + "00".repeat(1040))?.externalPort, 51820);
  assertEquals(mapping(vectors["pcp-map"].question), undefined);
  assertEquals(mapping(vectors["pcp-announce"].answer), undefined);
  const tcp = whole.slice(0, 72) + "06" + whole.slice(74);
  assertEquals(mapping(tcp), undefined);
});

test("PCP: a mapping is read as it was written", () => {
  fc.assert(fc.property(
    fc.record({
      lifetime: uint32,
      epoch: uint32,
      nonce: bytesOf(12),
      internalPort: uint16,
      externalPort: uint16,
      external: bytesOf(16),
    }),
    place,
    ({ lifetime, epoch, nonce, internalPort, externalPort, external }, where) => {
      const bytes = Uint8Array.from([
        ...[2, 129, 0, 0],
        ...bigEndian(lifetime, 4),
        ...bigEndian(epoch, 4),
        ...new Uint8Array(12),
        ...nonce,
        ...[17, 0, 0, 0],
        ...bigEndian(internalPort, 2),
        ...bigEndian(externalPort, 2),
        ...external,
      ]);
      const into = new WireBuffer(16);
      const asked = { nonce: new WireBuffer(nonce), internalPort };
      const read = decodePcpMapping(placed(bytes, where), where.at, bytes.length, asked, into);
      assertEquals(read, { result: 0, lifetime, epoch, externalPort });
      assertEquals(hex(into.bytes), hex(external));
    },
  ));
});

test("PCP: any bytes are an answer or none, and none writes an address", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    const into = new WireBuffer(16);
    const answer = decodePcpMapping(new WireBuffer(bytes), 0, bytes.length, QUESTION, into);
    if (answer?.result !== 0) assertEquals(hex(into.bytes), "00".repeat(16));
    decodePcpAnnounce(new WireBuffer(bytes), 0, bytes.length);
  }));
});

test("PCP: bounds are checked", () => {
  assertNeeds(PCP_ANNOUNCE_SIZE, (buffer, at) => encodePcpAnnounce(CLIENT, buffer, at));
  assertNeeds(PCP_MAP_SIZE, (buffer, at) => encodePcpMap(QUESTION, buffer, at));
});
