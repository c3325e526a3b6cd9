/**
 * A client for executors that speak the exec-server protocol.
 *
 * @module
 */
export { ErrorCode, RpcError } from "../protocol/errors.ts";
export { PathUri, PathUriError } from "../protocol/path_uri.ts";
export {
  type ClientTransport,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionObstacle,
} from "../transport/client_transport.ts";
export {
  type CloseReason,
  type EndReason,
  type OutgoingMessage,
  type Transport,
  TRANSPORT_KINDS,
  type TransportKind,
  type TransportObserver,
} from "../transport/transport.ts";
export type { ClientOptions, StartParams, StreamedResponse } from "./client_options.ts";
export type { Connector, Endpoint, ExecutorCommand } from "./connector.ts";
export type {
  Completion,
  ExceededLimit,
  ExecEvent,
  ExecProcess,
  NetworkReport,
  OutputStream,
  ProcessEvent,
  ProcessSignal,
  ReadOptions,
  ReadOutcome,
  SandboxType,
  TerminalSize,
  WriteStatus,
} from "./exec_process.ts";
export { ExecServerClient } from "./exec_server_client.ts";
export { RemoteTcpConnection } from "./remote_tcp.ts";
export { ProcessError, type ProcessErrorCode } from "./exec_process.ts";
