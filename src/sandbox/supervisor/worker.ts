/// <reference lib="deno.worker" />
import { rawCall } from "../../os/raw_call.ts";
import {
  enforceRuleset,
  giveUpCapabilities,
  setNoNewPrivileges,
} from "../../os/thread_restrictions.ts";
import type { FromSupervisorThread, ToSupervisorThread } from "./messages.ts";
import { performCalls } from "./performer.ts";
import { supervise } from "./supervise.ts";

// The threads of a supervisor: one decides about calls, another one, which may do as little as a
// command, makes them. Neither has capabilities. See supervisor.ts.
setNoNewPrivileges();
giveUpCapabilities();
self.onmessage = ({ data }: MessageEvent<ToSupervisorThread>) => {
  if (data.kind === "supervise") {
    tell({ kind: "begun" });
    supervise(
      data.supervision,
      (connection, thread) => tell({ kind: "connected", connection, thread }),
    );
  } else {
    enforceRuleset(data.ruleset);
    tell({ kind: "begun" });
    performCalls(data.channel, rawCall);
  }
  tell({ kind: "ended" });
  self.close();
};
tell({ kind: "ready" });

function tell(message: FromSupervisorThread): void {
  self.postMessage(message);
}
