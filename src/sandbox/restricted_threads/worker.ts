/// <reference lib="deno.worker" />
import {
  createRuleset,
  enforceFilter,
  enforceFilterWithListener,
  enforceRuleset,
  giveUpCapabilities,
  RestrictionError,
  setNoNewPrivileges,
} from "../../os/thread_restrictions.ts";
import { adoptDescriptorLimits } from "../../os/descriptor_limit.ts";
import { CoreDumps } from "../../os/core_dumps.ts";
import { launchProgram, type ProgramLaunch, SpawnError } from "../../os/spawn.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import type {
  FromSpawner,
  InheritedSettings,
  LandlockRestrictions,
  RestrictOutcome,
  SpawnOutcome,
  ThreadRestrictions,
  ToSpawner,
} from "./messages.ts";

// A thread that restricts itself and from then on starts commands: what holds for it holds for them
// (landlock(7), seccomp(2)). See restricted_group.ts.
let starts = launchProgram;

self.onmessage = ({ data }: MessageEvent<ToSpawner>) => {
  if (data.kind === "restrict") {
    starts = startsWith(data.inherited);
    tell({ kind: "restricted", outcome: tryRestrict(data.restrictions) });
  } else tell({ kind: "spawned", id: data.id, outcome: spawn(data.launch) });
};
tell({ kind: "ready" });

function tell(message: FromSpawner): void {
  self.postMessage(message);
}

function tryRestrict(restrictions: ThreadRestrictions): RestrictOutcome {
  try {
    return restrict(restrictions);
  } catch (error) {
    if (error instanceof RestrictionError) return { kind: "failed", reason: error.message };
    throw error;
  }
}

/** Each step comes before those that it would be refused after. */
function restrict({ landlock, filter, supervised }: ThreadRestrictions): RestrictOutcome {
  setNoNewPrivileges();
  const ruleset = landlock === undefined ? undefined : restrictFiles(landlock);
  if (supervised) {
    return { kind: "done", ruleset, listener: enforceFilterWithListener(filter) };
  }
  enforceFilter(filter);
  return { kind: "done", ruleset, listener: undefined };
}

/** Capabilities are left to what encloses commands by other means, to give them up itself. */
function restrictFiles({ governed, rules, ports, besides }: LandlockRestrictions): Descriptor {
  const ruleset = createRuleset(governed, rules, ports);
  giveUpCapabilities();
  enforceRuleset(ruleset);
  if (besides !== undefined) {
    const second = createRuleset(besides.governed, besides.rules);
    enforceRuleset(second);
    closeDescriptor(second);
  }
  return ruleset;
}

/** How commands are started that do not inherit some of this program's settings. */
function startsWith({ limits, coreDumps }: InheritedSettings): typeof launchProgram {
  adoptDescriptorLimits(limits);
  const dumps = new CoreDumps(coreDumps);
  return (launch) => dumps.without(() => launchProgram(launch));
}

function spawn(launch: ProgramLaunch): SpawnOutcome {
  try {
    return { kind: "started", pid: starts(launch) };
  } catch (error) {
    if (error instanceof SpawnError) return { kind: "failed", errno: error.errno };
    throw error;
  }
}
