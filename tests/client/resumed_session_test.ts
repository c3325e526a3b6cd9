import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ConnectionError, ExecServerClient, RpcError } from "../../src/client/mod.ts";
import { bytes, Followed, shell } from "../support/followed.ts";
import { ServedExecutor } from "../support/served_executor.ts";

const KEPT = { sessionRetentionMs: 60_000 };

/** Starts process `p` in a session of its own, and leaves it. Returns the session's id. */
async function leave(url: string, script: string): Promise<string> {
  const client = await ExecServerClient.connect(url, KEPT);
  const { sessionId } = await client.opened;
  const process = await client.start({ ...shell(script), processId: "p", pipeStdin: true });
  await new Followed(process).says(/ready/);
  await client.detach();
  return sessionId;
}

function resume(url: string, resumeSessionId: string, takeOver = false) {
  return ExecServerClient.connect(url, { resumeSessionId, takeOver });
}

Deno.test("another client resumes a session that was left, and follows its process from the start or from later on", async () => {
  await using executor = await ServedExecutor.start({ maxDetachedLifeMs: 60_000 });
  const id = await leave(executor.url, "echo ready; read -r x; echo got $x; exit 4");
  const first = await resume(executor.url, id);
  const all = new Followed(await first.adopt("p"));
  await all.says(/ready/);
  await assertRejects(() => first.adopt("p"), RpcError, "followed already");
  await assertRejects(() => first.adopt("q"), RpcError, "unknown process");
  await first.detach();
  await all.end();
  assertInstanceOf(all.failure, ConnectionError);
  await using second = await resume(executor.url, id);
  const process = await second.adopt("p", 1);
  const rest = new Followed(process);
  await process.write(bytes("it\n"));
  await rest.end();
  assertEquals([rest.text(), rest.exitCode], ["got it\n", 4]);
  // Whoever comes after the exit learns of it all the same.
  await second.detach();
  await using third = await resume(executor.url, id);
  const { nextSeq } = await third.call("process/read", { processId: "p" });
  const late = new Followed(await third.adopt("p", nextSeq - 1));
  await late.end();
  assertEquals([late.kinds, late.exitCode], [["exited", "closed"], 4]);
});

Deno.test("a session that is attached is taken over only if that is asked for", async () => {
  await using executor = await ServedExecutor.start({ maxDetachedLifeMs: 60_000 });
  const id = await leave(executor.url, "echo ready; read -r x");
  const first = await resume(executor.url, id);
  const followed = new Followed(await first.adopt("p"));
  const refused = await assertRejects(() => resume(executor.url, id), ConnectionError);
  assertEquals(refused.code, "sessionAttached");
  await using second = await resume(executor.url, id, true);
  await followed.end();
  const { failure } = followed;
  assertEquals(failure instanceof ConnectionError && failure.code, "sessionTakenOver");
  await first.close();
  assertEquals((await second.call("process/read", { processId: "p" })).exited, false);
  const unknown = await assertRejects(
    () => resume(executor.url, crypto.randomUUID()),
    ConnectionError,
  );
  assertEquals(unknown.code, "sessionExpired");
});
