/** Why an exchange over HTTP did not come about or broke off; the message is for logs. */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
}
