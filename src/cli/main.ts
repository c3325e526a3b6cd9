import { ConfigurationError } from "../config/origin.ts";
import { writeErrorLine } from "../log/standard_error.ts";
import { VERSION } from "../version.ts";
import { OUTPUT_CLOSED, OutputClosed, print } from "./standard_output.ts";
import { UsageError } from "./usage_error.ts";

const USAGE = `usage: remex COMMAND [options]

Runs commands on this machine for remote clients.

  serve        serve clients over a WebSocket, a unix socket or standard input and output
  exec-server  the same as serve, for programs that start \`codex exec-server\`
  exec         run a command on an executor as if it ran here
  cp           copy files and directories to and from an executor's machine
  forward      reach a port of an executor's machine at one of this machine
  bridge       connect standard input and output to an executor's socket
  config       print the settings with their origins, and the requirements
  doctor       check which sandbox this machine can enforce, and how to fix it
  token        make a token for clients of an executor

  --version    print the version
  --help       print this text, or after a command its options
`;

/** Runs one command line and returns the exit code. */
export async function main(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (error instanceof OutputClosed) return OUTPUT_CLOSED;
    const message = error instanceof Error ? error.message : String(error);
    writeErrorLine(`remex: ${message.replaceAll("\n", " ")}`);
    return error instanceof UsageError || error instanceof ConfigurationError ? 2 : 1;
  }
}

async function run([command, ...rest]: string[]): Promise<number> {
  switch (command) {
    case "serve": {
      const { serve } = await import("./serve.ts");
      return await serve(rest);
    }
    case "exec-server": {
      const { serve } = await import("./serve.ts");
      const { execServerArguments } = await import("./exec_server_arguments.ts");
      return await serve(execServerArguments(rest));
    }
    case "exec": {
      const { exec } = await import("./exec.ts");
      return await exec(rest);
    }
    case "cp": {
      const { cp } = await import("./cp.ts");
      return await cp(rest);
    }
    case "forward": {
      const { forward } = await import("./forward.ts");
      return await forward(rest);
    }
    case "bridge": {
      const { bridge } = await import("./bridge.ts");
      return await bridge(rest);
    }
    case "config": {
      const { config } = await import("./config.ts");
      return await config(rest);
    }
    case "doctor": {
      const { doctor } = await import("./doctor.ts");
      return await doctor(rest);
    }
    case "token": {
      const { token } = await import("./token.ts");
      return await token(rest);
    }
    // Not for people: how a sandbox's devices are made read-only.
    case "sandbox-devices": {
      const { sealMounts } = await import("../sandbox/bubblewrap/seal_devices.ts");
      sealMounts(rest);
      return 0;
    }
    // Nor this: how a sandbox gets sockets of this machine's.
    case "sandbox-sockets": {
      const { makeSockets } = await import("../sandbox/network/socket_maker.ts");
      makeSockets(rest);
      return 0;
    }
    case "--version":
    case "-V":
      await print(`remex ${VERSION}\n`);
      return 0;
    case "help":
      if (rest[0] !== undefined) return await run([rest[0], "--help"]);
      await print(USAGE);
      return 0;
    case "--help":
    case "-h":
      await print(USAGE);
      return 0;
    case undefined:
      throw new UsageError("no command given; `remex --help` lists them");
    default:
      throw new UsageError(`unknown command \`${command}\`; \`remex --help\` lists them`);
  }
}
