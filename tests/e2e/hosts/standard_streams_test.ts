import { assertEquals, assertMatch } from "@std/assert";
import { remex, runToEnd } from "../support/executor.ts";

const PYTHON = "/usr/bin/python3";
const ignore = Deno.build.os !== "linux" || !exists(PYTHON);

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function redirected(redirections: string): { launcher: string[] } {
  return { launcher: ["bash", "-c", `exec "$0" "$@" ${redirections}`] };
}

/** Makes descriptors of its own non-blocking and becomes a program. */
function nonBlocking(...descriptors: number[]): string[] {
  const script = `import fcntl, os, sys
for fd in [${descriptors}]:
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
os.execv(sys.argv[1], sys.argv[1:])`;
  return [PYTHON, "-c", script];
}

Deno.test({
  name: "a full pipe that does not wait keeps no output back, and repeats none",
  ignore,
  async fn() {
    for (const redirection of ["", ">&2"]) {
      const script = `seq 1 200000 ${redirection}`;
      const child = remex(["exec", "--stdio", "--no-stdin", "--", "sh", "-c", script], {
        launcher: nonBlocking(1, 2),
        stderr: "piped",
      });
      await child.stdin.close();
      // Read byte by byte at first, so that the pipe is full for long.
      const reader = child[redirection === "" ? "stdout" : "stderr"].getReader();
      await child[redirection === "" ? "stderr" : "stdout"].cancel();
      const decoder = new TextDecoder();
      let said = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        said += decoder.decode(part.value, { stream: true });
      }
      const expected = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join("");
      assertEquals([said.length, (await child.status).code], [expected.length, 0]);
      assertEquals(said === expected, true);
    }
  },
});

Deno.test({
  name: "an input that does not wait goes through with its end",
  ignore,
  async fn() {
    const child = remex(["exec", "--stdio", "--", "sh", "-c", "echo ready; cat"], {
      launcher: nonBlocking(0),
    });
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await reader.read()).value, "ready\n");
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("late\n"));
    assertEquals((await reader.read()).value, "late\n");
    await writer.close();
    assertEquals((await reader.read()).done, true);
    assertEquals((await child.status).code, 0);
  },
});

Deno.test({
  name: "an executor over stdio serves over pipes that do not wait, and ends with its input",
  ignore,
  async fn() {
    const child = remex(["serve", "--listen", "stdio"], { launcher: nonBlocking(0, 1, 2) });
    const writer = child.stdin.getWriter();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let id = 1; id <= 3; id++) {
      const message = { id, method: "initialize", params: { clientName: "test" } };
      await writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
      const { value = "" } = await lines.read();
      assertMatch(value, id === 1 ? /"sessionId"/ : /"error"/);
    }
    await writer.close();
    assertEquals((await lines.read()).done, true);
    assertEquals((await child.status).code, 0);
  },
});

Deno.test("an input that cannot be read is told, and is the command's end of input", async () => {
  const args = ["exec", "--stdio", "--", "sh", "-c", "cat; echo over"];
  assertEquals(await runToEnd(args, "", redirected("</tmp")), {
    code: 0,
    stdout: "over\n",
    stderr: "remex: standard input cannot be read: Is a directory (os error 21)\n",
  });
});

Deno.test("output that finds no room here is told, with an exit code of its own", async () => {
  for (const [stream, redirection] of [["output", ">/dev/full"], ["error", "2>/dev/full"]]) {
    const script = stream === "output" ? "echo hi" : "echo hi >&2";
    const args = ["exec", "--stdio", "--", "sh", "-c", script];
    const { code, stderr } = await runToEnd(args, "", redirected(redirection ?? ""));
    const told =
      `remex: standard ${stream} cannot be written: No space left on device (os error 28)\n`;
    assertEquals([code, stderr], [125, stream === "output" ? told : ""]);
  }
});
