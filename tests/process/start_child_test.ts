import { assertRejects } from "@std/assert";
import { StartError } from "../../src/process/child.ts";
import { startChild } from "../../src/process/start_child.ts";
import { EMPTY, PLAIN_ENV } from "../support/recorded_child.ts";

const command = { argv: ["true"], cwd: "/", env: PLAIN_ENV, stdio: EMPTY };
const observer = { output: () => {}, exited: () => {}, ended: () => {} };

for (
  const [where, change] of [
    ["the name", { argv: ["true\0"] }],
    ["an argument", { argv: ["true", "a\0b"] }],
    ["arg0", { arg0: "a\0" }],
    ["the working directory", { cwd: "/\0" }],
    ["a variable's name", { env: { ...PLAIN_ENV, "A\0": "" } }],
    ["a variable's value", { env: { ...PLAIN_ENV, A: "\0" } }],
  ] as const
) {
  Deno.test(`a command with a NUL in ${where} is not started`, async () => {
    await assertRejects(() => startChild({ ...command, ...change }, observer), StartError, "NUL");
  });
}

for (
  const [where, change] of [
    ["an argument", { argv: ["true", "a\ud800"] }],
    ["a variable's name", { env: { ...PLAIN_ENV, "\udfff": "" } }],
    ["a variable's value", { env: { ...PLAIN_ENV, A: "\udc00\ud800" } }],
  ] as const
) {
  Deno.test(`a command with an unpaired surrogate in ${where} is not started`, async () => {
    await assertRejects(
      () => startChild({ ...command, ...change }, observer),
      StartError,
      "surrogate",
    );
  });
}
