/**
 * Checks of what lies between this host and its peers: NAT, port mapping, and how the port is shown.
 *
 * @module
 */

import { natKindOf } from "../ask/nat_verdict.ts";
import { formatHostPort } from "../net/host_port.ts";
import { bad, type Check, named, ok, warn } from "./check.ts";
import { type DoctorFacts, valueOf } from "./facts.ts";

const WITH_RAW = "run sync as root, or with CAP_NET_RAW";

/** How `sync` shows registries the port that WireGuard owns. */
export function checkRegistering({ raw, register }: DoctorFacts): Check | undefined {
  const name = "register";
  if (register === "none") return ok(name, "off: this host's endpoint isn't registered by sync");
  if (register === "borrow" || register === "tunnel") {
    return ok(name, `by ${register}, as it is set`);
  }
  if (raw === undefined) return undefined;
  if ("value" in raw) return ok(name, "by raw sockets");
  const why = `raw sockets are refused (${raw.problem})`;
  return register === "raw"
    ? bad(name, `${why}, and register = "raw"`, WITH_RAW)
    : warn(name, `${why}: sync borrows the port for a moment each time`, WITH_RAW);
}

/** Whether this host is behind a NAT, as far as somebody has seen its port. */
export function isBehindNat({ nat }: DoctorFacts): boolean | undefined {
  const first = nat?.seen[0];
  if (nat === undefined || first === undefined) return undefined;
  return !nat.localAddresses.includes(first.host);
}

/** What kind of NAT this is. */
export function checkNat(facts: DoctorFacts): Check {
  const name = "nat";
  const { nat } = facts;
  const first = nat?.seen[0];
  if (nat === undefined || first === undefined) {
    return warn(name, "not known: no registry of wgsig 2 has answered over IPv4");
  }
  const port = nat.isWireGuards ? `WireGuard's port ${nat.port}` : `port ${nat.port}`;
  const seen = `${port} is seen as ${formatHostPort(first)}`;
  if (isBehindNat(facts) === false) return ok(name, `easy, since there is none: ${seen}`);
  switch (natKindOf(nat.port, nat.localAddresses, nat.seen)) {
    case "easy":
      return ok(name, `easy: ${seen}, whoever looks`);
    case "sequential":
      return ok(name, `sequential, its ports can be predicted: ${seen}`);
    case "hard":
      return warn(
        name,
        `hard: ${nat.seen.map(formatHostPort).join(", ")}; ` +
          "only some peers can be reached directly",
        "let a registry relay (serve --relay), or forward the port in the router",
      );
    case "unknown":
      return ok(name, `unknown: ${seen}; two ports of a registry would show what kind it is`);
  }
}

/** Whether routers map ports. */
export function checkPortMapping(facts: DoctorFacts): Check {
  const name = "port-map";
  const { mapped } = facts;
  if (mapped === undefined) return ok(name, "off, as it is set");
  if ("problem" in mapped) return warn(name, `cannot be tried: ${mapped.problem}`);
  const all = mapped.value;
  const works = all.flatMap(({ mapped }) => mapped ?? []);
  if (works.length > 0) return ok(name, named(works));
  if (all.length === 0) return ok(name, "this host has no gateway");
  const none = `none at ${
    all.map(({ gateway, why = "no answer" }) => `${gateway} (${why})`).join(", ")
  }`;
  if (isBehindNat(facts) !== true) return ok(name, none);
  const device = valueOf(facts.device);
  const port = device === undefined || device.listenPort === 0
    ? "WireGuard's UDP port"
    : `UDP port ${device.listenPort}`;
  return warn(
    name,
    none,
    `switch PCP, NAT-PMP or UPnP on in the router, or forward ${port} there`,
  );
}

/** Whether mappings of a NAT are kept open. */
export function checkKeepalive(facts: DoctorFacts): Check | undefined {
  const name = "keepalive";
  const { name: device, listed } = facts;
  const { peers = [] } = valueOf(facts.device) ?? {};
  if (device === undefined || peers.length === 0) return undefined;
  const off = peers.filter(({ persistentKeepalive }) => persistentKeepalive === 0);
  if (off.length === 0) return ok(name, "on for all peers");
  if (isBehindNat(facts) !== true) {
    return ok(
      name,
      `off for ${off.length} of ${peers.length} peers; no NAT is known that needs it`,
    );
  }
  const names = new Map((valueOf(listed) ?? []).map((each) => [each.publicKey, each.name]));
  return warn(
    name,
    `off behind a NAT, which forgets this host, for ` +
      named(off.map(({ publicKey }) => names.get(publicKey) ?? publicKey)),
    `wg set ${device} peer ${off[0]!.publicKey} persistent-keepalive 25`,
  );
}
