import { assertEquals } from "@std/assert";
import { hasUserNotification } from "../../src/os/thread_restrictions.ts";

const [major = 0, minor = 0] = Deno.osRelease().split(".").map(Number);
const hasFlag = major > 6 || major === 6 && minor >= 6;

Deno.test({
  name: "the kernel is told that callers and their supervisor may share a processor",
  ignore: Deno.build.os !== "linux" || !hasUserNotification() || !hasFlag,
  async fn() {
    const program = new URL("sharing_processor.ts", import.meta.url).pathname;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", program],
      stderr: "inherit",
    }).output();
    assertEquals(new TextDecoder().decode(stdout).trim(), "true");
  },
});
