/**
 * A Debian without anything of this project, to install packages in: made by mmdebstrap, entered
 * with chroot, started with systemd-nspawn.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ROOT } from "../../scripts/tools.ts";
import { type Finished, run } from "../support/program.ts";

const SUITE = "bookworm";
/** What a host that runs wgsig has, and a way to make WireGuard interfaces without the kernel's. */
const PACKAGES = ["iproute2", "systemd-sysv", "wireguard-go", "wireguard-tools"];
/** A root takes most of a minute to make: it is kept here, until `dist` is removed. */
const KEPT = `${ROOT}/dist/test/${SUITE}`;

/** What changes in a root with every package that is installed or removed. */
const DPKG_STATE = /^\/(?:var\/(?:lib\/dpkg|log|cache)|run|tmp|proc)\//;

/** The mirror that this machine installs from; none where mmdebstrap is to use its own. */
async function mirrors(): Promise<string[]> {
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list"];
  try {
    for await (const { name } of Deno.readDir(folder)) files.push(`${folder}/${name}`);
  } catch {
    // There is no such folder.
  }
  for (const file of files) {
    const text = await Deno.readTextFile(file).catch(() => "");
    const found = /^(?:URIs:|deb)\s+(?:\[.*?\]\s+)?(https?:\S+\/debian\/?)(?:\s|$)/m.exec(text);
    if (found !== null) return [found[1]!];
  }
  return [];
}

async function must(argv: readonly string[]): Promise<string> {
  const { code, out, err } = await run(argv);
  assertEquals(code, 0, `${argv.join(" ")}: ${out.slice(-2000)} ${err.slice(-2000)}`);
  return out;
}

async function keepRoot(): Promise<void> {
  try {
    await Deno.stat(KEPT);
    return;
  } catch {
    // It is made now.
  }
  const folder = `${KEPT}.new`;
  await must(["rm", "-rf", folder]);
  await Deno.mkdir(folder, { recursive: true });
  const options = ["--mode=root", "--variant=minbase", `--include=${PACKAGES.join(",")}`];
  await must(["timeout", "300", "mmdebstrap", ...options, SUITE, folder, ...await mirrors()]);
  await Deno.chmod(folder, 0o755);
  await Deno.rename(folder, KEPT);
}

/** A root of which only the changes are its own; removed with `await using`. */
export class CleanRoot implements AsyncDisposable {
  /** Where it is. */
  readonly folder: string;
  readonly #layers: string;

  private constructor(layers: string) {
    this.#layers = layers;
    this.folder = `${layers}/root`;
  }

  static async open(): Promise<CleanRoot> {
    await keepRoot();
    const layers = await Deno.makeTempDir({ prefix: "wgsig-root-" });
    await Deno.chmod(layers, 0o755);
    for (const name of ["root", "changes", "work"]) await Deno.mkdir(`${layers}/${name}`);
    const options = `lowerdir=${KEPT},upperdir=${layers}/changes,workdir=${layers}/work`;
    const root = new CleanRoot(layers);
    await must(["mount", "-t", "overlay", "-o", options, "overlay", root.folder]);
    await must(["mount", "-t", "proc", "proc", `${root.folder}/proc`]);
    return root;
  }

  /** A command line that is run in it. */
  inside(argv: readonly string[]): string[] {
    return ["timeout", "60", "chroot", this.folder, ...argv];
  }

  /** Runs a program in it. */
  run(argv: readonly string[], input?: string): Promise<Finished> {
    const env = { HOME: "/root", LC_ALL: "C.UTF-8", WGSIG_CONFIG: "" };
    return run(this.inside(argv), input === undefined ? { env } : { env, input });
  }

  /** Runs a program in it that must end well, and returns what it printed. */
  async must(argv: readonly string[], input?: string): Promise<string> {
    const { code, out, err } = await this.run(argv, input);
    assertEquals(code, 0, `${argv.join(" ")}: ${out} ${err}`);
    return out;
  }

  /** Installs a package. */
  async install(file: string): Promise<void> {
    await Deno.copyFile(file, `${this.folder}/root/package.deb`);
    await this.must(["dpkg", "--force-unsafe-io", "--install", "/root/package.deb"]);
    await Deno.remove(`${this.folder}/root/package.deb`);
  }

  /** Every path in it with kind, mode, owner and size, but for what every change leaves its mark on. */
  async paths(): Promise<string[]> {
    const format = "/%P %y %m %U:%G %s %l\\n";
    const out = await must(["find", this.folder, "-xdev", "-printf", format]);
    return out.split("\n")
      // The size of a folder depends on what it held once.
      .map((line) => line.replace(/^(\S+ d \S+ \S+) .*$/, "$1"))
      .filter((line) => line !== "" && !DPKG_STATE.test(line))
      .sort();
  }

  /**
   * Starts it with its own systemd and network, runs a script there as a service, and waits until
   * the script has switched it off.
   *
   * @returns What the script printed.
   */
  async boot(script: string): Promise<string> {
    const { folder } = this;
    await must(["umount", `${folder}/proc`]);
    try {
      await Deno.writeTextFile(`${folder}/root/script`, script, { mode: 0o755 });
      await Deno.writeTextFile(
        `${folder}/etc/systemd/system/script.service`,
        [
          "[Unit]",
          "After=multi-user.target",
          "[Service]",
          "Type=oneshot",
          "ExecStart=/bin/bash -c '/root/script > /root/printed 2>&1'",
          "ExecStopPost=/usr/bin/systemctl poweroff --no-block",
          "TimeoutStartSec=50",
          "",
        ].join("\n"),
      );
      const container = [
        ...["systemd-nspawn", "--quiet", "--directory", folder, "--boot", "--register=no"],
        ...["--keep-unit", "--private-network", "--bind=/dev/net/tun", "--console=pipe"],
        ...["systemd.unit=multi-user.target", "systemd.wants=script.service"],
      ];
      const { out, err } = await run(["timeout", "--kill-after=5", "90", ...container]);
      return await Deno.readTextFile(`${folder}/root/printed`)
        .catch(() => Promise.reject(new Error(`it did not start: ${out.slice(-3000)} ${err}`)));
    } finally {
      await must(["mount", "-t", "proc", "proc", `${folder}/proc`]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await must(["umount", `${this.folder}/proc`, this.folder]);
    await Deno.remove(this.#layers, { recursive: true });
  }
}
