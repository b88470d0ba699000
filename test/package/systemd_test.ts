/** systemd's units: checked by its own tools, and run by a systemd of their own. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildDeb } from "../../scripts/package/deb.ts";
import { ROOT } from "../../scripts/tools.ts";
import { BINARY, run, testWith, withFolder } from "../support/program.ts";
import { CleanRoot } from "./clean_root.ts";

const FOLDER = `${ROOT}/scripts/package/systemd`;
const DATE = Date.UTC(2026, 1, 3) / 1000;
/** `systemd-analyze security` counts from 0 to 10; tenths here. */
const MAX_EXPOSURE: Readonly<Record<string, number>> = {
  "wgsig-serve.service": 11,
  "wgsig-sync@wg0.service": 22,
};

testWith(["shellcheck"], "shellcheck finds nothing wrong with the package's scripts", async () => {
  const names = ["postinst", "prerm", "postrm"].map((name) => `${FOLDER}/../debian/${name}`);
  const { code, out } = await run(["shellcheck", `${FOLDER}/serve-settings`, ...names]);
  assertEquals([code, out], [0, ""]);
});

testWith(["systemd-analyze"], "systemd-analyze finds nothing wrong with the units", async () => {
  await withFolder(async (folder) => {
    for (const name of ["wgsig-serve.service", "wgsig-sync@.service"]) {
      // The programs of the units are not on this machine; all else is looked at as it is.
      const text = (await Deno.readTextFile(`${FOLDER}/${name}`))
        .replaceAll(/^(ExecStart=)wgsig |\/usr\/lib\/wgsig\/serve-settings /gm, "$1/bin/true ")
        .replaceAll(/^Documentation=.*$/gm, "");
      const unit = name.replace("@", "@wg0");
      await Deno.writeTextFile(`${folder}/${unit}`, text);
      const verify = ["systemd-analyze", "verify", "--man=no", `${folder}/${unit}`];
      const { code, out, err } = await run(verify, { env: { SYSTEMD_LOG_LEVEL: "warning" } });
      assertEquals([code, out, err], [0, "", ""], unit);

      const threshold = `--threshold=${MAX_EXPOSURE[unit]}`;
      const argv = ["systemd-analyze", "security", "--offline=yes", "--no-pager", threshold];
      const security = await run([...argv, `${folder}/${unit}`]);
      assertEquals(security.code, 0, security.out.match(/^(?:✗|→).*$/gm)?.join("\n"));
    }
  });
});

/** Run as a service in a Debian of its own: `step` names what follows. */
const SCRIPT = String.raw`
step() { echo "=== $1"; }
until_status() { for i in $(seq 150); do systemctl show "$1" -p StatusText | grep -q "$2" && return; sleep 0.1; done; }
until_active() { for i in $(seq 50); do systemctl -q is-active "$1" && ss -Hlun | grep -q :1223 && return; sleep 0.1; done; }
step start
systemctl start wgsig-serve; echo "status $?"; sleep 1
step status
systemctl is-active wgsig-serve; systemctl show wgsig-serve -p Result -p ExecMainStatus
step secret
wgsig keygen secret --output /etc/wgsig/secret
systemctl start wgsig-serve; until_active wgsig-serve
wgsig keygen private > /root/private; chmod 600 /root/private
wgsig keygen public < /root/private > /root/public
step query
wgsig query 127.0.0.1 --key /root/public --dump; echo "status $?"
step asked
wgsig status serve --json | grep -c '"listen"'; wgsig status 1223 | grep -c '^group 0'
step user
pid=$(systemctl show wgsig-serve -p MainPID --value)
awk '/^Uid|^Cap(Eff|Prm|Bnd)|^NoNewPrivs|^Seccomp:/ { print $1, $2 }' /proc/$pid/status
step outside
touch /proc/$pid/root/etc/wgsig/x /proc/$pid/root/usr/x 2>&1 | grep -c 'Read-only'
step reload
old=$(cat /etc/wgsig/secret)
rm /etc/wgsig/secret; wgsig keygen secret --output /etc/wgsig/secret
systemctl reload wgsig-serve; echo "status $?"; sleep 0.5
wgsig query 127.0.0.1 --key /root/public --dump; echo "status $?"
echo "$old" > /root/old; chmod 600 /root/old
wgsig query 127.0.0.1 --key /root/public --secret /root/old --timeout 1s; echo "status $?"
step restart
systemctl kill -s KILL wgsig-serve; sleep 6; until_active wgsig-serve
journalctl -o cat -u wgsig-serve | grep -c state-restored
step sync
systemctl start wgsig-sync@wg0; sleep 0.5; systemctl is-active wgsig-sync@wg0
printf '[sync.wg0]\nservers = ["127.0.0.1"]\n' >> /etc/wgsig/wgsig.toml
systemctl restart wgsig-sync@wg0; sleep 0.5
mkdir -p /run/wireguard; wireguard-go wg0 > /root/go 2>&1 || cat /root/go
wg set wg0 private-key /root/private listen-port 51820; ip link set wg0 up; sleep 3
until_status wgsig-sync@wg0 alive
systemctl show wgsig-sync@wg0 -p StatusText
journalctl -o cat -u wgsig-sync@wg0 | grep -E 'interface-found|own-endpoint|warn|error'
pid=$(systemctl show wgsig-sync@wg0 -p MainPID --value)
awk '/^CapEff/ { print $1, $2 }' /proc/$pid/status
step permitted
mkdir /etc/systemd/system/wgsig-serve.service.d
mv /root/permit.conf /etc/systemd/system/wgsig-serve.service.d/
printf '[serve.dns]\nlisten = ["127.0.0.1:53"]\nzone = "wg.example.com"\n' >> /etc/wgsig/wgsig.toml
systemctl daemon-reload; systemctl restart wgsig-serve; until_active wgsig-serve
wgsig query dns://127.0.0.1/wg.example.com --key /root/public --dump; echo "status $?"
pid=$(systemctl show wgsig-serve -p MainPID --value)
awk '/^CapEff/ { print $1, $2 }' /proc/$pid/status
step stop
systemctl stop wgsig-sync@wg0 wgsig-serve; ls -d /run/wgsig-serve /run/wgsig
systemctl show wgsig-serve wgsig-sync@wg0 -p Result
step purge
dpkg --purge wgsig > /dev/null 2>&1; echo "status $?"
ls -d /etc/wgsig /var/lib/wgsig /var/lib/private/wgsig 2>/dev/null; systemctl list-unit-files 'wgsig*' | grep -c wgsig
step permanent
install /root/wgsig.bin /usr/local/bin/wgsig; hash -r
wgsig keygen secret --output /etc/wgsig/secret
cd /root/clone; . /root/permanent.sh
systemctl enable --now wgsig-serve; echo "status $?"; until_active wgsig-serve
wgsig query 127.0.0.1 --key /root/public --dump; echo "status $?"
systemctl restart wgsig-serve; until_active wgsig-serve
journalctl -o cat -u wgsig-serve -n 20 | grep -c state-restored
step foreground
ip link del wg0; mkdir -p /etc/wireguard
(umask 077; printf '[Interface]\nPrivateKey = %s\nListenPort = 51820\nAddress = 10.0.0.1/24\n' "$(cat /root/private)" > /etc/wireguard/wg0.conf)
printf '[sync.wg0]\nservers = ["127.0.0.1"]\n' >> /etc/wgsig/wgsig.toml
wg-quick up wg0 > /root/up 2>&1; echo "status $?"
step peer
. /root/peer.sh; echo "status $?"
until_status wgsig-sync@wg0 seen
systemctl is-active wg-quick@wg0 wgsig-sync@wg0
systemd-analyze cat-config sysctl.d 2> /dev/null | grep ip_forward
step end
`;

testWith(
  ["root", "mmdebstrap", "dpkg-deb", "systemd-nspawn"],
  "systemd runs the registry as nobody in particular, and sync with two capabilities",
  async () => {
    await using root = await CleanRoot.open();
    await withFolder(async (folder) => {
      const file = await buildDeb({ binary: BINARY, folder, date: DATE, level: 1 });
      await root.install(file);
    });
    // What docs/install.md says that DNS and interfaces need.
    const page = await Deno.readTextFile(`${ROOT}/docs/install.md`);
    const [, permit = ""] = /^```ini\n([^]*?)^```$/m.exec(page) ?? [];
    await Deno.writeTextFile(`${root.folder}/root/permit.conf`, permit);
    // What README.md says for a binary that was installed by hand.
    const readme = await Deno.readTextFile(`${ROOT}/README.md`);
    const [, permanent = ""] = /^## Make it permanent$[^]*?^```sh\n([^]*?)^```$/m.exec(readme) ??
      [];
    const [, state = ""] = /^## Make it permanent$[^]*?^```toml\n([^]*?)^```$/m.exec(readme) ?? [];
    await Deno.writeTextFile(
      `${root.folder}/root/permanent.sh`,
      `${permanent.replaceAll("sudo ", "")}\ncat > /etc/wgsig/wgsig.toml << .\n${state}.\n`,
    );
    const peer = /^## Make it permanent$([^]*?)^## /m.exec(readme)![1]!.matchAll(/^home# (.*)$/gm);
    const lines = [...peer].map(([, line]) => `${line} || exit`);
    assert(lines.length >= 3, readme);
    await Deno.writeTextFile(`${root.folder}/root/peer.sh`, `(${lines.join("\n")})\n`);
    const units = "scripts/package/systemd";
    await Deno.mkdir(`${root.folder}/root/clone/${units}`, { recursive: true });
    for await (const { name } of Deno.readDir(`${ROOT}/${units}`)) {
      await Deno.copyFile(`${ROOT}/${units}/${name}`, `${root.folder}/root/clone/${units}/${name}`);
    }
    await Deno.copyFile(BINARY, `${root.folder}/root/wgsig.bin`);
    const printed = await root.boot(SCRIPT);
    const step = (name: string) => {
      const [, text] = new RegExp(`^=== ${name}\n([^]*?)^=== `, "m").exec(printed) ?? [];
      assert(text !== undefined, `${name}: ${printed}`);
      return text;
    };
    // Without a secret it ends, and is not started over and over.
    assertStringIncludes(step("status"), "ExecMainStatus=6");
    assertStringIncludes(step("status"), "failed\n");
    assertEquals(step("asked"), "1\n1\n");
    assertMatch(step("query"), /^\S{44}\t127\.0\.0\.1:\d+\t\d+\nstatus 0\n$/);

    const user = Object.fromEntries(
      step("user").trim().split("\n").map((line) => line.split(/:?\s+/) as [string, string]),
    );
    assert(Number(user["Uid"]) >= 61184 && Number(user["Uid"]) <= 65519, user["Uid"]);
    assertEquals([user["CapEff"], user["CapPrm"], user["CapBnd"]], Array(3).fill("0".repeat(16)));
    assertEquals([user["NoNewPrivs"], user["Seccomp"]], ["1", "2"]);
    assertEquals(step("outside"), "2\n");

    const [first, last] = step("reload").split(/^status 0\n(?=wgsig: )/m);
    assertMatch(first!, /^status 0\n\S{44}\t127\.0\.0\.1:\d+\t\d+\n$/);
    assertMatch(last!, /status [24]\n$/);
    assertEquals(step("restart"), "1\n");

    // Without a server to ask, its settings are wrong.
    assertStringIncludes(step("sync"), "failed\n");
    assertStringIncludes(step("sync"), "interface-found interface=wg0 port=51820 register=raw");
    assertStringIncludes(step("sync"), "own-endpoint endpoint=127.0.0.1:51820");
    // The journal has a time of its own.
    assertMatch(step("sync"), /^info interface-found /m);
    assertMatch(step("sync"), /^StatusText=wg0: 0 of 0 peers alive, seen at 127\.0\.0\.1:51820$/m);
    // CAP_NET_ADMIN is 12, CAP_NET_RAW 13.
    assertStringIncludes(step("sync"), "CapEff: 0000000000003000\n");

    assertStringIncludes(step("permitted"), "status 0\n");
    // CAP_NET_BIND_SERVICE is 10.
    assertStringIncludes(step("permitted"), "CapEff: 0000000000001400\n");

    assertEquals(step("stop").match(/Result=\w+/g), ["Result=success", "Result=success"]);
    assertStringIncludes(step("stop"), "cannot access '/run/wgsig-serve'");
    assertEquals(step("purge"), "status 0\n0\n");
    assertMatch(
      step("permanent"),
      /status 0\n\S{44}\t127\.0\.0\.1:\d+\t\d+\nstatus 0\n1\n$/,
    );
    assertMatch(step("foreground"), /^status 0\n$/m);
    assertMatch(step("peer"), /status 0\nactive\nactive\nnet\.ipv4\.ip_forward=1\n$/);
  },
);
