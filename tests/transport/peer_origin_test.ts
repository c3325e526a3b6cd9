import { assertEquals, assertMatch } from "@std/assert";
import { openDeclaredTables } from "../../src/os/libc.ts";
import type { ProcessOrigin } from "../../src/process/process_keeper.ts";
import { originCheck } from "../../src/transport/peer_origin.ts";

if (Deno.build.os === "linux") openDeclaredTables();

/** What is said of a peer that connects from another process, which has this origin. */
async function refusalOf(
  origin: ProcessOrigin,
  { started = () => [Deno.pid], acceptsUnseen = false }: {
    started?: () => number[];
    acceptsUnseen?: boolean;
  } = {},
): Promise<string | undefined> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await using peer = new Deno.Command("/bin/bash", {
    args: ["-c", `exec 3<>/dev/tcp/127.0.0.1/${port}; read -r _ <&3`],
  }).spawn();
  using connection = await listener.accept();
  const check = originCheck({
    processes: started,
    any: () => started().length > 0,
    originOf: () => origin,
  }, acceptsUnseen);
  const refusal = await check(connection.remoteAddr, port);
  peer.kill();
  await peer.status;
  return refusal;
}

Deno.test({
  name: "a peer is accepted only if it is seen to be none of the executor's own processes",
  ignore: Deno.build.os !== "linux",
  async fn() {
    assertEquals(await refusalOf("foreign"), undefined);
    assertMatch(await refusalOf("ours") ?? "", /has started/);
    assertEquals(await refusalOf("gone", { started: () => [] }), undefined);
    // Nobody has it, as often as one looks: it is somebody's who cannot be seen.
    assertEquals(await refusalOf("gone"), undefined);
    // Commands start and end all the time, and it may go from one to the next.
    let pid = 2 ** 22;
    const started = () => [Deno.pid, ++pid];
    assertMatch(await refusalOf("gone", { started }) ?? "", /cannot be seen from here/);
    assertEquals(await refusalOf("gone", { started, acceptsUnseen: true }), undefined);
    assertMatch(await refusalOf("ours", { acceptsUnseen: true }) ?? "", /has started/);
  },
});
