/** What is wrong with how the program was called; ends it with exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
