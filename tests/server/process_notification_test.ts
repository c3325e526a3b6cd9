import { assertEquals } from "@std/assert";
import type { LogEvent } from "../../src/process/event_log.ts";
import { encodeProcessEvent } from "../../src/server/process_notification.ts";

Deno.test("every event is encoded as its notification, whatever the process is called", () => {
  const cases: [event: LogEvent, method: string, params: object][] = [
    [
      { kind: "output", seq: 1, stream: "pty", bytes: new TextEncoder().encode("hi") },
      "process/output",
      { seq: 1, stream: "pty", chunk: "aGk=" },
    ],
    [
      { kind: "exited", seq: 2, exitCode: 137, sandboxDenied: true },
      "process/exited",
      { seq: 2, exitCode: 137, sandboxDenied: true },
    ],
    [{ kind: "closed", seq: 3 }, "process/closed", { seq: 3 }],
  ];
  for (const processId of ["p", "", '"},"a":"', "\\", "\0\n", "ä\u{1f600}", "\ud800"]) {
    for (const [event, method, params] of cases) {
      const expected = JSON.stringify({ method, params: { processId, ...params } });
      assertEquals(encodeProcessEvent(processId, event), expected);
    }
  }
});
