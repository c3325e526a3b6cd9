import { loadConfiguration } from "../config/load.ts";
import { configureLog } from "../log/log.ts";
import { usageText } from "./command_manual.ts";
import { proxyRequest } from "./exec_network.ts";
import { EXEC_MANUAL, parseExecArguments } from "./exec_options.ts";
import { ForwardedSignals } from "./exec_signals.ts";
import { print } from "./standard_streams.ts";
import { sshConnector } from "./executor_options.ts";

/** `remex exec`: runs a command on an executor. Returns its exit code. */
export async function exec(args: string[]): Promise<number> {
  const given = parseExecArguments(args);
  if (typeof given === "string") {
    await print(usageText(EXEC_MANUAL, given));
    return 0;
  }
  const { configuration } = await loadConfiguration(given);
  const options = given.options(configuration);
  configureLog(options.log);
  const { executor, network, connectTimeoutMs } = options;
  // Rules that cannot be understood are told before anything is started.
  if (network !== undefined) await proxyRequest(network);
  using signals = new ForwardedSignals();
  using ssh = executor.kind === "ssh"
    ? await sshConnector(executor.options, connectTimeoutMs)
    : undefined;
  await ssh?.begin();
  // What speaks to the executor is loaded while ssh connects.
  const { runCommand } = await import("./exec_run.ts");
  return await runCommand(options, signals, ssh);
}
