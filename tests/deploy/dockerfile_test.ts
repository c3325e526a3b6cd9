import { assert, assertEquals, assertMatch } from "@std/assert";
import { validate } from "dockerfile-utils";
import { deployPath, deployText } from "./support/deploy_files.ts";

/** What is wrong with a Dockerfile, in words. */
function problems(text: string): string[] {
  return validate(text).map(({ message }) => String(message));
}

Deno.test("the Dockerfile is one", () => {
  assertEquals(problems(deployText("Dockerfile")), []);
});

Deno.test("what is wrong in a Dockerfile is found", () => {
  const text = deployText("Dockerfile");
  for (
    const [found, put] of [
      ["COPY dist/remex /usr", "COPPY dist/remex /usr"],
      ["EXPOSE 7777", "EXPOSE port"],
      [/^FROM .*$/m, ""],
      [/^COPY dist.*$/m, "COPY dist/remex"],
    ] as const
  ) {
    assert(problems(text.replace(found, put)).length > 0, String(found));
  }
});

Deno.test("the builder is given what the Dockerfile copies, and nothing else", () => {
  const copied = [...deployText("Dockerfile").matchAll(/^COPY (\S+) /gm)].map(([, path]) => path);
  const ignored = deployText("Dockerfile.dockerignore").split("\n");
  const given = ignored.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  assertEquals(given, copied);
  assert(ignored.includes("*"));
});

Deno.test("the entrypoint can be executed where there is no shell but /bin/sh", () => {
  const { mode } = Deno.statSync(deployPath("entrypoint"));
  assertEquals((mode ?? 0) & 0o111, 0o111);
  assertMatch(deployText("entrypoint"), /^#!\/bin\/sh\n/);
});
