/** Why an exchange over HTTP did not come about or broke off; the message is for logs. */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
}

/** What went wrong, in words for a log. */
export function describeFailure(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
