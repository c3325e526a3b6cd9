import { assert, assertEquals } from "@std/assert";
import { kernelTrees, mountTable, readMounts, visibleMounts } from "../../src/os/mount_table.ts";
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

/** Which of these mounts are to be seen, by their ids: ID PARENT PLACE. */
function seenOf(...mounts: string[]): string[] {
  const lines = mounts.map((mount) => {
    const [id, parent, place] = mount.split(" ");
    return `${id} ${parent} 0:1 / ${place} rw - tmpfs none rw`;
  });
  return visibleMounts(readMounts(lines.join("\n"))).map(({ id }) => id);
}

Deno.test("what is mounted over the root hides nothing from whoever is below it", () => {
  assertEquals(seenOf("2 1 /", "3 2 /proc", "4 2 /", "5 4 /sys"), ["2", "3"]);
});

Deno.test("in a root that is no mount's own all is seen that is mounted in it", () => {
  const seen = seenOf("3 1 /usr", "4 1 /proc", "5 4 /proc/sys", "6 1 /usr/lib", "7 3 /usr/lib");
  assertEquals(seen, ["3", "4", "5", "7"]);
});

Deno.test("fields of a mount that begin as others do are not taken for those", () => {
  const [mount] = readMounts(
    "2 1 0:1 /a\\040shared:1 /b\\040-\\040c\\134d ro,rwx shared:7 master:2 - proc\\040x none rw",
  );
  assert(mount !== undefined);
  const { id, parent, place, writable, options, type, follows } = mount;
  assertEquals({ id, parent, place, writable, options, type, follows }, {
    id: "2",
    parent: "1",
    place: "/b - c\\d",
    writable: false,
    options: "ro,rwx",
    type: "proc\\040x",
    follows: true,
  });
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

Deno.test({
  name: "kernel file systems are found by whoever is below what is mounted over the root",
  ignore: Deno.build.os !== "linux" ||
    !new Deno.Command("unshare", { args: [...NAMESPACE, "true"] }).outputSync().success,
  async fn() {
    const script = 'mount -t tmpfs none / && exec "$@"';
    const program = new URL("listing_kernel_trees.ts", import.meta.url).pathname;
    const { stdout } = await new Deno.Command("unshare", {
      args: [
        ...[...NAMESPACE, "sh", "-c", script, "sh"],
        ...[Deno.execPath(), "run", "-A", "--no-check", program],
      ],
      stderr: "inherit",
    }).output();
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)), kernelTrees());
  },
});
