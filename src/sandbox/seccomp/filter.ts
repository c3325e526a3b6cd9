import { supervisedCalls, type SupervisedGroups } from "../supervisor/calls.ts";
import { assembleBpf, type BpfLine, type BpfTest } from "./bpf.ts";
import {
  type Architecture,
  type SeccompCondition,
  type SeccompProfile,
  type SeccompRule,
  type SeccompSection,
  shippedSeccompProfile,
} from "./profile.ts";

/**
 * What a command may do with sockets.
 *
 * - `enabled`: anything by unix sockets and the internet's, and questions about interfaces and routes.
 * - `restricted`: talk to its own children through connected pairs of unix stream sockets.
 * - `proxied`: that, and open TCP connections. To which hosts and ports is for someone else to
 *   limit (a network namespace, Landlock): their address lies in memory, where no filter sees it.
 * - `proxiedWithBinding`: that, and accept TCP connections.
 * - `privateLoopback`: TCP and UDP, where a network namespace has nothing but its own loopback.
 */
export type NetworkMode =
  | "enabled"
  | "restricted"
  | "proxied"
  | "proxiedWithBinding"
  | "privateLoopback";

export interface SeccompFilterOptions {
  /** The architecture of the machine that the program is to run on. */
  readonly architecture: Architecture;
  readonly network: NetworkMode;
  /**
   * Whether the command runs among the host's processes instead of in namespaces of its own.
   *
   * @default false
   */
  readonly sharedHost?: boolean;
  /**
   * Whether nothing may change modes, owners, attributes and times of files.
   *
   * @default false
   */
  readonly fixedMetadata?: boolean;
  /**
   * Calls that are handed over to a supervisor, as far as they are not denied
   * (`SECCOMP_RET_USER_NOTIF`).
   *
   * @default none
   */
  readonly supervised?: SupervisedGroups;
  /**
   * Whether another filter hands calls over (see {@linkcode handoverFilter}): what cannot be handed
   * over is not there then.
   *
   * @default false
   */
  readonly handsOverElsewhere?: boolean;
}

const sectionsOf: Record<NetworkMode, readonly SeccompSection[]> = {
  enabled: ["always", "enabled"],
  restricted: ["always", "notEnabled", "restricted", "noLocalBinding"],
  proxied: ["always", "notEnabled", "proxied", "noLocalBinding"],
  proxiedWithBinding: ["always", "notEnabled", "proxied"],
  privateLoopback: ["always", "privateLoopback"],
};

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h. */
const auditArchitectures: Record<Architecture, number> = {
  x86_64: 0xc000_003e,
  aarch64: 0xc000_00b7,
};

/** On x86-64 this bit in a call's number selects the x32 ABI, which has numbers of its own. */
const X32_SYSCALL_BIT = 0x4000_0000;

const KILL_PROCESS = 0x8000_0000;
const ALLOW = 0x7fff_0000;
const RETURN_ERRNO = 0x0005_0000;
const USER_NOTIFICATION = 0x7fc0_0000;
/** The same numbers on both architectures. */
const errnos = { EPERM: 1, ENOSYS: 38 };

/** Byte offsets in `struct seccomp_data`. */
const NUMBER_OFFSET = 0;
const ARCHITECTURE_OFFSET = 4;
const argumentOffset = (argument: number) => 16 + 8 * argument;

/**
 * The seccomp programs that have been built: they take a while to build, and are always the same for
 * the same options.
 */
export class SeccompFilters {
  readonly #filters = new Map<string, Uint8Array<ArrayBuffer>>();
  #profile: SeccompProfile | undefined;

  /** The program from the list that is part of remex: see {@linkcode seccompFilter}. */
  get(options: SeccompFilterOptions): Uint8Array<ArrayBuffer> {
    const key = JSON.stringify(options);
    const known = this.#filters.get(key);
    if (known !== undefined) return known;
    const filter = seccompFilter(options, this.#profile ??= shippedSeccompProfile());
    this.#filters.set(key, filter);
    return filter;
  }
}

/**
 * A seccomp program: an array of `struct sock_filter` as seccomp(2) and `bwrap --seccomp` take it.
 *
 * Denied calls return EPERM (clone3 alone ENOSYS, after which C libraries fall back to clone).
 * Calls newer than the list return ENOSYS, as from an older kernel. A call of another architecture
 * kills the process.
 *
 * @param profile the list of calls. @default the one that is part of remex
 */
export function seccompFilter(
  {
    architecture,
    network,
    sharedHost,
    fixedMetadata,
    supervised = NOTHING,
    handsOverElsewhere = false,
  }: SeccompFilterOptions,
  profile: SeccompProfile = shippedSeccompProfile(),
): Uint8Array<ArrayBuffer> {
  const sections: SeccompSection[] = [
    ...sectionsOf[network],
    ...sharedHost ? ["sharedHost"] as const : [],
    ...fixedMetadata ? ["fixedMetadata"] as const : [],
    ...fixedMetadata || supervised.metadata ? ["fixedFlags"] as const : [],
    ...supervised.names || supervised.reads || handsOverElsewhere ? ["supervised"] as const : [],
    ...supervised.signals ? ["supervisedSignals"] as const : [],
  ];
  const rules: Rule[] = [
    ...sections.flatMap((section) => profile.sections[section]).map((rule) => ({
      number: rule[architecture],
      verdict: rule.errno,
      when: rule.when ?? [],
      unless: rule.unless ?? [],
    })),
    ...supervisedCalls(supervised, architecture).map(({ number, when }) => ({
      number,
      verdict: "NOTIFY" as const,
      when,
      unless: [],
    })),
  ];
  return assembleBpf([
    load(ARCHITECTURE_OFFSET),
    unless("equal", auditArchitectures[architecture], "foreign"),
    load(NUMBER_OFFSET),
    ...architecture === "x86_64" ? [when("atLeast", X32_SYSCALL_BIT, "EPERM")] : [],
    when("greaterThan", profile.newestKnown, "ENOSYS"),
    ...profile.unassigned[architecture].flatMap(rangeLines),
    ...callsOf(rules).flatMap(callLines),
    { op: "return", value: ALLOW },
    ...verdictLines(),
    label("foreign"),
    { op: "return", value: KILL_PROCESS },
  ]);
}

/**
 * A program that hands calls over to a supervisor and denies none: for what encloses a command,
 * which puts {@linkcode seccompFilter} in force besides. What that denies stays denied (seccomp(2)).
 */
export function handoverFilter(
  supervised: SupervisedGroups,
  architecture: Architecture,
): Uint8Array<ArrayBuffer> {
  const rules = supervisedCalls(supervised, architecture)
    .map(({ number, when }): Rule => ({ number, verdict: "NOTIFY", when, unless: [] }));
  return additionalFilter(rules, architecture);
}

/** A program for what is in force besides another, which kills whoever calls by another architecture. */
export function additionalFilter(
  rules: readonly Rule[],
  architecture: Architecture,
): Uint8Array<ArrayBuffer> {
  return assembleBpf([
    load(ARCHITECTURE_OFFSET),
    unless("equal", auditArchitectures[architecture], "foreign"),
    load(NUMBER_OFFSET),
    ...callsOf(rules).flatMap(callLines),
    label("foreign"),
    { op: "return", value: ALLOW },
    ...verdictLines(),
  ]);
}

/** What each verdict is for the kernel. */
function verdictLines(): BpfLine[] {
  return [
    label("EPERM"),
    { op: "return", value: RETURN_ERRNO | errnos.EPERM },
    label("ENOSYS"),
    { op: "return", value: RETURN_ERRNO | errnos.ENOSYS },
    label("NOTIFY"),
    { op: "return", value: USER_NOTIFICATION },
  ];
}

const NOTHING: SupervisedGroups = {
  names: false,
  metadata: false,
  reads: false,
  connections: false,
  signals: false,
};

/** When a call gets a verdict: if all of `when` hold and not all of `unless`, where there are some. */
export interface Rule {
  /** Null where there is no such call. */
  readonly number: number | null;
  readonly verdict: SeccompRule["errno"] | "NOTIFY";
  readonly when: readonly SeccompCondition[];
  readonly unless: readonly SeccompCondition[];
}

/** Lines that go to ENOSYS if the accumulator is in a range, and else leave it. */
function rangeLines([first, last]: readonly [number, number]): BpfLine[] {
  const below = `below ${first}`;
  return [unless("atLeast", first, below), unless("greaterThan", last, "ENOSYS"), label(below)];
}

/** All rules of one call, those first that win over others. */
interface Call {
  readonly number: number;
  readonly rules: readonly Rule[];
}

/**
 * The calls in the order in which they are looked for.
 *
 * The kernel runs the program once per call number and remembers what is allowed without a look at
 * the arguments (since Linux 5.11), so those with conditions, for which it runs every time, come first.
 */
function callsOf(rules: readonly Rule[]): Call[] {
  const byNumber = Map.groupBy(rules, (rule) => rule.number);
  const calls: Call[] = [];
  for (const [number, rules] of byNumber) {
    if (number !== null) calls.push({ number, rules });
  }
  return calls.sort((a, b) =>
    Number(b.rules.every(isConditional)) - Number(a.rules.every(isConditional))
  );
}

function isConditional({ when, unless }: Rule): boolean {
  return when.length > 0 || unless.length > 0;
}

/** Lines that end with a verdict if the accumulator is the call's number, and else leave it. */
function callLines({ number, rules }: Call): BpfLine[] {
  const always = rules.find((rule, index) =>
    !isConditional(rule) && (index === 0 || rule.verdict !== "NOTIFY")
  );
  if (always !== undefined) return [when("equal", number, always.verdict)];
  const next = `after ${number}`;
  return [
    unless("equal", number, next),
    ...rules.flatMap((rule, index) => ruleLines(rule, `${number}/${index}`)),
    { op: "return", value: ALLOW },
    label(next),
  ];
}

/** Lines that go to the label of the verdict if the rule holds, and else run through. */
function ruleLines({ when, unless, verdict }: Rule, name: string): BpfLine[] {
  const passed = `passed ${name}`;
  return [
    ...allOf(when, passed, `when ${name}`),
    ...unless.length > 0
      ? allOf(unless, verdict, `unless ${name}`)
      : [{ op: "jump", to: verdict } as const],
    label(passed),
  ];
}

/** Lines that go to `otherwise` if one of the conditions does not hold, and else run through. */
function allOf(conditions: readonly SeccompCondition[], otherwise: string, name: string) {
  return conditions.flatMap((condition, index) =>
    conditionLines(condition, otherwise, `${name}/${index}`)
  );
}

function conditionLines(condition: SeccompCondition, otherwise: string, name: string): BpfLine[] {
  const low = argumentOffset(condition.argument);
  const holds = `holds ${name}`;
  if ("anyBitOf" in condition) {
    return [load(low), unless("anyBitOf", condition.anyBitOf, otherwise)];
  }
  if ("notNull" in condition) {
    return [
      load(low),
      unless("equal", 0, holds),
      load(low + 4),
      when("equal", 0, otherwise),
      label(holds),
    ];
  }
  return [
    load(low),
    { op: "mask", bits: condition.mask },
    ...condition.oneOf.map((value) => when("equal", value, holds)),
    { op: "jump", to: otherwise },
    label(holds),
  ];
}

function load(offset: number): BpfLine {
  return { op: "load", offset };
}

function label(name: string): BpfLine {
  return { op: "label", name };
}

/** Goes to a label if the test holds for the accumulator. */
function when(test: BpfTest, value: number, to: string): BpfLine {
  return { op: "branch", test, value, outcome: true, to };
}

/** Goes to a label if the test does not hold for the accumulator. */
function unless(test: BpfTest, value: number, to: string): BpfLine {
  return { op: "branch", test, value, outcome: false, to };
}
