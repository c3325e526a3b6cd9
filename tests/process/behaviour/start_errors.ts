import { assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { StartError } from "../../../src/process/child.ts";
import { eventually } from "../../support/patience.ts";
import {
  EMPTY,
  PIPED,
  type Recipe,
  RecordedChild,
  runToEnd,
  type StartChild,
  TERMINAL,
} from "../../support/recorded_child.ts";

/** Commands that cannot be started, and what many commands leave behind. */
export function startErrorBehaviour(name: string, start: StartChild): void {
  const refused: readonly [string, Omit<Recipe, "stdio">, RegExp][] = [
    ["a missing program", { argv: ["no-such-program"] }, /^no-such-program: .*No such file/],
    ["a missing file", { argv: ["/no/such/file"] }, /^\/no\/such\/file: .*No such file/],
    ["an empty name", { argv: [""] }, /No such file/],
    [
      "a missing working directory",
      { argv: ["true"], cwd: "/no/dir" },
      /^\/no\/dir: .*No such file/,
    ],
    [
      "a file as working directory",
      { argv: ["true"], cwd: "/etc/passwd" },
      /^\/etc\/passwd: Not a directory/,
    ],
    [
      "a file that is not executable",
      { argv: ["/etc/passwd"] },
      /^\/etc\/passwd: Permission denied/,
    ],
    ["a directory", { argv: ["/etc"] }, /^\/etc: Permission denied/],
    ["a path through a file", { argv: ["/etc/passwd/x"] }, /^\/etc\/passwd\/x: /],
  ];
  for (const stdio of [EMPTY, PIPED, TERMINAL]) {
    const kind = stdio.kind === "pipes" ? `stdin ${stdio.stdin}` : stdio.kind;
    Deno.test(`${name}: refusals to start are told in words and leave nothing (${kind})`, async () => {
      await runToEnd(start, { argv: ["true"], stdio });
      await leavesNothing(async () => {
        for (const [what, recipe, words] of refused) {
          const answer = await RecordedChild.start(start, { ...recipe, stdio })
            .catch((error: unknown) => error);
          assertInstanceOf(answer, StartError, what);
          assertMatch(answer.message, words, what);
          const { kind, culprit } = answer.failure ?? {};
          assertEquals([kind, culprit], [
            words.source.includes("denied")
              ? "spawnPermissionDenied"
              : words.source.includes("Not a")
              ? "spawnFailed"
              : "spawnNotFound",
            what.endsWith("working directory") ? "workingDirectory" : "program",
          ], what);
        }
      });
    });
  }

  Deno.test(`${name}: nothing is told before the child has been handed out`, async () => {
    let early = 0;
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        runToEnd(start, {
          argv: ["/bin/echo", "x"],
          stdio: index % 5 === 0 ? TERMINAL : EMPTY,
          onTold: (_told, run) => {
            if (!run.handedOut) early++;
          },
        })),
    );
    assertEquals(early, 0);
  });

  Deno.test(`${name}: two hundred commands leave no descriptor and no zombie`, async () => {
    await runToEnd(start, { argv: ["true"], stdio: TERMINAL });
    await leavesNothing(async () => {
      for (let round = 0; round < 10; round++) {
        const kinds = [EMPTY, PIPED, TERMINAL, EMPTY];
        await Promise.all(
          Array.from({ length: 20 }, async (_, index) => {
            const stdio = kinds[index % kinds.length] ?? EMPTY;
            const run = await runToEnd(start, { argv: ["echo", "x"], stdio });
            assertEquals(run.bytesTold, stdio === TERMINAL ? 3 : 2);
          }),
        );
      }
    });
  });
}

/** Runs something and waits until there are no more descriptors and children than before it. */
async function leavesNothing(action: () => Promise<void>): Promise<void> {
  const before = held();
  await action();
  await eventually(() => held() <= before, `${held()} descriptors and children to be ${before}`);
}

function held(): number {
  const descriptors = [...Deno.readDirSync("/proc/self/fd")].length;
  const children = Array.from(
    Deno.readDirSync("/proc/self/task"),
    ({ name }) => Deno.readTextFileSync(`/proc/self/task/${name}/children`).trim(),
  ).join(" ").trim();
  return descriptors + (children === "" ? 0 : children.split(/\s+/).length);
}
