/**
 * Debian's miniupnpd on the router of a lab: PCP, NAT-PMP and UPnP as home routers have them.
 *
 * @module
 */

import type { Running } from "../support/program.ts";
import type { Lab } from "./lab.ts";
import { sleep } from "./namespace.ts";

/** What is needed besides the lab. */
export const PORT_MAP_NEEDS: readonly string[] = ["miniupnpd"];
/**
 * The router's other public address: what the lab has otherwise is reserved for documentation, and
 * miniupnpd forwards nothing from there.
 */
export const MAPPED_ADDRESS = "203.0.115.21";

/** Where miniupnpd keeps what it forwards. */
const CHAINS = `
  table inet filter
  delete table inet filter
  table inet filter {
    chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd
    }
    chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd
    }
    chain postrouting { type nat hook postrouting priority srcnat; jump postrouting_miniupnpd
    }
    chain miniupnpd { }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
  }`;

/** What a router speaks. */
export type Spoken = "all" | "nat-pmp" | "upnp";

/** The router of alice, which forwards what it is asked to. */
export class MappingRouter {
  readonly #lab: Lab;
  #daemon: Running | undefined;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Gives the router its other address, and everybody the way there; nothing runs yet. */
  static async open(lab: Lab): Promise<MappingRouter> {
    const network = `route add ${MAPPED_ADDRESS}/32 dev`;
    await lab.routerA.namespace.ip(`addr add ${MAPPED_ADDRESS}/32 dev wan`);
    const pass = ["add", "rule", "ip", "firewall", "forward", "ct", "status", "dnat", "accept"];
    await lab.routerA.namespace.must(["nft", ...pass]);
    await lab.routerB.namespace.ip(`${network} wan`);
    await lab.registry.ip(`${network} eth0`);
    return new MappingRouter(lab);
  }

  /** Starts miniupnpd, which knows of nothing. */
  async start(speaks: Spoken = "all"): Promise<void> {
    const { folder, routerA: { namespace } } = this.#lab;
    // Of one port, both protocols: PCP is version 2.
    const deaf = speaks === "nat-pmp" ? "udp dport 5351 @th,64,8 2 drop" : "";
    const rules = `${CHAINS}
      table inet deaf
      delete table inet deaf
      table inet deaf {
        chain input { type filter hook input priority 0; ${deaf}
        }
      }`;
    await namespace.must(["nft", "-f", "-"], { input: rules });
    const settings = `${folder}/miniupnpd.conf`;
    await Deno.writeTextFile(
      settings,
      [
        "ext_ifname=wan",
        `ext_ip=${MAPPED_ADDRESS}`,
        "listening_ip=lan",
        `enable_natpmp=${speaks === "upnp" ? "no" : "yes"}`,
        "enable_upnp=yes",
        "secure_mode=yes",
        "system_uptime=no",
        "uuid=00000000-0000-0000-0000-000000000001",
        "allow 1024-65535 192.168.1.0/24 1024-65535",
        "deny 0-65535 0.0.0.0/0 0-65535",
        "",
      ].join("\n"),
    );
    const pid = `${folder}/miniupnpd.pid`;
    const daemon = namespace.start(["miniupnpd", "-d", "-f", settings, "-P", pid]);
    this.#daemon = daemon;
    const isReady = () =>
      /HTTP listening on port/.test(daemon.err) &&
      (speaks === "upnp" || /Listening for NAT-PMP/.test(daemon.err));
    for (let tries = 0; !isReady(); tries++) {
      if (tries > 500) throw new Error(`miniupnpd does not start: ${daemon.err}`);
      await sleep(0.01);
    }
  }

  /** Ends it as a router does that is switched off. */
  async stop(): Promise<void> {
    await this.#daemon?.stop("SIGKILL");
  }

  /** The public UDP ports that are forwarded. */
  async forwarded(): Promise<readonly string[]> {
    const chain = ["nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"];
    const rules = await this.#lab.routerA.namespace.must(chain);
    return [...rules.matchAll(/th dport (\d+) dnat ip to ([\d.:]+)/g)].map(([, port, to]) =>
      `${port} ${to}`
    );
  }

  /** Waits until these are forwarded. */
  async waitFor(forwarded: readonly string[], seconds: number): Promise<void> {
    const until = performance.now() + seconds * 1000;
    for (;;) {
      const found = await this.forwarded();
      if (found.join() === forwarded.join()) return;
      if (performance.now() > until) throw new Error(`forwarded: ${found.join()}`);
      await sleep(0.2);
    }
  }
}
