import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { execToEnd } from "../support/exec_run.ts";
import { ListeningExecutor, REMEX_BIN, runToEnd } from "../support/executor.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const OPERATIONS = pageOf("operations");
const LIBRARY = pageOf("library");

function pageOf(subject: string): string {
  return Deno.readTextFileSync(new URL(`../../../docs/${subject}.md`, import.meta.url));
}

/** The commands of the page on operations that make token and certificate. */
function certificateRecipe(): string {
  const block = /```sh\n(\(umask 077[^]*?)remex serve --listen/.exec(OPERATIONS)?.[1];
  assert(block !== undefined, "the recipe");
  return block;
}

async function inShell(script: string, directory: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-ec", `remex() { "${REMEX_BIN}" "$@"; }\n${script}`],
    cwd: directory,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

for (const [kind, host] of [["DNS", "localhost"], ["IP", "127.0.0.1"]] as const) {
  Deno.test(`the recipe for a certificate works for ${host}`, async () => {
    using directory = new TemporaryDirectory();
    const recipe = certificateRecipe().replace("DNS:HOST", `${kind}:HOST`);
    await inShell(recipe.replaceAll("HOST", host), directory.path);
    const file = (name: string) => `${directory.path}/${name}`;
    await using executor = await ListeningExecutor.start({}, [
      ...["--listen", `ws://${host}:0`, "--ws-auth", "capability-token"],
      ...["--ws-token-file", file("token"), "--tls-cert", file("cert.pem")],
      ...["--tls-key", file("key.pem")],
    ]);
    const args = ["--url", executor.url, "--token-file", file("token"), "--", "echo", "in"];
    assertEquals(await execToEnd(args, "", { SSL_CERT_FILE: file("cert.pem") }), {
      code: 0,
      stdout: "in\n",
      stderr: "",
    });
  });
}

Deno.test("what sha256sum and remex token --sha256 print of a token's file lets it in", async () => {
  using directory = new TemporaryDirectory();
  const script = "(umask 077; remex token > token); sha256sum token; remex token --sha256 token";
  const [, ...digests] = /^(\S+) {2}token\n(\S+)\n$/.exec(await inShell(script, directory.path)) ??
    [];
  assertEquals(digests.length, 2);
  for (const digest of digests) {
    await using executor = await ListeningExecutor.start({}, [
      ...["--ws-auth", "capability-token", "--ws-token-sha256", digest],
    ]);
    const reach = ["--url", executor.url, "--token-file"];
    const run = await execToEnd([...reach, `${directory.path}/token`, "--", "echo", "in"]);
    assertEquals(run, { code: 0, stdout: "in\n", stderr: "" });
    const other = directory.write("other", `${"0".repeat(64)}\n`, 0o600);
    assertEquals((await execToEnd([...reach, other, "--", "true"])).code, 255);
  }
});

Deno.test("remex token makes tokens that fit the rules of an executor, and no others", async () => {
  using directory = new TemporaryDirectory();
  const secret = directory.write("secret", `${"s".repeat(40)}\n`, 0o600);
  await using executor = await ListeningExecutor.start({}, [
    ...["--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", secret],
    ...["--ws-issuer", "me", "--ws-audience", "you"],
  ]);
  const exitCode = async (...options: string[]) => {
    const made = await runToEnd(["token", "--ws-shared-secret-file", secret, ...options]);
    assertEquals([made.code, made.stderr], [0, ""]);
    assertMatch(made.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const token = directory.write("token", made.stdout, 0o600);
    const args = ["--url", executor.url, "--token-file", token, "--", "true"];
    return (await execToEnd(args)).code;
  };
  const right = ["--ws-issuer", "me", "--ws-audience", "you"];
  assertEquals(await exitCode(...right), 0);
  assertEquals(await exitCode(...right, "--expires-in", "60"), 0);
  assertEquals(await exitCode("--ws-issuer", "you", "--ws-audience", "me"), 255);
  assertEquals(await exitCode(), 255);
  for (
    const wrong of [
      ["--expires-in", "60"],
      ["--ws-shared-secret-file", secret, "--expires-in", "soon"],
      ["--ws-shared-secret-file", directory.write("short", "s", 0o600)],
      ["--sha256", `${directory.path}/missing`],
      ["--sha256", secret, "--ws-shared-secret-file", secret],
    ]
  ) {
    const { code, stdout, stderr } = await runToEnd(["token", ...wrong]);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^remex: .+\n$/);
  }
});

Deno.test("the library's recipe works beside a package.json", async () => {
  using directory = new TemporaryDirectory();
  const checkout = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
  Deno.symlinkSync(checkout, `${directory.path}/remex`);
  const [, workspace = "", modules = ""] =
    /`("workspace": [^`]+)`[^]*?Beside a `package.json` it takes `([^`]+)`/.exec(LIBRARY) ?? [];
  directory.write("deno.json", `{ ${workspace}, ${modules} }`, 0o644);
  directory.write("package.json", '{ "name": "program", "dependencies": {} }', 0o644);
  directory.write(
    "program.ts",
    `import { startLocalProcess } from "@remex/remex/local";
    const process = await startLocalProcess({ argv: ["true"], cwd: "file:///", env: {} });
    console.log((await process.completion).exitCode);
    Deno.exit();`,
    0o644,
  );
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "program.ts"],
    cwd: directory.path,
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "0\n", new TextDecoder().decode(stderr));
});
