import type { CommandManual } from "./command_manual.ts";

/** A command of this program. What it needs is loaded when it is called. */
export interface Command {
  /** Runs it with the rest of the command line. Returns the exit code. */
  readonly run: (args: string[]) => Promise<number>;
}

/** A command that people call. */
export interface PublicCommand extends Command {
  /** What it does, in a few words. */
  readonly summary: string;
  /** What there is to say of it. */
  readonly manual: () => Promise<CommandManual>;
}

const serveManual = async () => (await import("./serve_options.ts")).SERVE_MANUAL;

/** The commands for people, in the order in which help lists them. */
export const COMMANDS: Readonly<Record<string, PublicCommand>> = {
  serve: {
    summary: "serve clients over a WebSocket, a unix socket or standard input and output",
    run: async (args) => await (await import("./serve.ts")).serve(args),
    manual: serveManual,
  },
  "exec-server": {
    summary: "the same as serve, for programs that start `codex exec-server`",
    run: async (args) => {
      const { serve } = await import("./serve.ts");
      const { execServerArguments } = await import("./exec_server_arguments.ts");
      return await serve(execServerArguments(args));
    },
    manual: serveManual,
  },
  exec: {
    summary: "run a command on an executor as if it ran here",
    run: async (args) => await (await import("./exec.ts")).exec(args),
    manual: async () => (await import("./exec_options.ts")).EXEC_MANUAL,
  },
  jobs: {
    summary: "list the commands that `exec --detach` has left to themselves",
    run: async (args) => await (await import("./jobs.ts")).jobs(args),
    manual: async () => (await import("./jobs.ts")).JOBS_MANUAL,
  },
  attach: {
    summary: "follow such a job, on its terminal if it has one",
    run: async (args) => await (await import("./attach.ts")).attach(args),
    manual: async () => (await import("./attach.ts")).ATTACH_MANUAL,
  },
  logs: {
    summary: "print what a job has written",
    run: async (args) => await (await import("./logs.ts")).logs(args),
    manual: async () => (await import("./logs.ts")).LOGS_MANUAL,
  },
  kill: {
    summary: "send a signal to a job",
    run: async (args) => await (await import("./kill.ts")).kill(args),
    manual: async () => (await import("./kill.ts")).KILL_MANUAL,
  },
  rm: {
    summary: "forget jobs that have ended",
    run: async (args) => await (await import("./rm.ts")).rm(args),
    manual: async () => (await import("./rm.ts")).RM_MANUAL,
  },
  cp: {
    summary: "copy files and directories to and from an executor's machine",
    run: async (args) => await (await import("./cp.ts")).cp(args),
    manual: async () => (await import("./cp_options.ts")).CP_MANUAL,
  },
  forward: {
    summary: "reach a port of an executor's machine at one of this machine",
    run: async (args) => await (await import("./forward.ts")).forward(args),
    manual: async () => (await import("./forward_options.ts")).FORWARD_MANUAL,
  },
  bridge: {
    summary: "connect standard input and output to an executor's socket",
    run: async (args) => await (await import("./bridge.ts")).bridge(args),
    manual: async () => (await import("./bridge.ts")).BRIDGE_MANUAL,
  },
  config: {
    summary: "print the settings with their origins, and the requirements",
    run: async (args) => await (await import("./config.ts")).config(args),
    manual: async () => (await import("./config.ts")).CONFIG_MANUAL,
  },
  doctor: {
    summary: "check which sandbox this machine can enforce, and how to fix it",
    run: async (args) => await (await import("./doctor.ts")).doctor(args),
    manual: async () => (await import("./doctor.ts")).DOCTOR_MANUAL,
  },
  token: {
    summary: "make a token for clients of an executor",
    run: async (args) => await (await import("./token.ts")).token(args),
    manual: async () => (await import("./token.ts")).TOKEN_MANUAL,
  },
  completions: {
    summary: "print what completes command lines of remex in a shell",
    run: async (args) => await (await import("./completions.ts")).completions(args),
    manual: async () => (await import("./completions.ts")).COMPLETIONS_MANUAL,
  },
  man: {
    summary: "print the manual page",
    run: async (args) => await (await import("./man.ts")).man(args),
    manual: async () => (await import("./man.ts")).MAN_MANUAL,
  },
};

/** The commands by which this program runs itself. */
export const INTERNAL_COMMANDS: Readonly<Record<string, Command>> = {
  /** How a sandbox's devices are made read-only. */
  "sandbox-devices": {
    run: async (args) => {
      (await import("../sandbox/bubblewrap/seal_devices.ts")).sealMounts(args);
      return 0;
    },
  },
  /** How what is mounted later is kept out of a sandbox. */
  "sandbox-mounts": {
    run: async (args) => {
      (await import("../sandbox/bubblewrap/keep_mounts_out.ts")).keepMountsOutOf(args);
      return 0;
    },
  },
  /** How a sandbox gets sockets of this machine's. */
  "sandbox-sockets": {
    run: async (args) => {
      (await import("../sandbox/network/socket_maker.ts")).makeSockets(args);
      return 0;
    },
  },
};
