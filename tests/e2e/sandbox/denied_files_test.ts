import { assertEquals } from "@std/assert";
import { glob, path, special } from "../../sandbox/context.ts";
import { eventually } from "../../support/patience.ts";
import { testOnMachines, TOOLS_PATH } from "./support/machines.ts";
import { exists } from "../support/files.ts";
import { isRecord } from "../support/inbox.ts";

/** More than have ever been looked after one by one. */
const MANY = 120;

testOnMachines("a denied file is one that may not be read, to tools as well", async (scene) => {
  const { workspace, user, mechanism, enclosed } = scene;
  const [denied, directory] = [`${workspace}/denied`, `${workspace}/closed`];
  Deno.writeTextFileSync(denied, "secret\n");
  Deno.mkdirSync(directory);
  Deno.mkdirSync(`${workspace}/many`);
  for (let at = 0; at < MANY; at++) Deno.writeTextFileSync(`${workspace}/many/${at}`, "secret\n");
  for (const path of [denied, directory]) {
    if (user.id !== undefined) Deno.chownSync(path, user.id, user.id);
  }
  const entries = [
    special("root", "read"),
    special("project_roots", "write"),
    path(denied, "deny"),
    path(directory, "deny"),
    glob(`${workspace}/many/*`),
  ];
  const permissions = {
    type: "managed",
    file_system: { type: "restricted", entries },
    network: "restricted",
  };
  const sandbox = { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions };
  const env = { PATH: TOOLS_PATH };
  const looks = "stat -c '%F %a %s' denied; find many -type f -size 0 -perm 000 | wc -l; ";
  const script = `${mechanism === "bubblewrap" ? looks : ""}` +
    `stat -c '%F' denied closed; cat denied; chmod 600 denied; cp -r . ${workspace}-copy 2>&1; ` +
    `mkdir copy; tar -cf copy/a.tar denied; tar -tf copy/a.tar; cp -r denied copy/d; ls copy`;
  const { stdout, stderr } = await scene.run(["/bin/sh", "-c", script], { sandbox, env });
  const lines = stdout.split("\n");
  const first = mechanism === "bubblewrap" ? ["regular empty file 0 0", `${MANY}`] : [];
  const type = mechanism === "bubblewrap" ? "regular empty file" : "regular file";
  assertEquals(lines.slice(0, first.length + 2), [...first, type, "directory"]);
  assertEquals(stderr.includes("special file"), false, stderr);
  assertEquals(lines.includes("denied"), false, stdout);
  assertEquals(stdout.includes("secret") || stderr.includes("secret"), false);
  assertEquals(Deno.readTextFileSync(denied), "secret\n");
});

testOnMachines("a denial outlasts whatever somebody else puts in its place", async (scene) => {
  const { workspace, outside, user, enclosed } = scene;
  const write = (path: string) => {
    Deno.writeTextFileSync(path, "secret\n");
    if (user.id !== undefined) Deno.chownSync(path, user.id, user.id);
  };
  const makeDirectory = (path: string) => {
    Deno.mkdirSync(path);
    if (user.id !== undefined) Deno.chownSync(path, user.id, user.id);
  };
  const [directory, readable] = [`${workspace}/closed`, `${outside}/denied`];
  makeDirectory(directory);
  for (const path of [`${workspace}/.env`, `${directory}/key`, readable]) write(path);
  const missing = [`${workspace}/missing`, `${outside}/missing`];
  const entries = [
    special("root", "read"),
    special("project_roots", "write"),
    ...[`${workspace}/.env`, directory, readable, ...missing].map((name) => path(name, "deny")),
  ];
  const permissions = {
    type: "managed",
    file_system: { type: "restricted", entries },
    network: "restricted",
  };
  const sandbox = { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions };
  const files = `.env closed/key missing ${outside}/denied ${outside}/missing`;
  const script = `touch ready; until [ -e go ]; do sleep 0.01; done; cat ${files}; ls closed; ` +
    `echo x >> .env; echo x > missing; true > .env; mv .env moved; ln .env linked; cat linked; ` +
    `cat < $PWD/../ws/.env; cat file; echo x > own && cat own`;
  const env = { PATH: TOOLS_PATH };
  const running = scene.run(["/bin/sh", "-c", script], { sandbox, env });
  await eventually(() => exists(`${workspace}/ready`), "the command to be ready");
  for (const path of [`${workspace}/.env`, readable]) {
    write(`${path}.new`);
    Deno.renameSync(`${path}.new`, path);
  }
  Deno.renameSync(directory, `${directory}.old`);
  makeDirectory(directory);
  for (const path of [`${directory}/key`, ...missing]) write(path);
  write(`${workspace}/go`);
  const { stdout } = await running;
  assertEquals(stdout, "file\nx\n");
  for (const path of [`${workspace}/.env`, `${workspace}/missing`]) {
    assertEquals(Deno.readTextFileSync(path), "secret\n");
  }
});

testOnMachines("where a file is denied, readers of named pipes wait for writers", async (scene) => {
  const { workspace, enclosed } = scene;
  Deno.writeTextFileSync(`${workspace}/denied`, "secret\n");
  const entries = [
    special("root", "read"),
    special("project_roots", "write"),
    path(`${workspace}/denied`, "deny"),
  ];
  const permissions = {
    type: "managed",
    file_system: { type: "restricted", entries },
    network: "restricted",
  };
  const sandbox = { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions };
  // The second writer leaves without a word; those of the last pair open one pipe after the other.
  const script =
    "mkfifo a b; cat a & echo word > a; wait; true > a & cat a; wait; cat < a & kill $!; " +
    "(read x < a; echo got $x > b) & (exec 3> a; cat b & echo x >&3; wait); wait; cat denied";
  const env = { PATH: TOOLS_PATH };
  const { stdout } = await scene.run(["/bin/sh", "-c", script], { sandbox, env });
  assertEquals(stdout, "word\ngot x\n");
});
