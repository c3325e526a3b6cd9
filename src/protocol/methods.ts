import * as z from "zod/mini";
import * as environmentConfig from "./environment_config.ts";
import * as filesystem from "./filesystem.ts";
import * as http from "./http.ts";
import * as lifecycle from "./lifecycle.ts";
import * as process from "./process.ts";
import * as tcp from "./tcp.ts";

/** The families of methods, as errors name them to a client that is not initialized. */
export type MethodFamily =
  | "lifecycle"
  | "exec"
  | "environment info"
  | "environment status"
  | "environment config"
  | "filesystem"
  | "http"
  | "tcp";

interface MethodContract {
  readonly family: MethodFamily;
  readonly params: z.ZodMiniType;
  readonly result: z.ZodMiniType;
}

const empty = z.object({});
/** `environment/info` and `environment/status` never look at their parameters. */
const ignored = z.unknown();

/** The methods that a client may call, with the schemas of parameters and results. */
export const methods = {
  "initialize": {
    family: "lifecycle",
    params: lifecycle.initializeParams,
    result: lifecycle.initializeResult,
  },
  "session/end": { family: "lifecycle", params: lifecycle.sessionEndParams, result: empty },
  "environment/info": {
    family: "environment info",
    params: ignored,
    result: lifecycle.environmentInfo,
  },
  "environment/status": {
    family: "environment status",
    params: ignored,
    result: lifecycle.environmentStatus,
  },
  "environmentConfig/read": {
    family: "environment config",
    params: environmentConfig.readParams,
    result: environmentConfig.readResult,
  },
  "process/start": { family: "exec", params: process.startParams, result: process.startResult },
  "process/read": { family: "exec", params: process.readParams, result: process.readResult },
  "process/write": { family: "exec", params: process.writeParams, result: process.writeResult },
  "process/closeStdin": { family: "exec", params: process.closeStdinParams, result: empty },
  "process/signal": { family: "exec", params: process.signalParams, result: empty },
  "process/terminate": {
    family: "exec",
    params: process.terminateParams,
    result: process.terminateResult,
  },
  "process/resize": { family: "exec", params: process.resizeParams, result: empty },
  "fs/readFile": {
    family: "filesystem",
    params: filesystem.readFileParams,
    result: filesystem.readFileResult,
  },
  "fs/writeFile": { family: "filesystem", params: filesystem.writeFileParams, result: empty },
  "fs/createDirectory": {
    family: "filesystem",
    params: filesystem.createDirectoryParams,
    result: empty,
  },
  "fs/getMetadata": {
    family: "filesystem",
    params: filesystem.getMetadataParams,
    result: filesystem.getMetadataResult,
  },
  "fs/canonicalize": {
    family: "filesystem",
    params: filesystem.canonicalizeParams,
    result: filesystem.canonicalizeResult,
  },
  "fs/readDirectory": {
    family: "filesystem",
    params: filesystem.readDirectoryParams,
    result: filesystem.readDirectoryResult,
  },
  "fs/walk": {
    family: "filesystem",
    params: filesystem.walkParams,
    result: filesystem.walkResult,
  },
  "fs/remove": { family: "filesystem", params: filesystem.removeParams, result: empty },
  "fs/copy": { family: "filesystem", params: filesystem.copyParams, result: empty },
  "fs/open": {
    family: "filesystem",
    params: filesystem.openParams,
    result: filesystem.openResult,
  },
  "fs/readBlock": {
    family: "filesystem",
    params: filesystem.readBlockParams,
    result: filesystem.readBlockResult,
  },
  "fs/writeBlock": { family: "filesystem", params: filesystem.writeBlockParams, result: empty },
  "fs/close": { family: "filesystem", params: filesystem.closeParams, result: empty },
  "fs/stat": { family: "filesystem", params: filesystem.statParams, result: filesystem.statResult },
  "fs/list": { family: "filesystem", params: filesystem.listParams, result: filesystem.listResult },
  "fs/setAttributes": {
    family: "filesystem",
    params: filesystem.setAttributesParams,
    result: empty,
  },
  "fs/symlink": { family: "filesystem", params: filesystem.symlinkParams, result: empty },
  "fs/watchMissing": {
    family: "filesystem",
    params: filesystem.watchMissingParams,
    result: filesystem.watchMissingResult,
  },
  "http/request": {
    family: "http",
    params: http.httpRequestParams,
    result: http.httpRequestResult,
  },
  "tcp/connect": { family: "tcp", params: tcp.tcpConnectParams, result: empty },
  "tcp/read": { family: "tcp", params: tcp.tcpConnectionParams, result: tcp.tcpReadResult },
  "tcp/write": { family: "tcp", params: tcp.tcpWriteParams, result: empty },
  "tcp/closeWrite": { family: "tcp", params: tcp.tcpConnectionParams, result: empty },
  "tcp/close": { family: "tcp", params: tcp.tcpConnectionParams, result: empty },
} as const satisfies Record<string, MethodContract>;

/** The notifications of an executor that the client library reads. */
export const notifications = {
  "process/output": process.outputNotification,
  "process/exited": process.exitedNotification,
  "process/closed": process.closedNotification,
  "session/takenOver": lifecycle.sessionTakenOver,
  "fs/missingChanged": filesystem.missingChanged,
  "http/request/bodyDelta": http.httpBodyDelta,
} as const satisfies Record<string, z.ZodMiniType>;

/** The name of a method. */
export type Method = keyof typeof methods;
/** The name of a notification that the client library reads. */
export type Notification = keyof typeof notifications;

/** Parameters as a client writes them. */
export type ParamsInput<M extends Method> = typeof methods[M]["params"]["_zod"]["input"];
/** Parameters as the server has them after parsing. */
export type Params<M extends Method> = typeof methods[M]["params"]["_zod"]["output"];
/** A result as the server writes it. */
export type ResultInput<M extends Method> = typeof methods[M]["result"]["_zod"]["input"];
/** A result as the client has it after parsing. */
export type Result<M extends Method> = typeof methods[M]["result"]["_zod"]["output"];
/** A notification as the client has it after parsing. */
export type NotificationParams<N extends Notification> = typeof notifications[N]["_zod"]["output"];

/** Whether the text names a request of the protocol. */
export function isMethod(name: string): name is Method {
  return Object.hasOwn(methods, name);
}

/** Whether the text names a notification of the protocol. */
export function isNotification(name: string): name is Notification {
  return Object.hasOwn(notifications, name);
}
