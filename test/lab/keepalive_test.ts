/** A router that forgets what is silent for 15 s, and takes another port then. */

import { assertEquals } from "@std/assert";
import { testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS } from "./lab.ts";
import { sleep } from "./namespace.ts";
import { INTERFACE } from "./wireguard_host.ts";

const LIFE = 15;
const LIMIT = 240;
/** Longer than the keepalive that is right, and shorter than the router's memory. */
const SILENCE = 14;
const ROUNDS = 4;
/** One mapping for all destinations, as long as something is sent from the port. */
const FORGETFUL = `table ip nat
  delete table ip nat
  table ip nat {
    map mapped { type inet_service : inet_service; flags dynamic,timeout; timeout ${LIFE}s; size 64; }
    chain keep { type filter hook postrouting priority mangle
      oifname wan meta l4proto udp update @mapped { udp sport : numgen random mod 20000 offset 20000 }
    }
    chain outbound { type nat hook postrouting priority srcnat
      oifname wan ip protocol udp snat to 203.0.113.21 : udp sport map @mapped
      oifname wan masquerade random
    }
  }`;

testWith(
  LAB_NEEDS,
  `lab: behind a router that forgets after ${LIFE} s, keepalives are lowered, and a peer reaches this one`,
  async () => {
    await using lab = await Lab.withWireGuard();
    const { alice, bob, routerA: { namespace: router } } = lab;
    // Whoever misses a peer asks each second.
    await alice.set("peer", bob.publicKey, "remove");
    await router.must(["nft", "-f", "-"], { input: FORGETFUL });
    for (const each of ["timeout", "timeout_stream"]) {
      const file = `/proc/sys/net/netfilter/nf_conntrack_udp_${each}`;
      await router.must(["sh", "-c", `echo ${LIFE} > ${file}`]);
    }
    await router.must(["conntrack", "--flush"]);
    const hub = await lab.openHub();
    await lab.serve();
    const start = performance.now();
    // Between two polls there is more time than the router remembers.
    const sync = lab.sync(alice, "--interval", "40s");
    await sync.printed(/ own-endpoint endpoint=\S+ before=/, LIMIT);
    // Until the hub is heard it is looked for each second, and the router has nothing to forget.
    await alice.namespace.must(["ping", "-c", "1", "-W", "2", hub.address]);
    await sync.printed(
      / warn keepalive-lowered persistentKeepalive=12 before=25 hint="a NAT forgets /,
      LIMIT,
    );
    figure(
      `keepalive lowered after ${((performance.now() - start) / 1000).toFixed(0)} s behind a ` +
        `router that forgets after ${LIFE} s`,
    );
    const [peer] = (await alice.device()).peers.filter(({ publicKey }) =>
      publicKey === hub.publicKey
    );
    assertEquals(peer?.persistentKeepalive, 12);
    await sleep(SILENCE);
    const before = sync.out;
    const answered: boolean[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      await sleep(SILENCE);
      const { code } = await hub.namespace.run(["ping", "-c", "1", "-W", "2", alice.address]);
      answered.push(code === 0);
    }
    figure(`after that ${answered.filter(Boolean).length} of ${ROUNDS} pings came back`);
    assertEquals(answered, answered.map(() => true), `${INTERFACE}: ${sync.out}`);
    assertEquals(sync.out.slice(before.length).includes(" own-endpoint "), false, sync.out);
    await sync.stop();
  },
);
