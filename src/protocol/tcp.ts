import { base64Bytes, lazy } from "./schema_parts.ts";
import * as z from "zod/mini";

/** The most bytes of a `tcp/write`. */
export const MAX_TCP_BYTES = 1024 * 1024;

/** A name that the client gives a connection to a port of the executor's machine. */
const connectionId = z.string();

export const tcpConnectParams = lazy(() =>
  z.object({
    connectionId,
    /** A port of the loopback address. */
    port: z.int().check(z.gte(1), z.lte(65535)),
  })
);

/** Of `tcp/read`, `tcp/closeWrite` and `tcp/close`. */
export const tcpConnectionParams = lazy(() => z.object({ connectionId }));

export const tcpReadResult = lazy(() =>
  z.object({
    /** What has come since the last one; empty at the end alone. */
    chunk: base64Bytes,
    /** Whether the other side has ended what it sends. */
    eof: z.boolean(),
  })
);

export const tcpWriteParams = lazy(() =>
  z.object({
    connectionId,
    /** Up to {@linkcode MAX_TCP_BYTES}. */
    chunk: base64Bytes,
  })
);
