import { assert, assertEquals } from "@std/assert";
import { kernelTrees, mountTable } from "../../src/os/mount_table.ts";
import { canRunBubblewrap } from "../sandbox/linux/sandboxed_run.ts";

Deno.test({
  name: "the kernel's own file systems are found, the outermost of them",
  ignore: Deno.build.os !== "linux",
  fn() {
    const trees = kernelTrees();
    assert(trees.includes("/proc"), trees.join(" "));
    assertEquals(trees.filter((path) => path.startsWith("/proc/") || path.startsWith("/sys/")), []);
  },
});

Deno.test({
  name: "what is mounted over hides all that is below",
  ignore: !canRunBubblewrap,
  async fn() {
    const base = await Deno.makeTempDir();
    const view = ["--dev-bind", "/", "/", "--tmpfs", base, "--tmpfs", `${base}/a b`];
    // Another over the first: the one in it is out of sight.
    const hidden = ["--tmpfs", base, "--ro-bind", "/usr", `${base}/usr`];
    await using child = new Deno.Command("bwrap", {
      args: [...view, ...hidden, "--", "/bin/sh", "-c", "echo ready; exec sleep 60"],
      stdout: "piped",
    }).spawn();
    try {
      const reader = child.stdout.getReader();
      await reader.read();
      await reader.cancel();
      const [inside = child.pid] = (await Deno.readTextFile(
        `/proc/${child.pid}/task/${child.pid}/children`,
      )).split(" ").map(Number);
      const places = mountTable(inside || child.pid)
        .filter(({ place }) => place.startsWith(base))
        .map(({ place, writable, type }) => [place.slice(base.length), writable, type === "tmpfs"]);
      assertEquals(places, [["", true, true], ["/usr", false, false]]);
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(base);
    }
  },
});

const NAMESPACE = ["--user", "--map-root-user", "--mount"];

Deno.test({
  name: "a kernel's file system that is mounted later is found, and one that is gone is not",
  ignore: Deno.build.os !== "linux" ||
    !new Deno.Command("unshare", { args: [...NAMESPACE, "true"] }).outputSync().success,
  async fn() {
    const place = await Deno.makeTempDir();
    try {
      const program = new URL("watching_kernel_trees.ts", import.meta.url).pathname;
      const { stdout } = await new Deno.Command("unshare", {
        args: [...NAMESPACE, Deno.execPath(), "run", "-A", "--no-check", program, place],
        stderr: "inherit",
      }).output();
      assertEquals(JSON.parse(new TextDecoder().decode(stdout)), [false, true, true, false]);
    } finally {
      await Deno.remove(place);
    }
  },
});
