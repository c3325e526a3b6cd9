/** What is loaded with the first HTTP request. */
export { BODY_BROKEN, failedRequest, perform, wholeBody } from "./perform.ts";
export { checkRequest } from "./request.ts";
