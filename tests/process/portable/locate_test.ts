import { assertEquals, assertThrows } from "@std/assert";
import { StartError } from "../../../src/process/child.ts";
import { locateExecutable } from "../../../src/process/portable/launcher.ts";
import { EMPTY, inDirectory } from "../../support/recorded_child.ts";

Deno.test("locate: the first executable file in the command's PATH", () =>
  inDirectory(async (cwd) => {
    await Deno.mkdir(`${cwd}/a/tool`, { recursive: true });
    await Deno.mkdir(`${cwd}/b`);
    await Deno.writeTextFile(`${cwd}/b/tool`, "", { mode: 0o644 });
    await Deno.writeTextFile(`${cwd}/tool`, "", { mode: 0o755 });
    const locate = (name: string, path: string) =>
      locateExecutable({ argv: [name], cwd, env: { PATH: path }, stdio: EMPTY });
    assertEquals(locate("tool", `${cwd}/none:${cwd}/a:${cwd}/b:${cwd}`), `${cwd}/tool`);
    assertEquals(locate("tool", "a:b:"), "tool");
    assertEquals(locate("./tool", "a"), "./tool");
    assertThrows(() => locate("tool", "none"), StartError, "tool: No such file or directory");
    assertThrows(() => locate("tool", "none:a:b"), StartError, "tool: Permission denied");
    assertThrows(() => locate("", "a:"), StartError, "No such file or directory");
  }));
