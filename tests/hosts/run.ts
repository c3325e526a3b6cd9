/**
 * Runs the scenes on every machine of hosts.ts, and compares with what is expected there. Started by
 * scripts/test-hosts, which makes what the options name.
 */
import { parse } from "@std/jsonc";
import { parseArgs } from "node:util";
import * as z from "zod/mini";
import { connectStdio } from "../e2e/support/stdio_client.ts";
import type { RawClient } from "../e2e/support/raw_client.ts";
import { Emulator } from "./emulator.ts";
import { type Host, HOSTS, INTENTS } from "./hosts.ts";
import { type DoctorReport, Machine, type Verdict } from "./machine.ts";
import { SCENES } from "./scenes.ts";

const { values: options, positionals: engine } = parseArgs({
  args: Deno.args,
  options: {
    image: { type: "string", default: "" },
    /** The engine's own seccomp profile, and where the one with Docker's rules is put. */
    profile: { type: "string", default: "" },
    "docker-profile": { type: "string", default: "" },
    kernel: { type: "string", default: "" },
    initrd: { type: "string", default: "" },
    /** Only hosts with these words in their names. */
    filter: { type: "string", default: "" },
  },
  // The container engine, with the options that it always gets.
  allowPositionals: true,
});

const rules = z.array(z.union([
  z.strictObject({ names: z.array(z.string()), errno: z.enum(["EPERM", "ENOSYS"]) }),
  z.strictObject({ names: z.array(z.string()), withoutFlags: z.number() }),
]));
const engineProfile = z.looseObject({
  syscalls: z.array(z.looseObject({ names: z.array(z.string()) })),
});
/** The engine's own may be higher than what is allowed here. */
const LIMITS = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"];
const ERRNO = { EPERM: 1, ENOSYS: 38 };

/** The engine's own profile with Docker's rules. */
function dockerProfile(): string {
  const text = Deno.readTextFileSync(new URL("docker_seccomp.jsonc", import.meta.url));
  const stricter = rules.parse(parse(text));
  const profile = engineProfile.parse(JSON.parse(Deno.readTextFileSync(options.profile)));
  const taken = new Set(stricter.flatMap(({ names }) => names));
  const kept = profile.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !taken.has(name)) }))
    .filter(({ names }) => names.length > 0);
  const added = stricter.map((rule) =>
    "errno" in rule
      ? { names: rule.names, action: "SCMP_ACT_ERRNO", errnoRet: ERRNO[rule.errno] }
      : {
        names: rule.names,
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, value: rule.withoutFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      }
  );
  // Docker says so of all that it does not know.
  const otherwise = { defaultErrno: "EPERM", defaultErrnoRet: ERRNO.EPERM };
  return JSON.stringify({ ...profile, ...otherwise, syscalls: [...kept, ...added] });
}

async function connect({ place }: Host, emulator: () => Promise<Emulator>): Promise<RawClient> {
  if (place.kind === "emulator") return await (await emulator()).connect(place.port);
  const rules = place.dockerRules ? [`--security-opt=seccomp=${options["docker-profile"]}`] : [];
  const run = ["run", "--rm", "--interactive", "--network=none", "--entrypoint="];
  return connectStdio({
    launcher: [...engine, ...run, ...LIMITS, ...rules, ...place.options, options.image],
  });
}

/** What is not as expected. */
function faultsOfReport({ mechanism, checks }: DoctorReport, host: Host): string[] {
  const found = (name: string) => checks.find((check) => check.name === name);
  return [
    ...mechanism === host.mechanism ? [] : [`doctor: the mechanism is ${mechanism}`],
    ...Object.entries(host.checks).filter(([name, status]) => found(name)?.status !== status)
      .map(([name]) => `doctor: ${name} is ${found(name)?.status}: ${found(name)?.detail}`),
    ...checks.filter(({ status, fix }) => status !== "ok" && fix === undefined)
      .map(({ name }) => `doctor: ${name} comes without a fix`),
  ];
}

function faultsOfScene(intent: string, verdict: Verdict, expected: "enforced" | "refused") {
  switch (verdict.kind) {
    case "broken":
      return verdict.findings.map((finding) => `${intent}: ${finding}`);
    case "refused":
      return expected === "refused" ? [] : [`${intent}: refused: ${verdict.reason}`];
    case "enforced":
      return expected === "enforced" ? [] : [`${intent}: enforced, which was not expected`];
  }
}

async function examine(host: Host, client: RawClient): Promise<string[]> {
  await using machine = await Machine.meet(client);
  const report = await machine.examine();
  say(`   ${report.reason}`);
  for (const { name, status, detail, fix } of report.checks) {
    if (status !== "ok") say(`   ${status}: ${name}: ${detail}; fix: ${fix}`);
  }
  const faults = faultsOfReport(report, host);
  for (const intent of INTENTS) {
    const verdict = await machine.play(SCENES[intent]);
    const expected = host.refused[intent] === undefined ? "enforced" : "refused";
    const found = faultsOfScene(intent, verdict, expected);
    say(`   ${found.length === 0 ? "as expected" : "NOT AS EXPECTED"}: ${intent}: ${verdict.kind}`);
    faults.push(...found);
  }
  return faults;
}

function say(line: string): void {
  console.error(line);
}

let emulator: Promise<Emulator> | undefined;
let [passed, failed] = [0, 0];
try {
  if (options.profile !== "") {
    Deno.writeTextFileSync(options["docker-profile"], dockerProfile());
  }
  const boot = () => emulator ??= Emulator.boot(options.kernel, options.initrd);
  const has = { container: options.image !== "", emulator: options.kernel !== "" };
  const hosts = HOSTS.filter(({ name, place }) => has[place.kind] && name.includes(options.filter));
  for (const host of hosts) {
    say(`\n== ${host.name}, as ${host.user}`);
    const faults = await connect(host, boot).then((client) => examine(host, client))
      .catch((error) => [Deno.inspect(error)]);
    for (const fault of faults) say(`   ${fault}`);
    if (faults.length === 0) passed++;
    else failed++;
  }
} finally {
  await (await emulator)?.[Symbol.asyncDispose]();
}
say(`\n${passed} passed, ${failed} failed`);
Deno.exitCode = failed === 0 && passed > 0 ? 0 : 1;
