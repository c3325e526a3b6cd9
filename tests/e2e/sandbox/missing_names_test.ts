import { assertEquals } from "@std/assert";
import { eventually } from "../../support/patience.ts";
import { testOnMachines, TOOLS_PATH } from "./support/machines.ts";

const shell = (script: string) => ["/bin/sh", "-c", script];

const WAYS_TO_MAKE = [
  "mkdir $n",
  "sh -c 'echo x > $n'",
  "ln -s /etc $n",
  "ln file $n",
  "mkfifo $n",
  "mv -T other $n",
  "cp file $n",
];

testOnMachines("a protected name that is missing stays missing, for everyone", async (scene) => {
  const { workspace } = scene;
  const script = "ls -A; touch ready; until [ -e go ]; do sleep 0.01; done; mkdir other; " +
    "for n in .git .agents .codex; do export n; " +
    WAYS_TO_MAKE.map((way) => `${way} && echo "made: ${way}";`).join(" ") + " done; " +
    "rmdir other; ls -A";
  const running = scene.run(shell(script), { env: { PATH: TOOLS_PATH } });
  await eventually(() => exists(`${workspace}/ready`), "the command to be ready");
  assertEquals(namesIn(workspace), ["file", "ready"]);
  Deno.writeTextFileSync(`${workspace}/go`, "");
  const { stdout } = await running;
  assertEquals(stdout, "file\nfile\ngo\nready\n");
  assertEquals(namesIn(workspace), ["file", "go", "ready"]);
});

testOnMachines("what is mounted in a sandbox cannot be moved away", async (scene) => {
  const { workspace, user } = scene;
  for (const name of [".git"]) {
    Deno.mkdirSync(`${workspace}/${name}`);
    if (user.id !== undefined) Deno.chownSync(`${workspace}/${name}`, user.id, user.id);
  }
  const { stdout } = await scene.run(shell(
    "mkdir new; mv .git away && echo moved; mv -T new .git && echo replaced; " +
      "mv $PWD $PWD-away && echo moved the workspace; ls -A",
  ));
  assertEquals(stdout, ".git\nfile\nnew\n");
});

/** Whether a tool does the same inside and outside, each in a directory of its own. */
function testTool(name: string, script: string, needs: readonly string[]): void {
  testOnMachines(`${name} as without a sandbox`, async (scene) => {
    const { workspace, user } = scene;
    const env = {
      PATH: TOOLS_PATH,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "n",
      GIT_AUTHOR_EMAIL: "a@b",
      GIT_COMMITTER_NAME: "n",
      GIT_COMMITTER_EMAIL: "a@b",
    };
    const outcomes: unknown[] = [];
    for (const more of [{ sandbox: null }, {}]) {
      const place = `${workspace}/${outcomes.length}`;
      Deno.mkdirSync(`${place}/tmp`, { recursive: true });
      if (user.id !== undefined) {
        for (const path of [place, `${place}/tmp`]) Deno.chownSync(path, user.id, user.id);
      }
      const { stdout, stderr, exitCode } = await scene.run(
        shell(`cd ${place} && { ${script}\n}`),
        { env: { ...env, HOME: place, TMPDIR: `${place}/tmp` }, ...more },
      );
      outcomes.push(
        [exitCode, stdout, stderr].map((text) => String(text).replaceAll(place, "PLACE")),
      );
    }
    const [outside, inside] = outcomes;
    assertEquals(inside, outside);
    assertEquals(Array.isArray(outside) && outside[0], "0", JSON.stringify(outside));
  }, { needs });
}

const REPOSITORY = "git init -q r && cd r && echo 1 > f && git add f && git commit -qm first";

testTool("git clones into a directory", `(${REPOSITORY}) && git clone -q r c && ls -A c`, ["git"]);
testTool(
  "git stashes and takes back",
  `${REPOSITORY} && echo 2 > f && git stash -q && cat f && git stash pop -q && cat f`,
  ["git"],
);
testTool(
  "git adds worktrees",
  `${REPOSITORY} && git worktree add -q ../w && ls -A ../w && git worktree list | wc -l`,
  ["git"],
);
testTool(
  "git adds submodules",
  `(${REPOSITORY}) && git init -q s && cd s && ` +
    "git -c protocol.file.allow=always submodule --quiet add ../r r && " +
    "git commit -qm second && git submodule status | cut -c42-",
  ["git"],
);
testTool(
  "tar stores and takes out",
  "mkdir -p a/b && echo x > a/b/f && ln -s b a/l && tar -cf a.tar a && rm -r a && tar -xf a.tar && " +
    "cat a/l/f && readlink a/l",
  ["tar"],
);
testTool(
  "rsync copies",
  "mkdir a && echo x > a/f && ln a/f a/g && rsync -aH a/ b && cat b/g && stat -c %h b/f",
  ["rsync"],
);
testTool(
  "cmake configures and builds",
  `printf 'cmake_minimum_required(VERSION 3.10)\\nproject(p C)\\nadd_executable(p p.c)\\n' > CMakeLists.txt
   echo 'int main(void) { return 0; }' > p.c
   cmake -S . -B out > log && cmake --build out > log && out/p && echo built`,
  ["cmake", "cc", "make"],
);
testTool(
  "java compiles and runs",
  `echo 'class A { public static void main(String[] a) { System.out.println(6 * 7); } }' > A.java
   javac A.java && java -cp . A`,
  ["java", "javac"],
);
testTool(
  "go builds",
  `printf 'module m\\ngo 1.18\\n' > go.mod && printf 'package main\\nfunc main() { println(42) }\\n' > m.go
   GOFLAGS= GOPROXY=off go build -o m . && ./m`,
  ["go"],
);
testTool(
  "ripgrep takes no directory for a repository",
  "echo f > .gitignore && echo needle > f && rg needle",
  ["rg"],
);

function exists(path: string): boolean {
  return namesIn(path.slice(0, path.lastIndexOf("/"))).includes(
    path.slice(path.lastIndexOf("/") + 1),
  );
}

function namesIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
}
