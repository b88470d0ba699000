/**
 * Replays what was sent to the real wgsigd to our registry, step by step. Each answer is either the
 * one that the C server gave (its records compared as a set), or the step stands in the table of
 * faults that are not copied, with what we do instead.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { CounterName } from "../../../lib/core/net/counters.ts";
import { readSeconds } from "../../../lib/wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { recordText, RegistryDriver } from "../../support/registry_driver.ts";
import {
  type ServerScenario,
  type ServerStep,
  serverVectors,
  type VectorRecord,
} from "../../support/vectors.ts";
import { test } from "../../testing.ts";

/**
 * A record of ours: the step that its endpoint is from, and that of its label where it is another;
 * or the record as text, where the recorder could not read the request.
 */
type Origin = string | readonly [endpoint: string, label: string] | { readonly text: string };

/** What we do where we do not copy a fault: drop, or answer with these records. */
interface Difference {
  readonly fault: Fault;
  readonly ours: { readonly drop: CounterName } | {
    readonly records: readonly Origin[];
    /** Where it is not as the C server was compiled. */
    readonly sealed?: boolean;
  };
}

const FAULTS = {
  "zero MAC": "an empty database is answered with 540 zero bytes, the MAC among them",
  "ten peers": "the 11th peer overwrites slot 0, though that is fresh: ten peers, one datagram",
  "flags 3": "the label of a request with CLFLG 3 is not noted: it can be replayed",
  "strangers": "the labels of peers that are not in the database are not noted: can be replayed",
  "nanoseconds": "of the nanoseconds, only the top byte is compared: later requests are dropped",
  "10^9 ns": "nanoseconds of 10^9 and more are accepted",
  "group": "GROUP is not looked at: requests for any group go to the one that there is",
  "one form": "a program is compiled to be plain or encrypted; ours takes both",
} as const;
type Fault = keyof typeof FAULTS;

function registrations(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `register peer${from + i}`);
}

const emptyMatrix: [string, Difference][] = ["enc", "plain"].flatMap((variant) =>
  [0, 1, 2, 3].flatMap((peer) =>
    [0, 1, 2].map((time): [string, Difference] => [
      `request-matrix (${variant}): peer${peer} time${time} port${10_001 + 2 * peer}`,
      { fault: "zero MAC", ours: { records: [] } },
    ])
  )
);
const peer6: Origin = ["register peer6", "peer6 odd port"];
const afterReturn = [
  "peer0 again (was evicted by peer10)",
  ...registrations(1, 4),
  ...registrations(6, 11),
];
const withNewEndpoint = "peer5 again, new endpoint";
const inWindow = ["offset -30", "offset -1", "offset 0", "offset 1", "offset 30"];

const DIFFERENCES: ReadonlyMap<string, Difference> = new Map<string, Difference>([
  ...emptyMatrix,
  ["growth-1-to-12 (enc): register peer10", {
    fault: "ten peers",
    ours: { records: registrations(0, 10) },
  }],
  ["growth-1-to-12 (enc): register peer11", {
    fault: "ten peers",
    ours: { records: registrations(0, 11) },
  }],
  ["growth-1-to-12 (enc): peer0 again (was evicted by peer10)", {
    fault: "ten peers",
    ours: { records: [...afterReturn, "register peer5"] },
  }],
  ["growth-1-to-12 (enc): peer5 again, new endpoint", {
    fault: "ten peers",
    ours: { records: [...afterReturn, withNewEndpoint] },
  }],
  ["growth-1-to-12 (enc): peer6 odd port", {
    fault: "ten peers",
    ours: {
      records: [...without(afterReturn, "register peer6"), withNewEndpoint, peer6],
    },
  }],
  ["growth-1-to-12 (enc): outsider odd port", {
    fault: "ten peers",
    ours: {
      records: [...without(afterReturn, "register peer6"), withNewEndpoint, peer6],
    },
  }],
  ["growth-1-to-12 (enc): peer6 80 s later", {
    fault: "ten peers",
    ours: {
      records: [
        ...without(afterReturn, "register peer6"),
        withNewEndpoint,
        ["register peer6", "peer6 80 s later"],
      ],
    },
  }],
  ["empty-database (enc): odd port, unknown peer", {
    fault: "zero MAC",
    ours: { records: [] },
  }],
  ["empty-database (enc): clflg 3 unknown peer", {
    fault: "zero MAC",
    ours: { records: [] },
  }],
  ["clflg (enc): A clflg=3 replay accepted (no time stored)", {
    fault: "flags 3",
    ours: { drop: "drop-replayed" },
  }],
  ["clflg (enc): B unknown clflg=3", {
    fault: "strangers",
    ours: { drop: "drop-replayed" },
  }],
  ["clflg (enc): B unknown clflg=2", {
    fault: "strangers",
    ours: { drop: "drop-replayed" },
  }],
  ["time-window (plain): ns above 10^9", {
    fault: "10^9 ns",
    ours: { drop: "drop-bad-label" },
  }],
  ["time-window (plain): TAI offset +10 (true TAI64)", {
    fault: "10^9 ns",
    ours: { records: [...inWindow, "TAI offset +10 (true TAI64)"] },
  }],
  ...["2 sec+0 ns 0x01000001", "3 sec+0 ns 0x01ffffff", "6 sec+0 ns 0x0200ffff"].map(laterLabel),
  ...["8 sec+1 ns 0x00000001", "10 sec+1 ns 0x00ffffff"].map(laterLabel),
  ["auth (plain): group 7 in body, sgroup 0", {
    fault: "group",
    ours: { drop: "drop-unknown-group" },
  }],
  ["auth (plain): group 7 in body, sgroup 7", {
    fault: "group",
    ours: { drop: "drop-unknown-group" },
  }],
  ["auth (plain): group 0 in body, sgroup 9", {
    fault: "group",
    ours: { records: ["group 0 in body, sgroup 9"] },
  }],
  ["auth (plain): good", {
    fault: "group",
    ours: { records: ["group 0 in body, sgroup 9", "good"] },
  }],
  ["auth (plain): datagram of the other variant", {
    fault: "one form",
    ours: {
      sealed: true,
      records: ["group 0 in body, sgroup 9", "good", {
        text: "nL7erN64x/JY6VdncLJhQsgkWz32j6+iDj+1INA/3KI= 203.0.113.200:30000 1700000000.0",
      }],
    },
  }],
]);

function without(origins: readonly string[], left: string): string[] {
  return origins.filter((origin) => origin !== left);
}

function laterLabel(step: string): [string, Difference] {
  const fault = "nanoseconds";
  const first = "step 0 sec+0 ns 0x01000000";
  return [`counter (plain): step ${step}`, { fault, ours: { records: [[first, `step ${step}`]] } }];
}

/** What became of a step. */
type Outcome =
  | { readonly drop: true }
  | {
    readonly drop: false;
    readonly sealed: boolean;
    readonly macValid: boolean;
    readonly datagrams: number;
    readonly records: readonly string[];
  };

function vectorRecordText({ id, address, port, seconds, nanoseconds }: VectorRecord): string {
  return `${id} ${address}:${port} ${seconds}.${nanoseconds}`;
}

/** The records that a difference speaks of, made from the requests of the scenario. */
function expectedRecords(scenario: ServerScenario, origins: readonly Origin[]): string[] {
  const step = (name: string) => {
    const found = scenario.steps.find((step) => step.name === name);
    assert(found !== undefined && !found.restart && found.request.fields, `no step ${name}`);
    return { source: found.request.source, ...found.request.fields };
  };
  return origins.map((origin) => {
    if (typeof origin === "object" && "text" in origin) return origin.text;
    const [endpointStep, labelStep] = typeof origin === "string" ? [origin, origin] : origin;
    const endpoint = step(endpointStep);
    const label = step(labelStep);
    assertEquals(label.id, endpoint.id);
    const { address, port } = endpoint.source;
    const seconds = readSeconds(new WireBuffer(label.tai64), 0);
    return `${endpoint.id} ${address}:${port} ${seconds}.${label.nanoseconds}`;
  }).sort();
}

function recordedOutcome(step: ServerStep & { restart: false }): Outcome {
  if (step.response === undefined) return { drop: true };
  const { fields, envelope } = step.response;
  assert(fields !== undefined);
  return {
    drop: false,
    sealed: envelope !== undefined,
    macValid: fields.macValid,
    datagrams: fields.others + 1,
    records: fields.records.map(vectorRecordText).sort(),
  };
}

function replay(
  scenario: ServerScenario,
  needed: Set<string>,
): void {
  const restartsBeforeEach = scenario.note.includes("server restarted before each");
  const secret = serverVectors.secret;
  // The C server never discards a record, so that here none must age.
  const start = () => new RegistryDriver({ groups: [{ secret, maxAge: 1e9 }] });
  let driver = start();
  for (const step of scenario.steps) {
    if (step.restart || restartsBeforeEach) driver = start();
    if (step.restart) continue;
    const key = `${scenario.name}: ${step.name}`;
    const { source, payload } = step.request;
    driver.unix = step.clock;
    driver.mono = step.clock;
    const from = `${source.address} ${source.port}`;
    const [answer] = driver.send([{ payload, from }]);
    // The driver has checked MAC, N_OTHER and GROUP of every datagram.
    const ours: Outcome = answer === undefined ? { drop: true } : {
      drop: false,
      sealed: answer.sealed,
      macValid: true,
      datagrams: answer.datagrams.length,
      records: answer.records.map(recordText).sort(),
    };
    const theirs = recordedOutcome(step);
    const difference = DIFFERENCES.get(key);
    if (difference === undefined) {
      assertEquals(ours, theirs, `${key} ${driver.drops.map(({ reason }) => reason).join()}`);
      continue;
    }
    assert(JSON.stringify(ours) !== JSON.stringify(theirs), `${key} is no difference any more`);
    needed.add(key);
    const message = `${key}: ${FAULTS[difference.fault]}`;
    if ("drop" in difference.ours) {
      assertEquals(ours, { drop: true }, message);
      assertEquals(driver.drops.at(-1)?.reason, difference.ours.drop, message);
      continue;
    }
    const records = expectedRecords(scenario, difference.ours.records);
    assertEquals(ours, {
      drop: false,
      sealed: difference.ours.sealed ?? scenario.encrypted,
      macValid: true,
      datagrams: Math.max(1, Math.ceil(records.length / 10)),
      records,
    }, message);
  }
}

for (const scenario of serverVectors.entries) {
  test(`${scenario.name} is answered as by wgsigd, but for its faults`, () => {
    replay(scenario, new Set());
  });
}

test("every difference from wgsigd is needed, and every fault that is named has one", () => {
  const needed = new Set<string>();
  for (const scenario of serverVectors.entries) replay(scenario, needed);
  assertEquals([...DIFFERENCES.keys()].filter((key) => !needed.has(key)), []);
  const used = new Set([...DIFFERENCES.values()].map(({ fault }) => fault));
  assertEquals(Object.keys(FAULTS).filter((fault) => !used.has(fault as Fault)), []);
});
