/**
 * The options of `serve`: `[serve]` and the tables below it.
 *
 * @module
 */

import { DEFAULT_PORT, PUNCH_PORT, SECOND_PORT } from "../ask/server_name.ts";
import { REGISTRY_BUDGET } from "../net/answer_budget.ts";
import { isNarrow } from "../net/ip_prefix.ts";
import {
  DEFAULT_SECRET_FILE,
  file,
  files,
  GROUP_NUMBER,
  OWN_PORT,
  prefixes,
  SERVED_INTERFACE,
  STATUS,
  SWITCH,
  time,
} from "./common_options.ts";
import {
  type InFile,
  many,
  one,
  oneOf,
  oneTable,
  optional,
  type Rows,
  tableList,
  whole,
} from "./option.ts";
import { addressPort, duration, hostPort, prefix, type Reader, refuse } from "./reader.ts";
import { STORE } from "./store_options.ts";
import { DNS, MAX_BUDGET } from "./zone_options.ts";

/** The most peers a group can have: their state file has the largest size that is read. */
const MAX_PEERS = 4_000_000;
/** What a member can fill with keys that it makes up takes 50 MB then: a small machine has that. */
const USUAL_PEERS = 100_000;
/** The most peers of an answer. */
const MAX_ANSWER = 100_000;
/** What the lease protocol can say. */
const MAX_SECONDS = 0xffff_ffff;

/** Why `workers` and `--workers` are gone, and what to do instead. */
const NO_WORKERS = "one process is one loop, and one core serves 825 000 peers that ask " +
  "every 25 s; leave it out, and for more peers run several registries and name them all in " +
  '"servers"';

/** How long an address is leased: whole seconds, what the protocol can say. */
const leaseTime: Reader<number> = (value, path) => {
  const seconds = Math.round(duration(value, path));
  return seconds >= 10 && seconds <= MAX_SECONDS
    ? seconds
    : refuse(path, "a duration of 10s or more", value);
};

/** Where peers of a tunnel have their addresses: never all there are. */
const tunnelNetwork: Reader<string> = (value, path) => {
  const network = prefix(value, path);
  return isNarrow(network) ? network : refuse(path, "a prefix of 8 bits or more", value);
};

/** `[[serve.group]]`. */
export const GROUP = {
  id: GROUP_NUMBER,
  "secret-file": { reader: file, default: DEFAULT_SECRET_FILE, help: "file of the group secret" },
  "secret-files": {
    flag: "secret",
    reader: files,
    shown: DEFAULT_SECRET_FILE,
    help: "group secret; - for standard input; twice: new, old",
  },
  "allow-file": {
    flag: "allow",
    reader: file,
    help: "let only these public keys in, one a line",
  },
  proof: {
    flag: "proof",
    reader: oneOf("auto", "required"),
    default: "auto",
    help: "whom to register: any member, only who proves its key",
  },
  interface: SERVED_INTERFACE,
  network: {
    reader: many(tunnelNetwork, "CIDR"),
    default: [],
    shown: "one that is drawn",
    help: "networks of the tunnel, from which peers that join get their addresses",
  },
} satisfies Rows;

/** `[serve.lease]`. */
export const LEASE = {
  interface: SERVED_INTERFACE,
  pools: {
    flag: "lease",
    reader: prefixes,
    default: [],
    help: "lease addresses of this pool to the interface's peers",
  },
  reserved: {
    reader: prefixes,
    default: [],
    help: "addresses and prefixes that are never leased",
  },
  "lease-time": {
    flag: "lease-time",
    reader: one(leaseTime, "DURATION"),
    default: "1h",
    help: "how long an address is leased",
  },
  routes: { reader: prefixes, default: [], help: "prefixes that clients are told of" },
  state: { reader: file, help: "file of leases" },
  configure: {
    flag: "configure",
    ...SWITCH,
    help: "set up on the interface what leases need",
  },
} satisfies Rows;

/** `[serve]`. */
export const SERVE = {
  listen: {
    flag: "listen",
    reader: many(hostPort(), "ADDR:PORT"),
    default: [`0.0.0.0:${DEFAULT_PORT}`, `[::]:${DEFAULT_PORT}`, `0.0.0.0:${SECOND_PORT}`],
    help: "listen here",
  },
  encryption: {
    flag: "encryption",
    reader: oneOf("auto", "required", "off"),
    default: "auto",
    help: "answer in the form of the request, only encrypted, only plain",
  },
  key: {
    flag: "key",
    reader: file,
    shown: "beside the state file",
    help: "the registry's private key; made at the first start",
  },
  state: {
    flag: "state",
    reader: file,
    help: "keep peers, rosters and leases over a restart in this file",
  },
  ...STORE,
  "public-address": {
    flag: "public-address",
    reader: one(hostPort(OWN_PORT), "HOST:PORT"),
    shown: "one of this host's",
    help: "where peers reach it; links of invitations name it",
  },
  "max-peers": {
    flag: "max-peers",
    reader: whole(1, MAX_PEERS),
    default: USUAL_PEERS,
    help: "peers a group can have",
  },
  "max-answer": {
    flag: "max-answer",
    reader: whole(1, MAX_ANSWER),
    default: 1000,
    help: "peers in an answer, the newest",
  },
  "answer-budget": {
    reader: whole(0, MAX_BUDGET),
    default: REGISTRY_BUDGET,
    help: "bytes a second that a source gets beyond the first datagrams; 0: no limit",
  },
  "max-age": {
    flag: "max-age",
    reader: time,
    default: "1d",
    help: "forget a peer not seen for longer",
  },
  window: {
    flag: "window",
    reader: time,
    default: "30s",
    help: "how far a peer's clock may be off",
  },
  "log-format": {
    flag: "log-format",
    reader: oneOf("text", "json"),
    switches: { json: "log in JSON lines" },
    default: "text",
    help: "how log lines look",
  },
  "log-level": {
    reader: oneOf("quiet", "normal", "verbose"),
    switches: {
      quiet: "log warnings and errors only",
      verbose: "log every drop, up to 50 a second",
    },
    default: "normal",
    help: "how much is logged",
  },
  dns: oneTable(DNS),
  lease: oneTable(LEASE),
  relay: {
    flag: "relay",
    ...SWITCH,
    help: "relay between peers that can't reach each other",
  },
  "relay-pair-rate": {
    reader: whole(0, MAX_BUDGET),
    default: 10_000_000,
    help: "bytes a second that are relayed between two peers; 0: no limit",
  },
  "relay-peer-rate": {
    reader: whole(0, MAX_BUDGET),
    default: 20_000_000,
    help: "bytes a second that are relayed from a peer; 0: no limit",
  },
  "relay-rate": {
    reader: whole(0, MAX_BUDGET),
    default: 60_000_000,
    help: "bytes a second that are relayed in all; 0: no limit",
  },
  "relay-idle": {
    reader: time,
    default: "5m",
    help: "two peers that have had nothing to say for longer make room for others",
  },
  punch: {
    flag: "punch",
    reader: optional(addressPort(PUNCH_PORT), "ADDR:PORT", "0.0.0.0"),
    help: `answer WireGuard's unauthenticated punching example (0.0.0.0:${PUNCH_PORT})`,
  },
  ...STATUS,
  group: tableList(GROUP),
  workers: { flag: "workers", gone: NO_WORKERS },
} satisfies Rows;

/** The `[serve]` table of a settings file. */
export type ServeSettings = InFile<typeof SERVE>;
