import { parseArgs } from "node:util";
import { UsageError } from "./usage_error.ts";

const PID_NAMESPACE = "linux-sandbox-pid-namespace";

const CONFIGURATION = "remex does not read the Codex CLI's configuration for itself; its own " +
  "settings are options, variables and files, which `remex config` lists";
const FEATURES = "there are no features to switch; what an executor can do is told by " +
  "`capabilities` in its environment info";
const REGISTRATION = "remex does not register with a service; let it --listen, and clients connect";
const AUTHENTICATION =
  "who connects is authenticated by --ws-auth, and remex itself logs in nowhere";
const PROXY = "how commands reach the network is said by the client, with each command";

/** Options of `codex exec-server` that remex does not have, and what to do instead. */
const REFUSED: Readonly<
  Record<string, { readonly instead: string; readonly takesValue?: boolean }>
> = {
  "strict-config": { instead: CONFIGURATION },
  "enable": { instead: FEATURES, takesValue: true },
  "disable": { instead: FEATURES, takesValue: true },
  "linux-sandbox-transparent-tcp": { instead: PROXY },
  "tcp-upstream-proxy": { instead: PROXY, takesValue: true },
  "proxy-private-ips-via-upstream": { instead: PROXY },
  "remote": { instead: REGISTRATION, takesValue: true },
  "remote-transport": { instead: REGISTRATION, takesValue: true },
  "environment-id": { instead: REGISTRATION, takesValue: true },
  "name": { instead: REGISTRATION, takesValue: true },
  "use-agent-identity-auth": { instead: AUTHENTICATION },
  "registration-bearer-stdin": { instead: AUTHENTICATION },
  "executor-credential-stdin": { instead: AUTHENTICATION },
  "chatgpt-token-stdin": { instead: AUTHENTICATION },
  "chatgpt-account-id": { instead: AUTHENTICATION, takesValue: true },
  "aws-sigv4": { instead: AUTHENTICATION },
  "aws-profile": { instead: AUTHENTICATION, takesValue: true },
  "aws-region": { instead: AUTHENTICATION, takesValue: true },
  "aws-service": { instead: AUTHENTICATION, takesValue: true },
};

/**
 * Turns a command line of `codex exec-server` into one of `remex serve`: most options are the same.
 *
 * @throws {UsageError} naming what remex does not have, and what to do instead
 */
export function execServerArguments(args: readonly string[]): string[] {
  const options = {
    c: { type: "string", short: "c" },
    [PID_NAMESPACE]: { type: "string" },
    ...Object.fromEntries(
      Object.entries(REFUSED).map(([name, { takesValue }]) =>
        [name, { type: takesValue === true ? "string" : "boolean" }] as const
      ),
    ),
  } as const;
  const dropped = new Set<number>();
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === "positional" && token.index === 0 && token.value === "forward") {
      throw new UsageError(`\`exec-server forward\` is not there: ${REGISTRATION}`);
    }
    if (token.kind !== "option") continue;
    const { name, rawName, value, index } = token;
    if (name === "c") throw new UsageError(`\`${rawName}\` is not there: ${CONFIGURATION}`);
    if (name === "config") refuseOverride(rawName, value ?? args[index + 1]);
    const refused = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
    if (refused !== undefined) {
      throw new UsageError(`\`${rawName}\` is not there: ${refused.instead}`);
    }
    if (name !== PID_NAMESPACE) continue;
    refuseSharedProcesses(rawName, value);
    dropped.add(index);
    if (token.inlineValue === false) dropped.add(index + 1);
  }
  return args.filter((_, index) => !dropped.has(index));
}

/** `--config` names a file here, and there it changes a value. */
function refuseOverride(rawName: string, value: string | undefined): void {
  if (value === undefined || !/^[\w.-]+=/.test(value)) return;
  throw new UsageError(`\`${rawName} ${value}\` is not there: ${CONFIGURATION}`);
}

function refuseSharedProcesses(rawName: string, value: string | undefined): void {
  if (value === "isolate") return;
  const fix = "leave it out, or give isolate";
  if (value === "inherit") {
    throw new UsageError(
      `\`${rawName} inherit\` is not there: a sandboxed command sees no process but its own; ${fix}`,
    );
  }
  throw new UsageError(`\`${rawName}\` needs a value, isolate or inherit; ${fix}`);
}
