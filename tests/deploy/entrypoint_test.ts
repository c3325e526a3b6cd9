import { assertEquals, assertStringIncludes } from "@std/assert";
import { ended, ListeningExecutor, REMEX_BIN } from "../e2e/support/executor.ts";
import { RawSocket, UPGRADE } from "../e2e/support/raw_socket.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { deployPath } from "./support/deploy_files.ts";

/** A PATH on which remex is found. */
function pathWithRemex(directory: TemporaryDirectory): string {
  Deno.symlinkSync(REMEX_BIN, `${directory.path}/remex`);
  return `${directory.path}:/usr/bin:/bin`;
}

const TOKEN = "a-token-for-this-test";
/** `printf %s TOKEN | sha256sum` */
const TOKEN_SHA256 = "e08776580a868d78862c276a13636ff07ea12d17b6a061389a2cf5f16478c8b4";

/** Where the token may be known from. */
const SOURCES: Readonly<Record<string, (directory: TemporaryDirectory) => [string, string]>> = {
  "a file": (directory) => [
    "REMEX_WS_TOKEN_FILE",
    directory.write("token", `${TOKEN}\n`, 0o600),
  ],
  "its digest": () => ["REMEX_WS_TOKEN_SHA256", TOKEN_SHA256],
};

for (const [source, known] of Object.entries(SOURCES)) {
  Deno.test({
    name: `the entrypoint becomes an executor that asks for the token, known from ${source}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      using directory = new TemporaryDirectory();
      await using executor = await ListeningExecutor.start({
        // Stands before the program's name and its first argument, which the entrypoint adds itself.
        launcher: ["/bin/sh", "-c", `shift 2; exec '${deployPath("entrypoint")}' "$@"`, "sh"],
        env: {
          PATH: pathWithRemex(directory),
          REMEX_LISTEN: "ws://127.0.0.1:0",
          ...Object.fromEntries([known(directory)]),
        },
      });
      const statusWith = async (authorization: Record<string, string>) => {
        using socket = await RawSocket.connect(executor.url);
        return (await socket.http("GET", "/", { ...UPGRADE, ...authorization })).status;
      };
      assertEquals(await statusWith({}), 401);
      assertEquals(await statusWith({ authorization: `Bearer ${TOKEN}` }), 101);
      assertEquals((await executor.endBy("SIGTERM")).code, 0);
    },
  });
}

Deno.test({
  name: "the entrypoint starts nothing without a token",
  ignore: Deno.build.os === "windows",
  async fn() {
    using directory = new TemporaryDirectory();
    const missing = `${directory.path}/none`;
    const child = new Deno.Command(deployPath("entrypoint"), {
      clearEnv: true,
      env: { PATH: pathWithRemex(directory), REMEX_WS_TOKEN_FILE: missing },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    assertEquals([(await ended(child)).code, stdout], [2, ""]);
    assertStringIncludes(stderr, missing);
  },
});
