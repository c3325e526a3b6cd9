import { assertEquals } from "@std/assert";
import { perform } from "./perform.ts";
import { TestDirectory } from "../support/test_directory.ts";

Deno.test("the canonical path is free of links and odd spellings", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "d/sub/f": "x", "d/a": "x", "sp ace%é": "x" });
  await Deno.symlink("d", directory.at("link"));
  await Deno.symlink("../sub", directory.at("d/sub/up"));
  const canonical = async (path: string, expected: string) =>
    assertEquals(await perform("fs/canonicalize", { path }), { result: { path: expected } });
  await canonical(directory.uri("link"), directory.uri("d"));
  await canonical(directory.uri("link/sub/f"), directory.uri("d/sub/f"));
  await canonical(`${directory.uri("link")}/sub/../a`, directory.uri("d/a"));
  await canonical(directory.uri("d/sub/up"), directory.uri("d/sub"));
  await canonical(`${directory.uri("d")}//./a/`, directory.uri("d/a"));
  await canonical(directory.uri("sp ace%é"), `${directory.uri("")}/sp%20ace%25%C3%A9`);
  await canonical("file:///", "file:///");
});

Deno.test({
  name: "a link to a path that is not UTF-8 leads to its bytes",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using directory = await TestDirectory.create();
    const script = `cd '${directory.path}' && mkdir "$(printf 'bad\\376')" && ln -s bad* link`;
    await new Deno.Command("sh", { args: ["-c", script] }).output();
    assertEquals(await perform("fs/canonicalize", { path: directory.uri("link") }), {
      result: { path: directory.uri("bad%FE").replace("%25", "%") },
    });
  },
});
