import * as z from "zod/mini";
import { base64Bytes, defaulted, lazy, limit, optional, unsignedInteger } from "./schema_parts.ts";

/** Headers in order; a name may occur more than once. */
const headers = z.array(z.object({ name: z.string(), value: z.string() }));

/** Headers of a request; a value may be continued by that of a variable of the executor's. */
const requestHeaders = z.array(
  z.object({ name: z.string(), value: z.string(), valueEnvVar: optional(z.string()) }),
);

/** Parameters of `http/request`, a request made from the executor's side. */
export const httpRequestParams = lazy(() =>
  z.object({
    method: z.string(),
    url: z.string(),
    headers: defaulted(requestHeaders, []),
    bodyBase64: optional(base64Bytes),
    /** Milliseconds for the whole request. Default: no limit. */
    timeoutMs: optional(limit),
    redirectPolicy: defaulted(z.enum(["follow", "stop"]), "follow"),
    /** Names the body stream; reserved on its connection until the last delta. */
    requestId: z.string(),
    streamResponse: defaulted(z.boolean(), false),
  })
);

/** Answer to `http/request`; the body is empty when it is streamed. */
export const httpRequestResult = lazy(() =>
  z.object({
    status: z.int(),
    headers,
    bodyBase64: base64Bytes,
  })
);

/** `http/request/bodyDelta`: one piece of a streamed body, from seq 1; the last has `done`. */
export const httpBodyDelta = lazy(() =>
  z.object({
    requestId: z.string(),
    seq: unsignedInteger,
    deltaBase64: base64Bytes,
    done: z.boolean(),
    error: optional(z.string()),
  })
);
