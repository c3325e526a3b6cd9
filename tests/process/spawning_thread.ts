/// <reference lib="deno.worker" />
import { launchProgram } from "../../src/os/spawn.ts";

// A thread that starts the shell command that it is told, and tells its process id.
self.onmessage = ({ data }: MessageEvent<string>) => {
  const argv = ["/bin/sh", "-c", data];
  const descriptors = [0, 1, 2].map((number) => ({
    number,
    source: { kind: "open", path: "/dev/null", access: "readWrite" } as const,
  }));
  const launch = { candidates: ["/bin/sh"], argv, cwd: "/", env: Deno.env.toObject(), descriptors };
  self.postMessage(launchProgram(launch));
};
