import { assertEquals } from "@std/assert";
import { glob, path, special } from "../../sandbox/context.ts";
import { testOnMachines, TOOLS_PATH } from "./support/machines.ts";
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
