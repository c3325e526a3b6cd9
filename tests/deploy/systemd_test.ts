import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { REMEX_BIN, runToEnd } from "../e2e/support/executor.ts";
import { testOnMachine } from "../e2e/support/machine.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { deployText } from "./support/deploy_files.ts";

/** More exposed than this the unit would have lost some of its hardening (0 is best, 100 worst). */
const MOST_EXPOSURE = 40;

const UNIT = deployText("remex.service");

/** Has systemd look at a unit, in which the program is the one that was built. */
async function analyze(args: readonly string[], unit: string): Promise<[boolean, string]> {
  using directory = new TemporaryDirectory();
  const text = unit.replaceAll("=/usr/local/bin/remex ", `=${REMEX_BIN} `);
  const file = directory.write("remex.service", text, 0o644);
  const { success, stdout, stderr } = await new Deno.Command("systemd-analyze", {
    args: [...args, file],
  }).output();
  const decoder = new TextDecoder();
  return [success, decoder.decode(stderr) + (success ? "" : decoder.decode(stdout))];
}

const ignore = !hasAnalyzer();
if (ignore) console.error("skipped: systemd-analyze is not installed (Debian: systemd)");

function hasAnalyzer(): boolean {
  try {
    return new Deno.Command("systemd-analyze", { args: ["--version"], stdout: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "systemd takes the unit without a word",
  ignore,
  fn: async () => assertEquals(await analyze(["verify"], UNIT), [true, ""]),
});

Deno.test({
  name: "systemd complains of a unit that is wrong",
  ignore,
  async fn() {
    const misspelt = UNIT.replace("KillMode=mixed", "KilMode=mixed");
    assertStringIncludes((await analyze(["verify"], misspelt))[1], "KilMode");
    const missing = UNIT.replace("/usr/local/bin/remex serve", "/no/such/program serve");
    assertStringIncludes((await analyze(["verify"], missing))[1], "/no/such/program");
  },
});

Deno.test({
  name: "systemd finds the unit hardened",
  ignore,
  async fn() {
    const args = ["security", "--offline=true", `--threshold=${MOST_EXPOSURE}`];
    assertEquals((await analyze(args, UNIT))[0], true);
    assertEquals((await analyze(args, UNIT.replace(/^CapabilityBoundingSet=$/m, "")))[0], false);
  },
});

testOnMachine(
  "the directory that the unit's installation makes is open to its user",
  async (machine) => {
    const mode = Number.parseInt(/install -d -m (\d+) \/etc\/remex$/m.exec(UNIT)?.[1] ?? "0", 8);
    machine.etc("token", "open-sesame\n", 0o600);
    Deno.chmodSync(`${machine.directory.path}/etc`, mode);
    const { code, stderr } = await runToEnd(
      ["serve", "--listen", "stdio"],
      "",
      machine.launch({}, "an ordinary user"),
    );
    assertEquals([code, stderr], [0, ""]);
  },
);

Deno.test("the unit gives commands their time, and leaves what bubblewrap needs", () => {
  const grace = Number(/--grace (\d+)/.exec(UNIT)?.[1]);
  assert(Number(/^TimeoutStopSec=(\d+)$/m.exec(UNIT)?.[1]) > grace);
  const settings = UNIT.split("\n").filter((line) => !line.startsWith("#")).join("\n");
  for (
    const harmful of [
      "RestrictNamespaces",
      "ProtectKernelTunables",
      "ProtectKernelLogs",
      "ProtectProc",
      "ProcSubset",
      "MemoryDenyWriteExecute",
      "~@mount",
    ]
  ) {
    assert(!settings.includes(harmful), harmful);
  }
});
