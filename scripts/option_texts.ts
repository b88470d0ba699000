/**
 * What docs/ say of an option where its row's line of help, written for a flag, doesn't fit the key
 * of a settings file, or is too short. No binary has these texts.
 *
 * @module
 */

/** Texts that replace what a row gives for its columns. */
export interface OptionTexts {
  readonly flag?: string;
  readonly default?: string;
  readonly meaning?: string;
}

const STATUS = "answer HTTP here: a page and [metrics](metrics.md); port 9586 if left out";
const TOKEN = "file with the token that clients must show there; not needed on loopback";
const METRICS_FILE = "keep the metrics in this file, for collectors that read files";
const METRICS_PEERS = "how many peers have metrics of their own, at most 1000";

/** The texts, by the path of the key. */
export const OPTION_TEXTS: Readonly<Record<string, OptionTexts>> = {
  "serve.listen": { meaning: "addresses to listen on" },
  "serve.encryption": {
    meaning: "`auto` answers in the form of the request; `required`; `off`",
  },
  "serve.max-peers": {
    meaning: "peers a group can have, at most 4000000: [what they cost](scale.md#a-million-peers)",
  },
  "serve.max-answer": {
    meaning: "peers in an answer, the newest; rounded up to a multiple of ten",
  },
  "serve.answer-budget": {
    meaning:
      "bytes a second that a source (/24, IPv6 /56) gets beyond the first datagrams; 0: no limit",
  },
  "serve.key": {
    default: "the state file's name with `.key`",
    meaning: "the registry's own private key; made where there is none, shown by " +
      "`wgsig keygen public`",
  },
  "serve.store": {
    meaning: "share peers and leases with other registries in this Redis or Valkey: " +
      "`redis://HOST[:PORT][/DB]`, `rediss://` for TLS, `redis+sentinel://HOST,HOST/NAME[/DB]`, " +
      "`redis+cluster://HOST,HOST`",
  },
  "serve.store-password-file": {
    meaning: "the password for the store, in the first line; read again at each connection",
  },
  "serve.status": { meaning: STATUS },
  "serve.status-token-file": { meaning: TOKEN },
  "serve.metrics-file": { meaning: METRICS_FILE },
  "serve.metrics-peers": { meaning: METRICS_PEERS },
  "serve.punch": { meaning: "answer WireGuard's hole-punching example here (`0.0.0.0:49918`)" },

  "serve.public-address": {
    default: "a public address of this host",
    meaning: "where peers reach this registry, `HOST` or `HOST:PORT`; links of invitations name it",
  },

  "serve.group.id": { meaning: "number of the group" },
  "serve.group.secret-file": { flag: "`--secret`", meaning: "the group secret" },
  "serve.group.secret-files": {
    flag: "`--secret` (twice)",
    default: "none",
    meaning:
      "in its place: the new secret and the old one, [while it changes](#changing-a-groups-secret)",
  },
  "serve.group.allow-file": {
    meaning: "public keys that may take part, one a line; `#` comments",
  },
  "serve.group.proof": {
    meaning: "whom to register: `auto`, any member, but a peer that has proved its key only if " +
      "it proves it; `required`, only who proves",
  },
  "serve.group.interface": { meaning: "WireGuard interface of this host whose peers are offered" },
  "serve.group.network": {
    default: "drawn for the first invitation, `10.x.y.0/24`",
    meaning: "networks of the tunnel, from which peers that join get their addresses",
  },

  "serve.dns.listen": {
    default: "none",
    meaning: "addresses to serve DNS on, UDP and TCP; port 53 if left out",
  },
  "serve.dns.zone": { meaning: "name of the zone, or a list of `[[serve.dns.zone]]`" },
  "serve.dns.interface": { meaning: "WireGuard interface of this host whose peers are published" },
  "serve.dns.group": {
    flag: "`--group`",
    default: "see below",
    meaning: "group whose peers are published, or a list of groups",
  },
  "serve.dns.self": {
    meaning: 'publish the interface itself: `true`, or where it is (`"IP:PORT"`)',
  },
  "serve.dns.allow-from": { meaning: "prefixes of who may ask" },
  "serve.dns.tsig-files": {
    default: "none",
    meaning:
      "files of TSIG keys that questions may be signed with, beside that of the group's secret",
  },
  "serve.dns.require-tsig": { meaning: "answer nobody who doesn't sign" },
  "serve.dns.view.tsig": {
    meaning: "names of TSIG keys: the view is for questions with one of them",
  },
  "serve.dns.view.from": {
    meaning: "prefixes: the view is for questions from there; with `tsig`, both must hold",
  },
  "serve.dns.view.groups": {
    default: "all, without `peers`",
    meaning: "groups of the zone whose peers it shows",
  },
  "serve.dns.view.peers": { meaning: "public keys of further peers that it shows" },
  "serve.dns.view.interface": {
    default: "`true`, without `groups` and `peers`",
    meaning: "show the interface's peers, and with `self` the interface",
  },
  "serve.dns.ttl": { meaning: "how long resolvers may keep answers about peers" },

  "serve.lease.interface": { meaning: "the WireGuard interface" },
  "serve.lease.pools": { default: "none", meaning: "prefixes that addresses are drawn from" },
  "serve.lease.lease-time": { meaning: "how long an address is leased, 10s or more" },
  "serve.lease.state": { meaning: "file of the leases alone; else they are in the state file" },
  "serve.lease.configure": { meaning: "do on the interface what is missing" },

  "sync.server-key": {
    default: "none",
    meaning: "the public key of the servers; or a list of keys, and of `HOST[:PORT]=KEY` for one",
  },
  "sync.servers": {
    flag: "arguments; `--server`",
    default: "none",
    meaning: "`HOST[:PORT]`, `dns://HOST[:PORT]/ZONE`, `punch://HOST`",
  },
  "sync.secret-file": { meaning: "the group secret" },
  "sync.group": { meaning: "number of the group" },
  "sync.public-key": { meaning: "the own public key" },
  "sync.private-key-file": { meaning: "the own private key" },
  "sync.address": { meaning: "own addresses in the tunnel" },
  "sync.persistent-keepalive": { default: "`25` in whole files" },
  "sync.interval": { meaning: "time between two looks while all peers are alive, 100ms or more" },
  "sync.add-routes": {
    meaning:
      "set routes to the AllowedIPs of peers that are added; else the log names what lacks one",
  },
  "sync.mend-routes": {
    meaning: "remove the host route to an endpoint that a peer has left; else the log names it",
  },
  "sync.move-port": {
    meaning: "have WireGuard listen on another port where a NAT keeps an old mapping for this one",
  },
  "sync.trust-allowed-ips": {
    meaning: "DNS zones whose AllowedIPs `--add-peers` and `config` take without TSIG",
  },
  "sync.tsig-files": {
    meaning: "files with the TSIG keys of DNS zones: what isn't signed with it is not believed; " +
      "`ZONE=FILE` for one of several",
  },
  "sync.trust-registry": {
    meaning: "take peers, and their AllowedIPs, from those that the registry knows by name; " +
      "needs `server-key` and `private-key-file`",
  },
  "sync.trust-networks": {
    meaning: "networks in which AllowedIPs that `trust-registry` gives a peer must lie; " +
      "never `0.0.0.0/0` itself",
  },
  "sync.add-peers": { meaning: "add peers that the settings know with their `allowed-ips`" },
  "sync.trust-lease": { meaning: "`--add-peers` takes AllowedIPs that the server names" },
  "sync.status": { meaning: STATUS },
  "sync.status-token-file": { meaning: TOKEN },
  "sync.metrics-file": { meaning: METRICS_FILE },
  "sync.metrics-peers": { meaning: METRICS_PEERS },
  "sync.hook": {
    meaning: "shell command for each change, with JSON on its standard input; stopped after 10 s",
  },

  "peer.lease": { meaning: "addresses that `serve --lease` keeps for it" },
};
