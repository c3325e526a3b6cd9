import type { Refusal } from "./admission.ts";
import { encodeHead } from "./http_head.ts";
import type { Denial } from "./policy.ts";
import { type ByteStream, writeAll } from "./stream.ts";

const PROXY_ERROR = "x-proxy-error";

/** Answers that there is no connection, and why, and ends the connection. */
export async function refuse(stream: ByteStream, refusal: Refusal): Promise<void> {
  await (refusal.kind === "denied"
    ? answer(stream, 403, "Forbidden", headerOf(refusal), refusal.message)
    : answer(stream, 502, "Bad Gateway", "unreachable", `remex: ${refusal.message}`));
}

/** Answers that a request cannot be understood, and ends the connection. */
export async function refuseMalformed(stream: ByteStream, { message }: Error): Promise<void> {
  await answer(stream, 400, "Bad Request", "malformed-request", `remex: ${message}`);
}

/** The words that the reference has for the same reasons. */
function headerOf({ reason, source }: Denial): string {
  if (source === "decider") return "blocked-by-policy";
  switch (reason) {
    case "denied":
      return "blocked-by-denylist";
    case "method_not_allowed":
      return "blocked-by-method-policy";
    case "not_allowed":
    case "not_allowed_local":
      return "blocked-by-allowlist";
    default:
      return "blocked-by-policy";
  }
}

/** Answers in this program's own name, and ends the connection. */
async function answer(
  stream: ByteStream,
  status: number,
  reason: string,
  error: string,
  message: string,
): Promise<void> {
  const body = new TextEncoder().encode(`${message}\n`);
  const head = encodeHead({
    start: `HTTP/1.1 ${status} ${reason}`,
    fields: [
      { name: "Content-Type", value: "text/plain; charset=utf-8" },
      { name: "Content-Length", value: `${body.length}` },
      { name: PROXY_ERROR, value: error },
      { name: "Connection", value: "close" },
    ],
  });
  await writeAll(stream, head);
  await writeAll(stream, body);
  await stream.closeWrite();
}
