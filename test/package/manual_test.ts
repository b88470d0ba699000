/** The manual page and the completions: correct for their tools, and saying what the table says. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS, type CommandSpec, type FlagSpec } from "../../lib/core/settings/commands.ts";
import { EXIT } from "../../lib/core/settings/user_error.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";
import { namespaceEnding, RUN_FOLDER } from "../../lib/service/files/own_folders.ts";
import { manualPage, shareFiles } from "../../scripts/man.ts";
import { BINARY, run, testWith, withFolder } from "../support/program.ts";
import { offered, type Shell } from "./shells.ts";

const HOST = denoHost({ libc: false });
const DATE = Date.UTC(2026, 1, 3) / 1000;
const FILES: Readonly<Record<Shell, string>> = {
  bash: "bash-completion/completions/wgsig",
  fish: "fish/vendor_completions.d/wgsig.fish",
  zsh: "zsh/site-functions/_wgsig",
};
const SHELLS = Object.keys(FILES) as Shell[];

/** Writes what is made into a folder. */
async function withShare(test: (folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    for (const [path, text] of Object.entries(shareFiles(DATE))) {
      const file = `${folder}/${path}`;
      await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(file, text);
    }
    await test(folder);
  });
}

function flagsOf({ flags }: CommandSpec): string[] {
  return flags.map(({ name }) => `--${name}`).sort();
}

testWith(["mandoc"], "mandoc finds nothing wrong with the manual page", async () => {
  await withShare(async (folder) => {
    const page = `${folder}/man/man1/wgsig.1`;
    const { code, out, err } = await run(["mandoc", "-T", "lint", "-W", "warning", page]);
    assertEquals([code, out, err], [0, "", ""]);
  });
});

testWith(["man"], "groff finds nothing wrong with the manual page", async () => {
  await withShare(async (folder) => {
    const page = `${folder}/man/man1/wgsig.1`;
    const argv = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page];
    const { code, err } = await run(argv, { env: { LC_ALL: "C.UTF-8", MANROFFSEQ: "" } });
    assertEquals([code, err], [0, ""]);
  });
});

testWith(["mandoc"], "the manual page says what the table says", async () => {
  await withShare(async (folder) => {
    const page = `${folder}/man/man1/wgsig.1`;
    const argv = ["mandoc", "-T", "ascii", "-O", "width=900", page];
    // Bold and underlined letters are printed twice.
    const text = (await run(argv)).out.replace(/.[\b]/g, "");
    assertStringIncludes(text, "February 3, 2026");
    for (const command of COMMANDS) {
      const start = text.indexOf(`\n   ${command.name}\n`);
      assert(start > 0, command.name);
      const section = text.slice(start, start + 1 + text.slice(start + 1).search(/\n(?: {3})?\w/));
      const items = section.match(/^ {5}--\S+/gm)?.map((each) => each.trim()).sort();
      assertEquals(items, flagsOf(command));
      for (const option of command.flags) {
        assertStringIncludes(section, item(option), command.name);
        assertStringIncludes(section, `${option.help.slice(1)}.`, command.name);
      }
    }
    const statuses = text.slice(text.indexOf("EXIT STATUS"), text.indexOf("EXAMPLES"));
    assertEquals(statuses.match(/^ {5}\d/gm)?.map(Number), Object.values(EXIT));
  });
});

function item({ name, value }: FlagSpec): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

Deno.test("the built program's help has the options of the manual page", async () => {
  for (const command of COMMANDS) {
    const { out } = await run([BINARY, command.name, "--help"]);
    assertEquals(out.match(/^ {2}--\S+/gm)?.map((each) => each.trim()).sort(), flagsOf(command));
  }
});

Deno.test("the same date makes the same page", () => {
  assertEquals(manualPage(DATE), manualPage(DATE));
  assert(manualPage(DATE) !== manualPage(DATE + 86_400));
});

testWith(
  ["shellcheck"],
  "shellcheck finds nothing wrong with the completion for bash",
  async () => {
    await withShare(async (folder) => {
      const { code, out } = await run(["shellcheck", `${folder}/${FILES.bash}`]);
      assertEquals([code, out], [0, ""]);
    });
  },
);

/** A `wg` that names two interfaces, a registry of two peers, and a folder with two files. */
async function withScene(
  test: (folder: string, env: Record<string, string>) => Promise<void>,
): Promise<void> {
  await withShare(async (folder) => {
    await Deno.mkdir(`${folder}/bin`);
    const wg = `${folder}/bin/wg`;
    await Deno.writeTextFile(wg, `#!/bin/sh\n[ "$*" = "show interfaces" ] && echo "wg7 home0"\n`);
    await Deno.chmod(wg, 0o755);
    const wgsig = `${folder}/bin/wgsig`;
    const names = `[ "$*" = "registry list --names" ] && printf 'alice\\nann-2\\n'`;
    await Deno.writeTextFile(wgsig, `#!/bin/sh\n${names}\n`);
    await Deno.chmod(wgsig, 0o755);
    await Deno.mkdir(`${folder}/files`);
    for (const name of ["secret-a", "secret-b"]) {
      await Deno.writeTextFile(`${folder}/files/${name}`, "");
    }
    await test(folder, { PATH: `${folder}/bin:${Deno.env.get("PATH")}` });
  });
}

/** Without what stands before the equals sign, or before a file's name. */
function bare(words: readonly string[]): string[] {
  return words.map((word) => word.replace(/^.*[=/]/, "")).sort();
}

for (const shell of SHELLS) {
  testWith([shell], `${shell} completes commands, options and their values`, async () => {
    await withScene(async (folder, env) => {
      const ask = (lines: readonly string[]) =>
        offered(shell, `${folder}/${FILES[shell]}`, lines, env);
      const names = COMMANDS.map(({ name }) => name).sort();

      const [all, some, help] = await ask(["wgsig ", "wgsig s", "wgsig help "]);
      assertEquals(all, [...names, "help", "version"].sort());
      assertEquals([some, help], [["serve", "status", "sync"], names]);

      const flags = await ask(COMMANDS.map(({ name }) => `wgsig ${name} --`));
      assertEquals(flags.map((each) => bare(each).sort()), COMMANDS.map(flagsOf));

      const choices = COMMANDS.flatMap(({ name, flags }) =>
        flags.filter(({ value }) => /^[a-z]+\|/.test(value ?? ""))
          .flatMap((option) => [
            { line: `wgsig ${name} --${option.name} `, words: option.value!.split("|") },
            { line: `wgsig ${name} --${option.name}=`, words: option.value!.split("|") },
          ])
      );
      assert(choices.length >= 10);
      const words = await ask(choices.map(({ line }) => line));
      assertEquals(words.map(bare), choices.map((each) => each.words.sort()));

      const path = `${folder}/files/`;
      const lines = [
        "wgsig sync ",
        "wgsig status ",
        "wgsig config ",
        "wgsig serve --interface ",
        "wgsig query --interface h",
        `wgsig serve --secret ${path}`,
        `wgsig sync --config ${path}secret-b`,
        `wgsig query --key ${path}`,
        "wgsig keygen ps",
        "wgsig keygen p",
        "wgsig query --port ",
        "wgsig serve --listen ",
        "wgsig sync wg7 --onc",
        "wgsig serve --interface wg7 --lease-t",
        "wgsig query serve --verb",
        "wgsig registry re",
        "wgsig registry rename ",
        "wgsig registry --group 0 forget al",
        "wgsig registry --json revoke an",
        "wgsig registry rename alice a",
      ];
      const interfaces = ["home0", "wg7"];
      assertEquals((await ask(lines)).map(bare), [
        interfaces,
        interfaces,
        interfaces,
        interfaces,
        ["home0"],
        ["secret-a", "secret-b"],
        ["secret-b"],
        ["secret-a", "secret-b"],
        ["psk"],
        ["private", "psk", "public"],
        [],
        [],
        ["--once"],
        ["--lease-time"],
        [],
        ["rename", "revoke"],
        ["alice", "ann-2"],
        ["alice"],
        ["ann-2"],
        [],
      ]);
    });
  });
}

for (const shell of SHELLS) {
  testWith([shell, "root"], `${shell} offers interfaces of settings and of what runs`, async () => {
    await withScene(async (folder, env) => {
      const name = `run${Deno.pid}`.slice(0, 15);
      // What answers there isn't asked.
      const socket = `${RUN_FOLDER}/${name}${await namespaceEnding(HOST)}.sync.sock`;
      await HOST.makeFolder(RUN_FOLDER);
      await Deno.writeTextFile(socket, "");
      try {
        const settings = `${folder}/wgsig.toml`;
        await Deno.writeTextFile(settings, '[sync.wg7]\n[sync.set0]\n[sync."a b"]\n');
        const program = `${folder}/bin/wgsig`;
        await Deno.remove(program).catch(() => {});
        await Deno.symlink(BINARY, program);
        const ask = async (more: Record<string, string>) =>
          await offered(
            shell,
            `${folder}/${FILES[shell]}`,
            ["wgsig status ", "wgsig sync s", "wgsig doctor "],
            { ...env, ...more },
          );
        const [all = [], some, doctor = []] = await ask({ WGSIG_CONFIG: settings });
        // Others may run here meanwhile.
        for (const each of ["home0", name, "set0", "wg7"]) assert(all.includes(each), all.join());
        assertEquals(all.filter((each) => each === "wg7").length, 1);
        assert(!all.some((each) => /^[ab]$/.test(each)));
        assertEquals([some, doctor.includes("set0")], [["set0"], true]);
        // Settings that are wrong are no news for who presses the tabulator.
        await Deno.writeTextFile(settings, "[sync\n");
        const [still = []] = await ask({ WGSIG_CONFIG: settings });
        assert(still.includes("wg7") && still.includes(name) && !still.includes("set0"));
      } finally {
        await Deno.remove(socket);
      }
    });
  });
}
