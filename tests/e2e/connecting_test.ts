import { assertEquals } from "@std/assert";
import { eventually, settled } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { ended, remex } from "./support/executor.ts";

/** Long enough that whoever waits for it hangs. */
const PATIENT = ["--connect-timeout", "3600"];

/** Interrupts a command once it is connecting. Returns its exit code. */
async function interrupted(
  args: readonly string[],
  connecting: () => Promise<unknown>,
): Promise<number> {
  const child = remex(args, { stderr: "null" });
  await settled(connecting(), "the connection");
  child.kill("SIGINT");
  const { code } = await ended(child);
  await Promise.all([child.stdin.abort().catch(() => {}), child.stdout.cancel()]);
  return code;
}

Deno.test("Ctrl-C ends a command whose executor does not answer", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `ws://127.0.0.1:${listener.addr.port}`;
  const silent: Deno.Conn[] = [];
  const connecting = async () => silent.push(await listener.accept());
  try {
    const cp = ["cp", ...PATIENT, "/etc/hostname", `${url}/tmp/never`];
    assertEquals(await interrupted(cp, connecting), 130);
    assertEquals(
      await interrupted(["exec", ...PATIENT, "--url", url, "--", "true"], connecting),
      130,
    );
    assertEquals(await interrupted(["forward", ...PATIENT, "--url", url, "0:9"], connecting), 0);
  } finally {
    for (const connection of silent) connection.close();
    listener.close();
  }
});

Deno.test({
  name: "Ctrl-C ends a command while ssh is connecting, and ssh with it",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    for (const [command, code] of [["cp", 130], ["exec", 130], ["forward", 0]] as const) {
      using directory = new TemporaryDirectory();
      const ssh = directory.write("ssh", `#!/bin/sh\necho $$ >"$0.pid"\nexec sleep 3600\n`, 0o755);
      const operands = { cp: ["/etc/hostname", ":never"], exec: ["--", "true"], forward: ["0:9"] };
      const args = [command, ...PATIENT, "--ssh", "there", "--ssh-command", ssh];
      const pid = () => Number(Deno.readTextFileSync(`${ssh}.pid`));
      const asleep = () => Deno.readTextFileSync(`/proc/${pid()}/comm`) === "sleep\n";
      const connecting = () => eventually(() => trying(asleep), "ssh");
      assertEquals(await interrupted([...args, ...operands[command]], connecting), code);
      await eventually(() => !trying(asleep), "the end of ssh");
    }
  },
});

/** Whether a condition holds that cannot be looked at yet, or any more. */
function trying(condition: () => boolean): boolean {
  try {
    return condition();
  } catch {
    return false;
  }
}
