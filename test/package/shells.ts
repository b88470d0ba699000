/**
 * What bash, zsh and fish offer for a command line, with the completions that are made here.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { run } from "../support/program.ts";

/** A shell that completions are made for. */
export type Shell = "bash" | "fish" | "zsh";

/** Calls the function that bash would call, with the variables that bash would set. */
const BASH = `
source "$1"
while IFS= read -r line; do
    read -ra COMP_WORDS <<<"\${line//=/ = }"
    [[ $line == *[[:space:]] ]] && COMP_WORDS+=("")
    [[ $line == *= ]] && COMP_WORDS+=("")
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    # As bash does it: the word after a final equals sign is that sign itself.
    if [[ $line == *= ]]; then
        unset "COMP_WORDS[COMP_CWORD]"
        COMP_CWORD=$((COMP_CWORD - 1))
    fi
    _wgsig
    printf '%s\\n' "\${COMPREPLY[@]}" ";"
done < "$2"
`;

/** `complete -C` prints what fish would offer. */
const FISH = `
source $argv[1]
while read -l line
    complete -C $line | string replace -r '\\t.*' ''
    echo ";"
end < $argv[2]
`;

/**
 * zsh completes in its line editor alone: one is started on a terminal of its own, and what it
 * would add to its list is written down by a function in the place of `compadd`.
 */
const ZSH = `
zmodload zsh/zpty
print -r -- "
    fpath=(\${1:h} \\$fpath)
    autoload -Uz compinit
    compinit -u -D
    lines=\${(q)2}
    list=\${(q)3}
" '
    zstyle ":completion:*" completer _complete
    compadd() {
        # With one of these it only looks what would match, and adds nothing.
        if [[ -z \${argv[(r)-[OAD]]} ]]; then
            local -a found
            builtin compadd -A found "$@"
            (( $#found )) && print -rl -- $found >> $list
        fi
        builtin compadd "$@"
    }
    look() {
        _main_complete
        compstate[insert]= compstate[list]=
    }
    zle -C look complete-word look
    zle-line-init() {
        local line
        while IFS= read -r line; do
            BUFFER=$line CURSOR=$#line
            zle look
            print -r -- ";" >> $list
        done < $lines
        exit
    }
    zle -N zle-line-init
' > $3.start
zpty editor "zsh -f -i"
zpty -w editor "source \${(q)3}.start"
while zpty -r editor > /dev/null 2>&1; do :; done
cat $3
rm $3.start
`;

/**
 * What a shell offers for lines, each as it stands when the tabulator is pressed.
 *
 * @param file The completions.
 * @returns For each line the words, sorted.
 */
export async function offered(
  shell: Shell,
  file: string,
  lines: readonly string[],
  env: Record<string, string> = {},
): Promise<string[][]> {
  const folder = await Deno.makeTempDir();
  const input = `${folder}/lines`;
  await Deno.writeTextFile(input, lines.map((line) => `${line}\n`).join(""));
  const argv = {
    bash: ["bash", "--norc", "-c", BASH, "bash", file, input],
    fish: ["fish", "--no-config", "-c", FISH, file, input],
    zsh: ["zsh", "-f", "-c", ZSH, "zsh", file, input, `${folder}/list`],
  }[shell];
  const { out, err, code } = await run(["timeout", "60", ...argv], { env, cwd: folder });
  await Deno.remove(folder, { recursive: true });
  assertEquals([code, err], [0, ""], shell);
  const blocks = out.split(/^;$/m).slice(0, -1);
  assertEquals(blocks.length, lines.length, `${shell}: ${out}`);
  return blocks.map((block) => block.split("\n").filter((word) => word !== "").sort());
}
