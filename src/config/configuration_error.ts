/** What is wrong with how the program is configured; ends it with exit code 2. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}
