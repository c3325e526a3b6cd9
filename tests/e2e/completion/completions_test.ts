import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { settled } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { runToEnd } from "../support/executor.ts";

const TYPE_INTO = fileURLToPath(new URL("type_into.py", import.meta.url));

/** A shell, how it is started without anybody's configuration, and how it comes to completions. */
const SHELLS = [
  {
    shell: "bash",
    args: ["--norc", "-i"],
    setUp: '. "$SCRIPT"; remex() { echo "$@" >> "$SAID"; }',
    /** What stands between an option that was completed and its value. */
    beforeValue: " ",
  },
  {
    shell: "zsh",
    args: ["-f", "-i"],
    setUp:
      'autoload -U compinit; compinit -D -u; . "$SCRIPT"; remex() { print -r -- "$@" >> "$SAID"; }',
    beforeValue: "=",
  },
  {
    shell: "fish",
    args: ["--no-config", "-i"],
    setUp: "source $SCRIPT; function remex; echo $argv >> $SAID; end",
    beforeValue: " ",
  },
];

function isInstalled(program: string): boolean {
  return new Deno.Command("sh", { args: ["-c", 'command -v "$0"', program], stdout: "null" })
    .outputSync().success;
}

for (const { shell, args, setUp, beforeValue } of SHELLS) {
  Deno.test({
    name: `completions: ${shell} completes commands, options, values, files and what follows --`,
    ignore: !isInstalled(shell) || !isInstalled("python3"),
    fn: async () => {
      using directory = new TemporaryDirectory();
      const { stdout, code } = await runToEnd(["completions", shell]);
      assertEquals(code, 0);
      const script = directory.write("completions", stdout);
      directory.write("some place/some file", "");
      for (const name of ["nightly-1", "weekly-1"]) {
        directory.write(`.local/state/remex/jobs/${name}.json`, "{}");
      }
      // What is typed, with tabs, and what the program is called with.
      const scene: [typed: string, called: string][] = [
        ["compl\t zs\t", "completions zsh"],
        ["help tok\t", "help token"],
        ["serve --max-conn\t7", `serve --max-connections${beforeValue}7`],
        ["serve --log deb\t", "serve --log debug"],
        ["serve --log=deb\t", "serve --log=debug"],
        ["exec --sandbox rea\t", "exec --sandbox read-only"],
        ["exec --no-std\t", "exec --no-stdin"],
        ["logs nig\t", "logs nightly-1"],
        ["kill wee\t", "kill weekly-1"],
        ["exec --cwd some\t", "exec --cwd some place"],
        ["exec --binary some\\ place/so\t", "exec --binary some place/some file"],
        ["exec --stdio -- cat some\\ place/so\t", "exec --stdio -- cat some place/some file"],
        ["exec --stdio -- setpri\t --no-new-privs", "exec --stdio -- setpriv --no-new-privs"],
      ];
      const lines = [setUp, ...scene.map(([typed]) => `remex ${typed}`), "exit", ""];
      const typing = new Deno.Command("python3", {
        args: [TYPE_INTO, shell, ...args],
        cwd: directory.path,
        env: {
          HOME: directory.path,
          TERM: "xterm",
          SCRIPT: script,
          SAID: `${directory.path}/said`,
        },
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const writer = typing.stdin.getWriter();
      await writer.write(new TextEncoder().encode(lines.join("\n")));
      await writer.close();
      const { stdout: screen } = await settled(typing.output(), "the end of the shell");
      const said = Deno.readTextFileSync(`${directory.path}/said`).trimEnd().split("\n")
        .map((line) => line.replace(/[ /]+$/, ""));
      assertEquals(said, scene.map(([_, called]) => called), new TextDecoder().decode(screen));
    },
  });
}

Deno.test("completions: bash offers every option of every command", async () => {
  using directory = new TemporaryDirectory();
  const { stdout } = await runToEnd(["completions", "bash"]);
  const completions = directory.write("completions", stdout);
  const commands = Object.keys(COMMANDS);
  const offering = `. "$0"; for command; do
    COMP_WORDS=(remex "$command" --)
    COMP_CWORD=2
    _remex
    echo "\${COMPREPLY[@]}"
  done`;
  const { stdout: offered } = await new Deno.Command("bash", {
    args: ["--norc", "-c", offering, completions, ...commands],
  }).output();
  const lines = new TextDecoder().decode(offered).trimEnd().split("\n");
  for (const [index, { manual }] of Object.values(COMMANDS).entries()) {
    const { options, otherOptions = [] } = await manual();
    const offers = lines[index]?.split(" ").filter((word) => word !== "--");
    const names = [...options, ...otherOptions].map(({ name }) => name);
    assertEquals(offers?.toSorted(), names.toSorted(), commands[index]);
  }
});

Deno.test("completions: a shell that it does not know is refused", async () => {
  for (
    const [args, reason] of [
      [["tcsh"], "unexpected argument `tcsh`; the shells are bash, zsh and fish"],
      [[], "say for which shell: bash, zsh or fish"],
      [["bash", "--fast"], "unknown option `--fast`"],
    ] as const
  ) {
    const { code, stdout, stderr } = await runToEnd(["completions", ...args]);
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assertStringIncludes(stderr, reason);
  }
});
