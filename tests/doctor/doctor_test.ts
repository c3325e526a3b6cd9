import { assertEquals, assertStringIncludes } from "@std/assert";
import { verdict } from "../../src/doctor/doctor.ts";
import { descriptorCheck } from "../../src/doctor/process.ts";
import { type DoctorCheck, ok, reportText } from "../../src/doctor/report.ts";

const readOnly = ok("sandbox read-only", "tried");
const workspaceWrite = ok("sandbox workspace-write", "tried");

function failed(check: DoctorCheck): DoctorCheck {
  return { ...check, status: "failed", fix: "mend it" };
}

Deno.test("the verdict names the mechanism that held", () => {
  assertEquals(verdict("bubblewrap", [readOnly, workspaceWrite]), {
    mechanism: "bubblewrap",
    reason: "commands are sandboxed with bubblewrap and seccomp",
  });
});

Deno.test("the verdict names what a mechanism cannot enforce", () => {
  const { mechanism, reason } = verdict("landlock", [readOnly, failed(workspaceWrite)]);
  assertEquals(mechanism, "landlock");
  assertStringIncludes(reason, "not as workspace-write");
});

Deno.test("a mechanism that fails its simplest trial is none", () => {
  assertEquals(verdict("bubblewrap", [failed(readOnly), workspaceWrite]).mechanism, null);
  assertEquals(verdict(undefined, []).mechanism, null);
});

Deno.test("the text begins with the answer, and a fix stands below its check", () => {
  const text = reportText({
    version: "1.2.3",
    os: "linux",
    architecture: "x86_64",
    mechanism: null,
    reason: "why",
    checks: [ok("a", "fine"), failed(ok("long name", "broken"))],
  });
  assertEquals(text.split("\n"), [
    "remex 1.2.3 on linux x86_64: why",
    "",
    "  ok    a          fine",
    "  FAIL  long name  broken",
    "                   fix: mend it",
    "",
  ]);
});

Deno.test("few descriptors are too few, and an unknown limit is told", () => {
  const limits = (soft: string) =>
    `Max cpu time              unlimited            unlimited            seconds\n` +
    `Max open files            ${soft.padEnd(20)} 524288               files\n`;
  assertEquals(descriptorCheck(limits("1024")).status, "ok");
  assertEquals(descriptorCheck(limits("unlimited")).status, "ok");
  assertEquals(descriptorCheck(limits("256")).status, "warning");
  assertStringIncludes(descriptorCheck(limits("256")).detail, "about 51 commands");
  assertEquals(descriptorCheck(undefined).status, "warning");
});
