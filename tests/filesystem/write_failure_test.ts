import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { base64, DONE, type Request } from "./perform.ts";
import {
  childCommand,
  isPossible,
  performInChild,
  withFileSizeLimit,
  withSmallDisk,
} from "./perform_in_child.ts";
import { TestDirectory } from "../support/test_directory.ts";

const LIMIT = 4 * 1024 * 1024;
const TOO_LARGE = { code: -32603, message: "File too large (os error 27)" };

Deno.test("what does not fit leaves the old content, and nothing beside it", async () => {
  await using directory = await TestDirectory.create();
  const old = "old".repeat(1000);
  await directory.fill({ "f": old, "hard": old, "source": "" });
  await Deno.link(directory.at("hard"), directory.at("hard2"));
  await Deno.truncate(directory.at("source"), LIMIT + 1);
  const dataBase64 = base64("x".repeat(LIMIT + 1));
  const write = (name: string): Request => [
    "fs/writeFile",
    { path: directory.uri(name), dataBase64 },
  ];
  const copy = (name: string): Request => [
    "fs/copy",
    { sourcePath: directory.uri("source"), destinationPath: directory.uri(name), recursive: false },
  ];
  const requests = [write("f"), write("hard"), write("new"), copy("f"), copy("new")];
  const { outcomes } = await performInChild(requests, withFileSizeLimit(LIMIT));
  assertEquals(outcomes, requests.map(() => TOO_LARGE));
  for (const name of ["f", "hard", "hard2"]) assertEquals(await directory.text(name), old);
  assertEquals(await directory.names(), ["f", "hard", "hard2", "source"]);
});

Deno.test({
  name: "a full disk leaves the old content, and nothing beside it",
  // Needs a user namespace.
  ignore: !await isPossible(withSmallDisk("/tmp")),
  async fn() {
    await using directory = await TestDirectory.create();
    const old = "old".repeat(100_000);
    const path = directory.uri("f");
    const write = (name: string, text: string): Request => [
      "fs/writeFile",
      { path: directory.uri(name), dataBase64: base64(text) },
    ];
    const { outcomes } = await performInChild([
      write("f", old),
      write("f", "x".repeat(2_000_000)),
      write("new", "x".repeat(2_000_000)),
      ["fs/readFile", { path }],
      ["fs/readDirectory", { path: directory.uri("") }],
      write("f", "fits"),
      ["fs/readFile", { path }],
    ], withSmallDisk(directory.path));
    const full = { code: -32603, message: "No space left on device (os error 28)" };
    assertEquals(outcomes, [
      DONE,
      full,
      full,
      { result: { dataBase64: base64(old) } },
      { result: { entries: [{ fileName: "f", isDirectory: false, isFile: true }] } },
      DONE,
      { result: { dataBase64: base64("fits") } },
    ]);
  },
});

Deno.test("a crash in the middle of writing leaves the old content or the new", async () => {
  await using directory = await TestDirectory.create();
  const length = 2_000_000;
  const write = (letter: string): Request => [
    "fs/writeFile",
    { path: directory.uri("f"), dataBase64: base64(letter.repeat(length)) },
  ];
  await directory.fill({
    "f": "a".repeat(length),
    "requests": JSON.stringify(Array.from("bcdefghijk".repeat(4), write)),
  });
  const command = childCommand(directory.at("requests"));
  for (let run = 0; run < 5; run++) {
    const before = await Deno.stat(directory.at("f"));
    const child = new Deno.Command(command[0] ?? "", {
      args: command.slice(1),
      stdout: "null",
      stderr: "null",
    }).spawn();
    // Once it has written once it is in the middle of writing again.
    const status = child.status.then(() => "over");
    const hasWritten = async () => (await Deno.stat(directory.at("f"))).ino !== before.ino;
    while (!await hasWritten() && await Promise.race([status, delay(1)]) !== "over");
    try {
      child.kill("SIGKILL");
    } catch {
      // It was faster.
    }
    await status;
    const text = await directory.text("f");
    assertEquals(text.length, length);
    assert(text === text.charAt(0).repeat(length), "torn");
  }
});
