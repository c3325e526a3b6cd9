/** What people who work in a sandbox use every day, and what becomes of it there. */
export interface DailyTool {
  /** What it is, as the documentation says it. */
  readonly name: string;
  /** Without these programs there is nothing to test. */
  readonly needs: readonly string[];
  /** Run by sh(1) in a directory of the workspace, where it says the same inside and outside. */
  readonly script: string;
  /** How a sandbox is told by it, where it is: what goes wrong, and how that is documented. */
  readonly differs?: {
    readonly stderr: RegExp;
    readonly bubblewrap?: string;
    readonly landlock?: string;
  };
}

const REPOSITORY = "git init -q r && cd r && echo 1 > f && git add f && git commit -qm first";

const PYTHON_CHILDREN = `
import multiprocessing, sys
def child(pipe): pipe.send(sys.argv[1]); pipe.close()
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    process.start(); theirs.close()
    print(ours.recv()); process.join()
`;

const PYTHON_POOL = `
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(abs, [-1, -2]))
`;

const NODE_CHILDREN = `
const { fork } = require("node:child_process");
const { Worker, isMainThread } = require("node:worker_threads");
if (process.send) process.on("message", (n) => process.send(n + 1, () => process.disconnect()));
else if (isMainThread) {
  const child = fork(__filename);
  child.on("message", (n) => {
    console.log(n);
    new Worker(__filename).on("exit", (code) => console.log("worker", code));
  });
  child.send(41);
}
`;

/** A command that puts a text into a file; the text has no line `END`. */
function file(name: string, text: string): string {
  return `cat > ${name} <<'END'\n${text.trim()}\nEND\n`;
}

/** In the order of the documentation. */
export const DAILY_TOOLS: readonly DailyTool[] = [
  {
    name: "git: init, add, commit, log below the workspace",
    needs: ["git"],
    script: `${REPOSITORY} && git log --format=%s && git status --short`,
  },
  {
    name: "git: clone",
    needs: ["git"],
    script:
      `(${REPOSITORY}) && git clone -q r c && ls -A c && mkdir d && cd d && git clone -q ../r .`,
  },
  {
    name: "git: stash",
    needs: ["git"],
    script: `${REPOSITORY} && echo 2 > f && git stash -q && cat f && git stash pop -q && cat f`,
  },
  {
    name: "git: worktree",
    needs: ["git"],
    script: `${REPOSITORY} && git worktree add -q ../w && ls -A ../w && git worktree list | wc -l`,
  },
  {
    name: "git: submodule",
    needs: ["git"],
    script: `(${REPOSITORY}) && git init -q s && cd s && ` +
      "git -c protocol.file.allow=always submodule --quiet add ../r r && " +
      "git commit -qm second && git submodule status | cut -c42-",
  },
  {
    name: "go: build",
    needs: ["go"],
    script: file("go.mod", "module m\ngo 1.18") +
      file("m.go", "package main\nfunc main() { println(42) }") +
      "GOFLAGS= GOPROXY=off go build -o m . && ./m",
  },
  {
    name: "cargo: build",
    needs: ["cargo"],
    script: "cargo init -q --vcs none --name p . && cargo run -q --offline",
  },
  {
    name: "node: fork, worker",
    needs: ["node"],
    script: `${file("n.cjs", NODE_CHILDREN)}node n.cjs`,
  },
  {
    name: "esbuild",
    needs: ["esbuild"],
    script: file("n.ts", "export const n: number = 42;") +
      file("m.ts", 'import { n } from "./n.ts"; console.log(n);') +
      "esbuild --bundle --platform=node --log-level=warning m.ts > m.cjs && node m.cjs",
  },
  {
    name: "tsx",
    needs: ["tsx"],
    script: `${file("m.ts", "const n: number = 42; console.log(n);")}tsx m.ts`,
    differs: {
      stderr: /listen E(PERM|ACCES)/,
      bubblewrap: "refused: a unix socket",
      landlock: "refused: a unix socket",
    },
  },
  {
    name: "vitest",
    needs: ["vitest"],
    script: file("m.test.ts", 'test("m", () => { const n: number = 42; expect(n).toBe(42); });') +
      "vitest run --globals --no-color > log && grep -o '1 passed' log",
  },
  {
    name: "npm: install of a directory, run",
    needs: ["npm"],
    script: file("package.json", '{ "name": "x", "scripts": { "hi": "echo hi" } }') +
      `mkdir d && ${file("d/package.json", '{ "name": "d", "version": "1.0.0" }')}` +
      "npm install --silent --offline --no-audit --no-fund ./d && readlink node_modules/d && " +
      "npm run --silent hi",
  },
  {
    name: "python: multiprocessing by fork and spawn",
    needs: ["python3"],
    script: `${file("p.py", PYTHON_CHILDREN)}python3 p.py fork && python3 p.py spawn`,
  },
  {
    name: "python: multiprocessing by forkserver",
    needs: ["python3"],
    script: `${file("p.py", PYTHON_CHILDREN)}python3 p.py forkserver`,
    differs: {
      stderr: /PermissionError/,
      bubblewrap: "refused: a unix socket",
      landlock: "refused: a unix socket",
    },
  },
  {
    name: "python: a pool of processes",
    needs: ["python3"],
    script: `${file("p.py", PYTHON_POOL)}python3 p.py`,
    differs: { stderr: /Error/, landlock: "refused: `/dev/shm`" },
  },
  {
    name: "python: venv",
    needs: ["python3"],
    script: "python3 -m venv --without-pip v && v/bin/python -c 'print(6 * 7)'",
  },
  {
    name: "pytest",
    needs: ["pytest"],
    script: `${file("test_p.py", "def test_p(tmp_path): (tmp_path / 'f').write_text('x')")}` +
      "pytest -q | head -1",
  },
  {
    name: "java: compile and run",
    needs: ["java"],
    script: file(
      "A.java",
      "class A { public static void main(String[] a) { System.out.println(42); } }",
    ) +
      "java -XX:TieredStopAtLevel=1 A.java",
  },
  {
    name: "ripgrep: takes no directory for a repository",
    needs: ["rg"],
    script: "echo f > .gitignore && echo needle > f && rg needle",
  },
  {
    name: "tar",
    needs: ["tar"],
    script: "mkdir -p a/b && echo x > a/b/f && ln -s b a/l && tar -cf a.tar a && rm -r a && " +
      "tar -xf a.tar && cat a/l/f && readlink a/l",
  },
  {
    name: "rsync",
    needs: ["rsync"],
    script: "mkdir a && echo x > a/f && ln a/f a/g && rsync -aH a/ b && cat b/g && stat -c %h b/f",
  },
  {
    name: "make, cc",
    needs: ["make", "cc"],
    script: file("p.c", "int main(void) { return 0; }") +
      file("Makefile", "all: p q\np q: p.c\n\tcc -o $@.new $< && mv $@.new $@") +
      "make -s -j2 && ./p && ./q && echo built",
  },
  {
    name: "cmake",
    needs: ["cmake", "make"],
    script: file(
      "CMakeLists.txt",
      "cmake_minimum_required(VERSION 3.10)\nproject(p NONE)\n" +
        "add_custom_target(p ALL COMMAND ${CMAKE_COMMAND} -E touch built)",
    ) + "cmake -S . -B out > log && cmake --build out > log && ls out/built",
  },
];

/** The table of the documentation: what becomes of each by each mechanism. */
export function toolsTable(): string {
  const rows = DAILY_TOOLS.map(({ name, differs }) => [
    name,
    differs?.bubblewrap ?? "works",
    differs?.landlock ?? "works",
  ]);
  const lines = [["tool", "bubblewrap", "Landlock"], ["---", "---", "---"], ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
