import { assertEquals } from "@std/assert";
import { executableCandidates, startingPaths } from "../../src/process/executable.ts";

for (
  const [name, env, candidates] of [
    ["ls", { PATH: "/a:/b" }, ["/a/ls", "/b/ls"]],
    ["ls", { PATH: "/a/" }, ["/a//ls"]],
    ["ls", { PATH: "relative" }, ["relative/ls"]],
    ["ls", { PATH: ":/a" }, ["ls", "/a/ls"]],
    ["ls", { PATH: "/a::/b:" }, ["/a/ls", "ls", "/b/ls", "ls"]],
    ["ls", { PATH: "" }, ["ls"]],
    ["ls", {}, ["/bin/ls", "/usr/bin/ls"]],
    ["/x/ls", { PATH: "/a" }, ["/x/ls"]],
    ["./ls", { PATH: "/a" }, ["./ls"]],
    ["x/ls", { PATH: "/a" }, ["x/ls"]],
    ["", { PATH: "/a" }, []],
  ] as const
) {
  Deno.test(`candidates for '${name}' with ${JSON.stringify(env)}`, () => {
    assertEquals(executableCandidates(name, env), candidates);
  });
}

Deno.test("a command is started along its directory and all that may be its program", () => {
  const env = { PATH: "/a::relative" };
  assertEquals(
    startingPaths({ argv: ["ls", "x"], cwd: "/ws", env }),
    ["/ws", "/a/ls", "/ws/ls", "/ws/relative/ls"],
  );
  assertEquals(startingPaths({ argv: ["./run"], cwd: "/ws", env }), ["/ws", "/ws/run"]);
  assertEquals(startingPaths({ argv: [], cwd: "/ws", env }), ["/ws"]);
});
