/**
 * What docs/ say of each event that {@linkcode foundEvents} finds. No binary has these texts.
 *
 * @module
 */

/** An event in words. */
export interface EventText {
  readonly meaning: string;
  /** Its fields, where the call that tells of it doesn't name all of them. */
  readonly fields?: readonly string[];
}

/** Fields of a change of a peer's endpoint. */
const CHANGED = ["key", "name", "endpoint", "before", "persistentKeepalive", "dryRun"];

/** The texts, by the name of the event. */
export const EVENT_TEXTS: Readonly<Record<string, EventText>> = {
  "address-not-listened": {
    meaning: "beside the socket for all addresses, this one has none of its own: tried again",
  },
  "allowed-ips-refused": {
    meaning: "AllowedIPs that a zone or the lease server names and that other peers have: left out",
    fields: ["key", "name", "endpoint", "allowedIps", "hint"],
  },
  "clock-set": { meaning: "this host's clock is right now" },
  "clock-wrong": {
    meaning:
      "this host's clock can't be right: only servers that speak wgsig 2 answer until it is set",
  },
  "counters": {
    meaning: "what was counted, on SIGUSR1 and at the end",
    fields: ["peers", "… each [counter](settings.md#counters) that isn't 0"],
  },
  "dns-listening": { meaning: "DNS is answered at this address" },
  "dns-not-listening": { meaning: "this host lacks this one of several addresses" },
  "dns-zone": {
    meaning:
      "a zone is served, or otherwise since SIGHUP, from this interface or these groups; `keys` are " +
      "the tags of those that sign it, `cds` is there where it isn't `publish`, `tsig` the names of " +
      "its TSIG keys",
    fields: ["zone", "interface", "group-ids", "views", "keys", "cds", "tsig"],
  },
  "double-nat": {
    meaning: "the gateway's own address is none that others reach: a mapping would be of no use",
  },
  "endpoint-restored": {
    meaning: "no endpoint worked, and WireGuard has its former one again",
    fields: CHANGED,
  },
  "endpoint-set": {
    meaning:
      "WireGuard was given this endpoint of a peer; `path` says which way that is, where it " +
      "was proved by probes or is the relay: lan, ipv6, mapped, punched, predicted, relay",
    fields: [...CHANGED, "path", "roundTrip"],
  },
  "group-secret-made": {
    meaning: "at the first start, no secret was named: one was made, in this file",
  },
  "hook-failed": {
    meaning: "the hook ended with another status than 0, was stopped (124), or could not be run",
  },
  "hook-too-slow": { meaning: "64 changes wait for the hook; more are left out" },
  "interface-busy": {
    meaning: "another `sync` takes care of the interface: this one waits for its end",
  },
  "interface-changed": { meaning: "the interface has another key or port, or was made anew" },
  "interface-found": {
    meaning: "the interface is there; how its port is registered, and why; `hint` where that " +
      "leaves something out",
  },
  "interface-gone": { meaning: "the interface is gone, and with `--until-gone` that is the end" },
  "interface-not-read": {
    meaning: "an interface whose peers are offered or published can't be read",
  },
  "interface-read": { meaning: "it can be read again" },
  "join-not-answered": { meaning: "a fault of this program: whoever joins is not answered" },
  "join-refused": {
    meaning:
      "somebody tried to join with a link, and was told why that fails: it is used, ended or " +
      "revoked, or the registry is busy; `not-saved`: the state file can't be written",
    fields: ["group", "public-key", "from", "why"],
  },
  "key-not-read": { meaning: "the key that the settings name can't be read; when it is needed" },
  "key-on-two-hosts": {
    meaning: "a key's endpoint goes to and fro at a server: two hosts have it, perhaps",
    fields: ["key", "name", "endpoints", "hint"],
  },
  "keepalive-lowered": {
    meaning: "a NAT forgets this host between keepalives: they come more often now",
    fields: ["persistentKeepalive", "before", "hint"],
  },
  "lease-addresses": { meaning: "addresses that were leased to this host came or went" },
  "lease-bad-reply": { meaning: "the lease server's answer was none" },
  "lease-changed": { meaning: "a peer's leased addresses are in WireGuard's AllowedIPs, or gone" },
  "lease-configured": { meaning: "this was done on the interface (`--configure`)" },
  "lease-forgotten": { meaning: "a lease ended because its peer was removed from the interface" },
  "lease-listening": { meaning: "leases are answered at this address; so many are held" },
  "lease-no-server": { meaning: "no lease server answers" },
  "lease-not-applied": { meaning: "a peer's leased addresses can't be set, and are tried again" },
  "lease-not-done": { meaning: "something on the interface can't be done, and is tried again" },
  "lease-not-noted": { meaning: "what is leased can't be noted: a restart forgets it" },
  "lease-not-taken": { meaning: "what the lease server names and this host must not have" },
  "lease-refused": { meaning: "the server refuses, with its own number and words" },
  "lease-routes": { meaning: "the routes that the server names have changed" },
  "lease-setup": { meaning: "something on the interface is missing for leases: what to run" },
  "lease-store-away": {
    meaning:
      "the store of leases can't be asked: nobody gets a new address here, or one for longer",
  },
  "lease-store-back": { meaning: "the store of leases is back; so many leases are known" },
  "lease-waiting": { meaning: "leases can't be answered yet, and why" },
  "leased": { meaning: "addresses are leased, for so many seconds" },
  "leases-cut": { meaning: "a crash has torn off the file's end: so many bytes were passed over" },
  "leases-damaged": { meaning: "the file of leases is damaged, and was put aside" },
  "leases-kept": { meaning: "leases are kept until this host restarts" },
  "leases-not-kept": { meaning: "leases can't be kept over a restart of the program" },
  "leases-not-locked": { meaning: "the file can't be locked: two processes might use it" },
  "leases-not-saved": { meaning: "leases can't be saved, and that is tried again" },
  "leases-restored": {
    meaning: "leases were read: so many in force, ended, and of no pool",
    fields: ["file", "restored", "expired", "dropped"],
  },
  "leases-saved-again": { meaning: "they can be saved again" },
  "leases-taken-back": {
    meaning: "addresses of peers that have no lease were taken off the interface",
  },
  "listening": { meaning: "the registry answers at this address" },
  "log-lost": {
    meaning: "so many lines were left out: nobody read them in time",
    fields: ["lines"],
  },
  "looked": { meaning: "what `--once` has found: so many peers, so many of them down" },
  "many-peers-unknown": { meaning: "so many peers were named that are not on the interface" },
  "mapping-stuck": {
    meaning: "a NAT keeps an old mapping for WireGuard's port; what helps",
  },
  "metrics-not-written": {
    meaning: "the file of metrics can't be written; logged once for each reason, until it can be",
  },
  "nat": {
    meaning: "what kind of NAT this is, where two servers have answered",
    fields: ["nat", "portPreserved", "meaning"],
  },
  "no-private-key": { meaning: "the interface has no private key, or tells none (boringtun)" },
  "no-relay": { meaning: '`relay = "always"`, and no registry that answers relays' },
  "no-route": {
    meaning: "what is behind a peer that was added leaves outside the tunnel",
    fields: ["prefix", "why", "hint"],
  },
  "not-asked": { meaning: "the servers can't be asked, and that is tried again" },
  "not-done": { meaning: "something could not be done, and is tried again" },
  "not-kept": { meaning: "what can't be noted on the disk, and what is lost thereby" },
  "not-listening": {
    meaning:
      "another program has the port (1224) that shows peers their NATs; the registry does without",
  },
  "not-locked": { meaning: "another `sync` on this interface would not be noticed" },
  "not-reloaded": {
    meaning: "settings can't be read again: those before stay in force",
    fields: ["why", "effect"],
  },
  "own-endpoint": { meaning: "where servers see this host, when that is new" },
  "own-key-unlisted": { meaning: "the settings have `[[peer]]`, but none with this host's key" },
  "path": {
    meaning:
      "this is the way by which a peer is reached, where WireGuard has it already or went there by itself",
    fields: ["key", "name", "endpoint", "before", "path", "roundTrip"],
  },
  "peer-added": {
    meaning: "a peer was added to the interface (`--add-peers`)",
    fields: ["key", "name", "endpoint", "allowedIps", "dryRun"],
  },
  "peer-alive": { meaning: "the tunnel to a peer is up", fields: ["key", "name", "endpoint"] },
  "members-restored": {
    meaning: "what is kept of so many peers of wgsig 2 was read; so many have proved their keys",
    fields: ["file", "members", "proved"],
  },
  "peer-down": {
    meaning: "`--once` found a peer down; how many seconds ago its handshake was",
    fields: ["key", "name", "endpoint", "sinceHandshake", "hint"],
  },
  "peer-joined": {
    meaning: "a peer has joined with a link, and is in the roster",
    fields: ["group", "public-key", "from", "name"],
  },
  "peer-lost": { meaning: "the tunnel to a peer is down", fields: ["key", "name", "endpoint"] },
  "peer-moved": { meaning: "a registered peer has another endpoint, or its first one over IPv6" },
  "peer-registered": { meaning: "a peer is new" },
  "peer-unknown": {
    meaning: "a server names a peer that is not on the interface",
    fields: ["key", "name", "endpoint", "hint"],
  },
  "peer-unreachable": {
    meaning: "servers hear a peer, and no endpoint reaches it; what helps",
    fields: ["key", "name", "endpoint", "nat", "hint"],
  },
  "port-mended": { meaning: "the interface has the port again that a killed `sync` had borrowed" },
  "port-mapped": {
    meaning: "a gateway forwards WireGuard's port from this endpoint, for so many seconds; and how",
  },
  "port-mapping-lost": { meaning: "it does so no more, and is asked anew" },
  "port-not-mapped": { meaning: "a gateway refuses to map the port, and why; it is tried again" },
  "port-moved": { meaning: "with `move-port`, WireGuard listens on another port now" },
  "punch-listening": { meaning: "WireGuard's hole-punching example is answered here" },
  "ready": {
    meaning: "everything is open, and answered",
    fields: ["runtime", "group-ids", "zones", "relay", "server-key"],
  },
  "reloaded": { meaning: "settings and secrets were read again", fields: ["group-ids", "servers"] },
  "peers-forgotten": {
    meaning: "a group is there no more, and its peers are forgotten",
  },
  "restart-needed": {
    meaning: "these settings have changed too, and wait for a restart",
    fields: ["changed"],
  },
  "roster-changed": {
    meaning: "`wgsig invite` or `wgsig registry` has invited, added, renamed or removed somebody",
    fields: ["group", "name", "by"],
  },
  "roster-peer-added": {
    meaning: "a peer in a registry's roster was added to the interface (`trust-registry`)",
    fields: ["key", "name", "allowedIps", "dryRun"],
  },
  "roster-peer-changed": {
    meaning:
      "a peer has other AllowedIPs: the registry has changed them, or those of peers behind it",
    fields: ["key", "name", "allowedIps", "before", "dryRun"],
  },
  "roster-peer-refused": {
    meaning: "what a registry says of a peer isn't followed, for the reason that is given",
    fields: ["key", "name", "prefix", "why", "hint"],
  },
  "roster-peer-removed": {
    meaning: "a peer was removed that a registry had given, and that is no longer in its roster",
    fields: ["key", "name", "dryRun"],
  },
  "roster-restored": {
    meaning:
      "so many peers and invitations were read from the file, and so many lines were damaged",
    fields: ["file", "peers", "invitations", "damaged"],
  },
  "route-added": {
    meaning: "a route to what is behind a peer that was added (`--add-routes`, `trust-registry`)",
  },
  "route-ended": { meaning: "such a route was removed, with its peer (`trust-registry`)" },
  "route-removed": { meaning: "a host route to an endpoint that a peer has left (`mend-routes`)" },
  "server": { meaning: "what there is to say of a server, or of the question" },
  "server-moved": { meaning: "a server's name has other addresses" },
  "server-status": { meaning: "a server answers again, or does something else than before" },
  "settings-doubtful": {
    meaning:
      "what the settings say of peers is most likely wrong: two have one name or one prefix, say",
  },
  "settings-not-used": {
    meaning: "the settings have sections for other interfaces, and none for this one",
  },
  "stale-route": { meaning: "a host route to an endpoint that a peer has left, and what to run" },
  "server-key-made": { meaning: "the registry's own key was made, and is in this file" },
  "server-key-not-kept": {
    meaning:
      "the registry's own key will be another one at the next start: pinning it is of no use",
  },
  "state-cut": { meaning: "a crash has torn off the file's end: so many bytes were passed over" },
  "state-damaged": { meaning: "the state file is damaged, and was put aside" },
  "state-not-locked": { meaning: "the file can't be locked: two processes might use it" },
  "state-not-saved": { meaning: "state can't be saved, and that is tried again" },
  "state-restored": { meaning: "so many peers were read from the file", fields: ["file", "peers"] },
  "state-saved-again": { meaning: "it can be saved again" },
  "status-listening": { meaning: "`--status` answers HTTP at this address" },
  "status-not-served": {
    meaning: "`wgsig status` can't ask this one: there is no socket for it in the run folder",
  },
  "stopped": { meaning: "the end, and the signal that was its cause" },
  "store-back": {
    meaning:
      "the store is there again, and all is caught up on: it was away for so long, so many " +
      "peers were written and read since",
    fields: ["store", "away", "written", "read"],
  },
  "store-clock-differs": {
    meaning: "this host's clock and the store's are more than 15 s apart; told of once",
  },
  "store-connected": {
    meaning: "all that other registries have in the store was read, after so long",
  },
  "store-emptied": {
    meaning:
      "the store has lost what it had, or is another one: what is known here is written anew",
  },
  "store-gone": {
    meaning: "the store can't be used, why, and how that is mended; told of once",
    fields: ["store", "why", "hint", "effect"],
  },
  "store-left-behind": {
    meaning: "at the end, changes of so many peers could not be written to the store any more",
  },
  "store-may-forget": { meaning: "the store's settings let it forget what it must keep" },
  "store-not-written": {
    meaning:
      "the store can be read and takes nothing in, why, and how that is mended; told of once",
    fields: ["store", "why", "hint", "effect"],
  },
  "store-records-refused": {
    meaning: "records in the store were not made with this registry's key: they are left out",
  },
  "store-still-gone": {
    meaning: "a reminder, once an hour",
    fields: ["store", "why", "hint", "lasts"],
  },
  "store-still-not-written": {
    meaning: "a reminder, once an hour",
    fields: ["store", "why", "hint", "lasts"],
  },
  "store-waiting": { meaning: "it answers nobody yet, since it waits for the store" },
  "store-written-again": { meaning: "the store takes in again what changes" },
  "systemd-not-told": { meaning: "systemd asks to be told how the service is, and can't be" },
  "waiting": { meaning: "there is no such interface yet" },
};
