/// <reference lib="deno.worker" />
import {
  createRuleset,
  enforceFilter,
  enforceFilterWithListener,
  enforceRuleset,
  giveUpCapabilities,
  hideProgram,
  RestrictionError,
  setNoNewPrivileges,
} from "../../os/thread_restrictions.ts";
import { threadNumber } from "../../os/processors.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import type {
  FromSpawner,
  LandlockRestrictions,
  RestrictOutcome,
  ThreadRestrictions,
  ToSpawner,
} from "./messages.ts";
import { serveSpawns } from "./thread_spawner.ts";

// A thread that restricts itself and from then on starts commands: what holds for it holds for them
// (landlock(7), seccomp(2)). See restricted_group.ts.
self.onmessage = ({ data: { restrictions, threadFilter, spawns } }: MessageEvent<ToSpawner>) => {
  const outcome = tryRestrict(restrictions, threadFilter);
  tell({ kind: "restricted", outcome });
  if (outcome.kind === "done") serveSpawns(spawns);
};
tell({ kind: "ready", thread: threadNumber() });

function tell(message: FromSpawner): void {
  self.postMessage(message);
}

function tryRestrict(
  restrictions: ThreadRestrictions,
  threadFilter: Uint8Array | undefined,
): RestrictOutcome {
  try {
    return restrict(restrictions, threadFilter);
  } catch (error) {
    if (error instanceof RestrictionError) return { kind: "failed", reason: error.message };
    throw error;
  }
}

/** Each step comes before those that it would be refused after. */
function restrict(
  { landlock, filter, supervised }: ThreadRestrictions,
  threadFilter: Uint8Array | undefined,
): RestrictOutcome {
  setNoNewPrivileges();
  const ruleset = landlock === undefined ? undefined : restrictFiles(landlock);
  if (threadFilter !== undefined) enforceFilter(threadFilter);
  if (supervised) {
    return { kind: "done", ruleset, listener: enforceFilterWithListener(filter) };
  }
  enforceFilter(filter);
  return { kind: "done", ruleset, listener: undefined };
}

/** Capabilities are left to what encloses commands by other means, to give them up itself. */
function restrictFiles({ governed, rules, ports, besides }: LandlockRestrictions): Descriptor {
  hideProgram();
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
