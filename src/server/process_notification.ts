import { type LogEvent, networkMembers } from "../process/event_log.ts";
import { encodeNotification } from "../protocol/envelope.ts";

/** The notification that tells a client of a process's event. */
export function encodeProcessEvent(processId: string, event: LogEvent): string {
  switch (event.kind) {
    case "output":
      // Put together by hand: base64 needs no escaping, and looking for characters that do costs
      // more than everything else on the way of a large output.
      return `{"method":"process/output","params":{"processId":${
        JSON.stringify(processId)
      },"seq":` +
        `${event.seq},"stream":"${event.stream}","chunk":"${event.bytes.toBase64()}"}}`;
    case "exited": {
      const { seq, exitCode, sandboxDenied, limitExceeded, network, timedOut } = event;
      return encodeNotification("process/exited", {
        processId,
        seq,
        exitCode,
        sandboxDenied,
        ...limitExceeded === undefined ? {} : { limitExceeded },
        timedOut,
        ...networkMembers(network),
      });
    }
    case "closed":
      return encodeNotification("process/closed", { processId, seq: event.seq });
  }
}
