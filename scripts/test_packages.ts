/**
 * Debian's packages that the tests need, and how they are installed: without their services, some of
 * which would listen on port 53 from then on.
 *
 * @module
 */

import { ROUTER_TARGETS } from "./router/targets.ts";
import { missingPackages } from "./router/toolchain.ts";
import { has, output, say, status } from "./tools.ts";

/** Packages, and a program of each. */
const PACKAGES: readonly (readonly [string, string])[] = [
  ["bind9", "named"],
  ["bind9-dnsutils", "dig"],
  ["bind9-host", "host"],
  ["bind9-utils", "dnssec-keygen"],
  ["chromium", "chromium"],
  ["conntrack", "conntrack"],
  ["dnsmasq-base", "dnsmasq"],
  ["faketime", "faketime"],
  ["gcc", "gcc"],
  // gcc can't do without.
  ["libc6-dev", "gcc"],
  ["iproute2", "ip"],
  ["iputils-ping", "ping"],
  ["knot", "knotd"],
  ["knot-dnsutils", "kdig"],
  ["knot-resolver", "kresd"],
  ["ldnsutils", "drill"],
  ["miniupnpd-nftables", "miniupnpd"],
  ["nftables", "nft"],
  ["openssl", "openssl"],
  ["pdns-recursor", "pdns_recursor"],
  ["prometheus", "promtool"],
  ["redis-server", "redis-server"],
  ["unbound", "unbound"],
  ["util-linux", "setpriv"],
  ["wireguard-go", "wireguard-go"],
  ["wireguard-tools", "wg"],
  ["zbar-tools", "zbarimg"],
];
/** The same for the tests of routers and packages, and name servers that the bench of zones compares. */
const PACKAGES_OF_ALL: typeof PACKAGES = [
  ["bind9", "named"],
  ["bind9-utils", "dnssec-signzone"],
  ["busybox", "busybox"],
  ["fish", "fish"],
  ["g++", "g++"],
  ["knot", "knotd"],
  ["lintian", "lintian"],
  ["make", "make"],
  ["man-db", "man"],
  ["mandoc", "mandoc"],
  ["mmdebstrap", "mmdebstrap"],
  ["musl-tools", "musl-gcc"],
  ["qemu-user-static", "qemu-mips-static"],
  ["shellcheck", "shellcheck"],
  ["systemd", "systemd-analyze"],
  ["systemd-container", "systemd-nspawn"],
  ["zsh", "zsh"],
];

/** What invoke-rc.d and deb-systemd-invoke ask before they start a service: 101 forbids it. */
const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY = "#!/bin/sh\n# The tests of wgsig need programs, and no services.\nexit 101\n";
/** Where packages have units; those with an instance start nothing by themselves. */
const UNIT = /^(?:\/usr)?\/lib\/systemd\/system\/([^/@]+\.service)$/gm;

/** The packages that are missing here. @param all Those for routers and packages, too. */
function missing(all: boolean): string[] {
  return [
    ...[...PACKAGES, ...(all ? PACKAGES_OF_ALL : [])]
      .filter(([, program]) => !has(program)).map(([name]) => name),
    ...(all ? missingPackages(ROUTER_TARGETS) : []),
  ];
}

/** Installs what is missing, as root on Debian; elsewhere says what it is. */
export async function installPackages(all: boolean): Promise<void> {
  const names = missing(all);
  if (names.length === 0) return;
  if (Deno.uid() !== 0 || !has("apt-get")) {
    say(`The tests also need ${names.join(", ")}: install them to run all tests.`);
    return;
  }
  say(`Installing what the tests need, without starting services: ${names.join(", ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...names];
  if (await status(["apt-get", "update", "-qq"], { env }) !== 0) {
    say("apt-get update failed; trying to install with the lists that there are");
  }
  const code = await withoutServices(POLICY_FILE, () => status(install, { env }));
  if (code === 0) await disableServices(names);
  else say(`could not install ${names.join(", ")}`);
}

/**
 * Runs what installs packages while no service of them may start.
 *
 * @param file Where the policy is asked for; one that is there already is somebody's, and stays.
 */
export async function withoutServices<T>(file: string, install: () => Promise<T>): Promise<T> {
  try {
    await Deno.writeTextFile(file, POLICY, { createNew: true, mode: 0o755 });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return await install();
    throw error;
  }
  const signals = ["SIGINT", "SIGTERM"] as const;
  const giveUp = () => {
    Deno.removeSync(file);
    Deno.exit(130);
  };
  for (const signal of signals) Deno.addSignalListener(signal, giveUp);
  try {
    return await install();
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, giveUp);
    await Deno.remove(file);
  }
}

/** At the next start of the machine they are not to run either. */
async function disableServices(names: readonly string[]): Promise<void> {
  if (!has("systemctl") || !has("dpkg-query")) return;
  const files = await output(["dpkg-query", "--listfiles", ...names]);
  const units = [...files.matchAll(UNIT)].map(([, unit = ""]) => unit);
  if (units.length > 0) await status(["systemctl", "--quiet", "disable", ...units]);
}
