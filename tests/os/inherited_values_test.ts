import { assertEquals } from "@std/assert";
import { OomScore } from "../../src/os/inherited_values.ts";

Deno.test({
  name: "a program is ended before this one, with what it has started already",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const shell = new Deno.Command("/bin/sh", {
      args: ["-c", "sleep 1000 & echo $!; read -r _; kill $!"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = shell.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await output.read();
    const scores = ["self", shell.pid, Number(value)].map((pid) => () =>
      Number(Deno.readTextFileSync(`/proc/${pid}/oom_score_adj`))
    );
    const [own = 0] = scores.map((score) => score());
    new OomScore().started(shell.pid);
    const raised = Math.min(1000, Math.max(500, own + 100));
    assertEquals(scores.map((score) => score()), [own, raised, raised]);
    await shell.stdin.close();
    await output.read();
    await shell.status;
  },
});
