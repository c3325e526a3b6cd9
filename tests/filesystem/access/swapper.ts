// Run as a program of its own: gives the names of two things in a directory to each other, and those
// of the next two, again and again, as fast as it can, until its input ends. Says so on its output
// when it has begun.
const [directory = "", ...names] = Deno.args;
const RENAME_EXCHANGE = 2;
const AT_FDCWD = -100;

const { symbols } = Deno.dlopen("libc.so.6", {
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
});
const path = (name: string) => new TextEncoder().encode(`${directory}/${name}\0`);
const pairs = Array.from(
  { length: names.length / 2 },
  (_, index) => [path(names[2 * index] ?? ""), path(names[2 * index + 1] ?? "")] as const,
);
let ended = false;
Deno.stdin.read(new Uint8Array(1)).then(() => ended = true);
console.log("swapping");
while (!ended) {
  for (let round = 0; round < 200; round++) {
    for (const [one, other] of pairs) {
      symbols.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
    }
  }
  await new Promise((resolve) => setTimeout(resolve));
}
