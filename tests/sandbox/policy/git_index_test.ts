import { assertEquals, assertThrows } from "@std/assert";
import { GitIndexError, parseGitIndex } from "../../../src/sandbox/policy/git_index.ts";
import { findPrograms } from "../../../src/sandbox/linux/host.ts";

const ignore = findPrograms("git", Deno.env.get("PATH") ?? "").length === 0;

/** Runs a script in a fresh repository and reads what came of it. */
function indexAfter(script: string, init = ""): ReturnType<typeof parseGitIndex> {
  const directory = Deno.makeTempDirSync();
  try {
    const { success, stderr } = new Deno.Command("/bin/sh", {
      args: ["-ec", `git init -q ${init} .\n${script}`],
      cwd: directory,
      env: { HOME: directory, GIT_CONFIG_NOSYSTEM: "1" },
    }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return parseGitIndex(Deno.readFileSync(`${directory}/.git/index`));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

const LONG = "d".repeat(200);
/** Files around, names of every length modulo 8, one longer than the flags can say. */
const FILL = `
  oid=$(git hash-object -t tree -w /dev/null)
  for name in a ab abc abcd abcde abcdef abcdefg abcdefgh z/long/er zz; do
    mkdir -p $(dirname $name); echo $name > $name; git add $name
  done
  git update-index --add --cacheinfo 160000,$oid,abx
  git update-index --add --cacheinfo 160000,$oid,deps/one
  git update-index --add --cacheinfo 160000,$oid,deps/two
  path=${Array(21).fill(LONG).join("/")}
  git update-index --add --cacheinfo 160000,$oid,$path/m
`;
const SUBMODULES = ["abx", `${Array(21).fill(LONG).join("/")}/m`, "deps/one", "deps/two"];

for (const version of [2, 3, 4]) {
  for (const init of ["", "--object-format=sha256"]) {
    Deno.test({
      name: `submodules are found in an index of version ${version} ${init}`,
      ignore,
      fn: () => {
        // An entry that is to be added later takes version 3.
        const intent = version === 3 ? "echo n > new; git add -N new" : "";
        const script = `${FILL}\n${intent}\ngit update-index --index-version ${version}`;
        const { submodules, sharedIndex } = indexAfter(script, init);
        assertEquals([...submodules].sort(), [...SUBMODULES].sort());
        assertEquals(sharedIndex, undefined);
      },
    });
  }
}

Deno.test({
  name: "an index that adds to another names it",
  ignore,
  fn: () => {
    const { sharedIndex } = indexAfter(`${FILL}\ngit update-index --split-index`);
    assertEquals(/^sharedindex\.[0-9a-f]{40}$/.test(sharedIndex ?? ""), true);
  },
});

Deno.test("what is no index is refused", () => {
  for (
    const text of ["", "DIRC", "something else", `DIRC\0\0\0\u{2}\0\0\0\u{1}${"x".repeat(100)}`]
  ) {
    assertThrows(() => parseGitIndex(new TextEncoder().encode(text)), GitIndexError);
  }
});
