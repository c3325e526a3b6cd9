/**
 * The exec-server protocol: messages, methods with the schemas of their parameters and results,
 * error codes, and the paths that cross operating systems.
 *
 * @module
 */
export * from "./envelope.ts";
export {
  ErrorCode,
  internalError,
  invalidParams,
  invalidRequest,
  notFound,
  RpcError,
} from "./errors.ts";
export type { JsonLimits } from "./json.ts";
export * from "./methods.ts";
export * from "./path_uri.ts";
