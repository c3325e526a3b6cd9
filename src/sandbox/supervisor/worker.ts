/// <reference lib="deno.worker" />
import { rawCall } from "../../os/raw_call.ts";
import {
  enforceRuleset,
  giveUpCapabilities,
  setNoNewPrivileges,
} from "../../os/thread_restrictions.ts";
import { CallService } from "./call_service.ts";
import type { FromSupervisorThread, ToSupervisorThread } from "./messages.ts";
import { performCalls } from "./performer.ts";

// The threads of a supervisor: one decides about calls, another one, which may do as little as a
// command, makes them. Neither has capabilities. See supervisor.ts.
setNoNewPrivileges();
giveUpCapabilities();
let service: CallService | undefined;
/** How many messages are yet to be heard before calls are served. */
let unheard = 1;
self.onmessage = ({ data }: MessageEvent<ToSupervisorThread>) => {
  hear(data);
  if (service === undefined || --unheard > 0) return;
  unheard = service.serve();
  if (unheard === 0) end();
};
tell({ kind: "ready" });

function hear(message: ToSupervisorThread): void {
  switch (message.kind) {
    case "perform":
      enforceRuleset(message.ruleset);
      tell({ kind: "begun" });
      performCalls(message.channel, rawCall);
      return end();
    case "supervise":
      service = new CallService(
        message.supervision,
        (connection, thread) => tell({ kind: "connected", connection, thread }),
      );
      return tell({ kind: "begun" });
    case "admit":
      for (const id of message.dismissed) service?.dismiss(id);
      service?.admit(message.id, message.command);
      return tell({ kind: "admitted", id: message.id });
    case "end":
      return end();
  }
}

function end(): void {
  service?.[Symbol.dispose]();
  service = undefined;
  tell({ kind: "ended" });
  self.close();
}

function tell(message: FromSupervisorThread): void {
  self.postMessage(message);
}
