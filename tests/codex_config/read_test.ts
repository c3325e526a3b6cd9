import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parse } from "smol-toml";
import { readCodexConfig } from "../../src/codex_config/read.ts";
import { ErrorCode, RpcError } from "../../src/protocol/errors.ts";
import { methods, type ResultInput } from "../../src/protocol/methods.ts";
import { TestDirectory } from "../support/test_directory.ts";

const SYSTEM = '[mcp_servers.sys]\ncommand = "s"\n';
const USER =
  'model = "x"\n[mcp_servers.alpha]\ncommand = "a"\n[mcp_servers.beta]\nf = 1.0\nn = 1\n';

/** A machine with an administrator's and a user's configuration, and a project with its own. */
class Machine implements AsyncDisposable {
  private constructor(readonly directory: TestDirectory) {}

  static async create(): Promise<Machine> {
    const machine = new Machine(await TestDirectory.create());
    await machine.directory.fill({
      "etc/config.toml": SYSTEM,
      "etc/requirements.toml": 'allowed = ["a"]\n[mcp_servers.sys]\nx = 1\n',
      "home/.codex/config.toml": USER,
      "project/.git/HEAD": "",
      "project/.codex/config.toml": '[mcp_servers.gamma]\ncommand = "g"\n',
      "project/sub/.codex/config.toml": '[mcp_servers.delta]\ncommand = "d"\n',
    });
    return machine;
  }

  /** Adds what the user thinks of directories. */
  async trust(levels: Readonly<Record<string, string>>, more = ""): Promise<void> {
    const text = Object.entries(levels).map(([name, level]) =>
      `[projects."${this.directory.at(name)}"]\ntrust_level = "${level}"\n`
    );
    await this.directory.fill({ "home/.codex/config.toml": `${more}${USER}${text.join("")}` });
  }

  read(
    { cwd = "project/sub", config = [["mcp_servers"]], requirements = [["mcp_servers"]] }: {
      cwd?: string;
      config?: string[][];
      requirements?: string[][];
    } = {},
    codexHome?: string,
  ): Promise<ResultInput<"environmentConfig/read">> {
    const params = methods["environmentConfig/read"].params.parse({
      cwd: cwd.includes(":") ? cwd : this.directory.uri(cwd),
      configPaths: config,
      requirementsPaths: requirements,
    });
    const variables: Record<string, string | undefined> = {
      HOME: this.directory.at("home"),
      CODEX_HOME: codexHome,
    };
    return readCodexConfig(params, (name) => variables[name], this.directory.at("etc"));
  }

  /** The layers of an answer, as their files below the test's directory. */
  async layers(cwd = "project/sub"): Promise<string[]> {
    const { config } = await this.read({ cwd });
    const prefix = this.directory.at("");
    return config.layers.map(({ source }) => source.replaceAll(prefix, ""));
  }

  async refusal(...options: Parameters<Machine["read"]>): Promise<RpcError> {
    return await assertRejects(() => this.read(...options), RpcError);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.directory[Symbol.asyncDispose]();
  }
}

const OWN = ["system (etc/config.toml)", "user (home/.codex/config.toml)"];
const ROOT = "project (project/.codex/config.toml)";
const SUB = "project (project/sub/.codex/config.toml)";

Deno.test("each layer has what was asked for, and the machine is told", async () => {
  await using machine = await Machine.create();
  await machine.trust({ project: "trusted" });
  const answer = await machine.read();
  assertEquals(answer.userHomeDir, machine.directory.uri("home"));
  assertEquals(answer.codexHomeDir, machine.directory.uri("home/.codex"));
  assertEquals(answer.hostname, Deno.hostname());
  assertEquals(answer.config.cloudInsertionIndex, 1);
  assertEquals(answer.config.layers.map(({ baseDir }) => baseDir), [
    machine.directory.uri("etc"),
    machine.directory.uri("home/.codex"),
    machine.directory.uri("project/.codex"),
    machine.directory.uri("project/sub/.codex"),
  ]);
  assertEquals(answer.config.layers.map(({ toml }) => parse(toml)), [
    { mcp_servers: { sys: { command: "s" } } },
    { mcp_servers: { alpha: { command: "a" }, beta: { f: 1, n: 1 } } },
    { mcp_servers: { gamma: { command: "g" } } },
    { mcp_servers: { delta: { command: "d" } } },
  ]);
  const { requirements } = answer;
  assertEquals(requirements.layers.map(({ source }) => source), [
    machine.directory.at("etc/requirements.toml"),
  ]);
  assertEquals(requirements.layers.map(({ toml }) => parse(toml)), [{
    mcp_servers: { sys: { x: 1 } },
  }]);
  assertEquals(requirements.cloudInsertionIndex, 1);
});

Deno.test("whole numbers and others stay what they are", async () => {
  await using machine = await Machine.create();
  const { config } = await machine.read({ config: [["mcp_servers", "beta"]] });
  assertStringIncludes(config.layers[1]?.toml ?? "", "f = 1.0\nn = 1\n");
});

Deno.test("a layer with nothing of what was asked for is left out", async () => {
  await using machine = await Machine.create();
  const { config, requirements } = await machine.read({ config: [["model"]], requirements: [] });
  assertEquals(config.layers.map(({ toml }) => parse(toml)), [{ model: "x" }]);
  assertEquals(config.cloudInsertionIndex, 0);
  assertEquals(requirements, { layers: [], cloudInsertionIndex: 0 });
});

/** What the user thinks of which directories, and the project's layers that count then. */
const TRUST: Record<string, [levels: Record<string, string>, layers: string[], cwd?: string]> = {
  "none": [{}, []],
  "the root": [{ project: "trusted" }, [ROOT, SUB]],
  "the root, not": [{ project: "untrusted" }, []],
  "the directory alone": [{ "project/sub": "trusted" }, [SUB]],
  "the directory, the root not": [{ "project/sub": "trusted", "project": "untrusted" }, [SUB]],
  "the root, the directory not": [{ "project/sub": "untrusted", "project": "trusted" }, [ROOT]],
  "what is above the root": [{ "": "trusted" }, []],
  "a directory that is not there": [{ project: "trusted" }, [ROOT, SUB], "project/sub/none"],
  "the user's own directory": [{ home: "trusted" }, [], "home"],
};

for (const [what, [levels, expected, cwd]] of Object.entries(TRUST)) {
  Deno.test(`a project's layers count as far as the user trusts it: ${what}`, async () => {
    await using machine = await Machine.create();
    await machine.trust(levels);
    assertEquals(await machine.layers(cwd), [...OWN, ...expected]);
  });
}

Deno.test("trust holds for a project under each of its names", async () => {
  await using machine = await Machine.create();
  await Deno.symlink("project", machine.directory.at("link"));
  const linked = [ROOT, SUB].map((layer) => layer.replace("(project", "(link"));
  for (const name of ["project", "link"]) {
    await machine.trust({ [name]: "trusted" });
    assertEquals(await machine.layers("link/sub"), [...OWN, ...linked], name);
  }
});

Deno.test("what marks a project's root is the user's to say", async () => {
  await using machine = await Machine.create();
  await machine.directory.fill({ "project/sub/.mark": "" });
  await machine.trust({ "project/sub": "trusted" }, 'project_root_markers = [".mark"]\n');
  assertEquals(await machine.layers(), [...OWN, SUB]);
  await Deno.remove(machine.directory.at("project/.git"), { recursive: true });
  await machine.trust({ "project": "trusted" }, "project_root_markers = []\n");
  assertEquals(await machine.layers(), OWN, "each directory is a root of its own");
});

Deno.test("a worktree is trusted like its repository, if that knows it", async () => {
  await using machine = await Machine.create();
  const { directory } = machine;
  await machine.trust({ repository: "trusted" });
  await Deno.remove(directory.at("project/.git"), { recursive: true });
  const admin = "repository/.git/worktrees/w";
  await directory.fill({ "project/.git": `gitdir: ${directory.at(admin)}\n` });
  assertEquals(await machine.layers(), OWN, "the repository knows of no worktree");
  await directory.fill({ [`${admin}/gitdir`]: `${directory.at("elsewhere/.git")}\n` });
  assertEquals(await machine.layers(), OWN, "nor of this one");
  await directory.fill({ [`${admin}/gitdir`]: `${directory.at("project/.git")}\n` });
  assertEquals(await machine.layers(), [...OWN, ROOT, SUB]);
});

Deno.test("a repository's pointer that has no end keeps nobody waiting", async () => {
  await using machine = await Machine.create();
  const { directory } = machine;
  await machine.trust({ repository: "trusted" });
  await Deno.remove(directory.at("project/.git"), { recursive: true });
  await directory.makeFifo("project/.git");
  assertEquals(await machine.layers(), OWN);
  await Deno.remove(directory.at("project/.git"));
  await Deno.symlink("/dev/zero", directory.at("project/.git"));
  assertEquals(await machine.layers(), OWN);
});

Deno.test("what the administrator insists on is the strongest layer", async () => {
  await using machine = await Machine.create();
  await machine.directory.fill({ "etc/managed_config.toml": "mcp_servers = {}\n" });
  assertEquals(await machine.layers(), [
    ...OWN,
    "legacy managed_config.toml (etc/managed_config.toml)",
  ]);
});

Deno.test("without any configuration there are no layers", async () => {
  await using machine = await Machine.create();
  for (const name of ["etc", "home"]) {
    await Deno.remove(machine.directory.at(name), { recursive: true });
  }
  const { config, requirements } = await machine.read();
  assertEquals([config.layers, requirements.layers], [[], []]);
});

Deno.test("CODEX_HOME is where the user's configuration is", async () => {
  await using machine = await Machine.create();
  await machine.directory.fill({ "other/config.toml": "mcp_servers = 3\n" });
  const { codexHomeDir, config } = await machine.read({}, machine.directory.at("other"));
  assertEquals(codexHomeDir, machine.directory.uri("other"));
  assertEquals(config.layers[1]?.toml, "mcp_servers = 3\n");
  const { code, message } = await machine.refusal({}, machine.directory.at("nowhere"));
  assertEquals(code, ErrorCode.Internal);
  assertStringIncludes(message, "CODEX_HOME");
});

/** Files that cannot be used, and what the answer says besides where they are. */
const BROKEN: Record<string, [name: string, text: string, words: string]> = {
  "the administrator's": ["etc/config.toml", "x = [\n", "etc/config.toml:"],
  "the user's": ["home/.codex/config.toml", "a = 1\na = 2\n", "config.toml:2:"],
  "the project's": ["project/sub/.codex/config.toml", "x\n", "sub/.codex/config.toml:1:"],
  "the requirements": ["etc/requirements.toml", "[", "requirements.toml:1:"],
  "a level of trust": ["etc/config.toml", '[projects."/a"]\ntrust_level = "some"\n', "trust_level"],
  "a project": ["etc/config.toml", '[projects]\n"/a" = 1\n', 'projects."/a"'],
  "projects": ["home/.codex/config.toml", "projects = []\n", "projects"],
  "markers": ["etc/config.toml", "project_root_markers = [1]\n", "project_root_markers"],
};

for (const [what, [name, text, words]] of Object.entries(BROKEN)) {
  Deno.test(`configuration that cannot be used is refused: ${what}`, async () => {
    await using machine = await Machine.create();
    await machine.trust({ project: "trusted" });
    await machine.directory.fill({ [name]: text });
    const { code, message } = await machine.refusal();
    assertEquals(code, ErrorCode.Internal);
    assertStringIncludes(message, words);
  });
}

Deno.test("what is no file, or a FIFO that nobody writes to, is refused", async () => {
  await using machine = await Machine.create();
  for (const make of ["directory", "fifo"]) {
    await Deno.remove(machine.directory.at("home/.codex/config.toml"));
    if (make === "fifo") await machine.directory.makeFifo("home/.codex/config.toml");
    else await Deno.mkdir(machine.directory.at("home/.codex/config.toml"));
    assertStringIncludes((await machine.refusal()).message, "is not a file", make);
  }
});

Deno.test("a request for nothing or for a foreign directory is refused", async () => {
  await using machine = await Machine.create();
  for (const options of [{ config: [], requirements: [] }, { cwd: "file:///C:/x" }]) {
    assertEquals((await machine.refusal(options)).code, ErrorCode.InvalidParams);
  }
});
