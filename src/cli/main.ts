import { ConfigurationError } from "../config/origin.ts";
import { VERSION } from "../version.ts";
import { type Command, COMMANDS, INTERNAL_COMMANDS } from "./commands.ts";
import { OUTPUT_CLOSED, OutputClosed, print, say } from "./standard_streams.ts";
import { UsageError } from "./usage_error.ts";

/** Runs one command line and returns the exit code. */
export async function main(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (error instanceof OutputClosed) return OUTPUT_CLOSED;
    const message = error instanceof Error ? error.message : String(error);
    say(message);
    return error instanceof UsageError || error instanceof ConfigurationError ? 2 : 1;
  }
}

async function run([name, ...rest]: string[]): Promise<number> {
  switch (name) {
    case "--version":
    case "-V":
      await print(`remex ${VERSION}\n`);
      return 0;
    case "help":
      if (rest[0] !== undefined) return await run([rest[0], "--help"]);
      await print(usage());
      return 0;
    case "--help":
    case "-h":
      await print(usage());
      return 0;
    case undefined:
      throw new UsageError("no command given; `remex --help` lists them");
  }
  const command = commandNamed(name);
  if (command !== undefined) return await command.run(rest);
  throw new UsageError(`unknown command \`${name}\`; \`remex --help\` lists them`);
}

function commandNamed(name: string): Command | undefined {
  for (const commands of [COMMANDS, INTERNAL_COMMANDS]) {
    if (Object.hasOwn(commands, name)) return commands[name];
  }
  return undefined;
}

function usage(): string {
  const names = Object.keys(COMMANDS);
  const width = Math.max(...names.map((name) => name.length));
  const rows = Object.entries(COMMANDS)
    .map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}\n`);
  return `usage: remex COMMAND [options]

Runs commands on this machine for remote clients.

${rows.join("")}
  ${"--version".padEnd(width)}  print the version
  ${"--help".padEnd(width)}  print this text, or after a command its options
`;
}
