import { assertEquals, assertThrows } from "@std/assert";
import { assembleBpf, type BpfLine } from "../../../src/sandbox/seccomp/bpf.ts";
import { runBpf } from "./bpf_interpreter.ts";

const loadNumber: BpfLine = { op: "load", offset: 0 };
const result = (value: number): BpfLine => ({ op: "return", value });
const label = (name: string): BpfLine => ({ op: "label", name });

function branch(outcome: boolean, value: number, to: string): BpfLine {
  return { op: "branch", test: "equal", value, outcome, to };
}

function run(lines: BpfLine[], number: number): number {
  return runBpf(assembleBpf(lines), { architecture: 0, number });
}

Deno.test("assembleBpf: bytes of each kind of instruction", () => {
  const program = assembleBpf([
    { op: "load", offset: 16 },
    { op: "mask", bits: 0xf },
    { op: "branch", test: "anyBitOf", value: 0x01020304, outcome: true, to: "end" },
    { op: "branch", test: "atLeast", value: 0x4000_0000, outcome: false, to: "end" },
    { op: "jump", to: "end" },
    result(1),
    label("end"),
    result(0x8000_0000),
  ]);
  // deno-fmt-ignore
  assertEquals([...program], [
    0x20, 0, 0, 0, 16, 0, 0, 0,
    0x54, 0, 0, 0, 15, 0, 0, 0,
    0x45, 0, 3, 0, 4, 3, 2, 1,
    0x35, 0, 0, 2, 0, 0, 0, 0x40,
    0x05, 0, 0, 0, 1, 0, 0, 0,
    0x06, 0, 0, 0, 1, 0, 0, 0,
    0x06, 0, 0, 0, 0, 0, 0, 0x80,
  ]);
});

Deno.test("assembleBpf: comparisons are unsigned", () => {
  const above = (test: "greaterThan" | "atLeast"): BpfLine[] => [
    loadNumber,
    { op: "branch", test, value: 0x7fff_ffff, outcome: true, to: "above" },
    result(0),
    label("above"),
    result(1),
  ];
  for (const [number, greater, atLeast] of [[0x7fff_fffe, 0, 0], [0x7fff_ffff, 0, 1], [-1, 1, 1]]) {
    assertEquals(run(above("greaterThan"), Number(number) >>> 0), greater);
    assertEquals(run(above("atLeast"), Number(number) >>> 0), atLeast);
  }
});

Deno.test("assembleBpf: branches reach any distance, whichever way they go", () => {
  for (const outcome of [true, false]) {
    for (let gap = 250; gap < 262; gap++) {
      const filler = Array.from({ length: gap }, () => result(2));
      const lines = [loadNumber, branch(outcome, 7, "end"), ...filler, label("end"), result(1)];
      assertEquals(run(lines, 7), outcome ? 1 : 2, `gap ${gap}`);
      assertEquals(run(lines, 8), outcome ? 2 : 1, `gap ${gap}`);
    }
  }
});

Deno.test("assembleBpf: a branch made longer may push others out of reach", () => {
  const count = 300;
  const values = Array.from({ length: count }, (_, index) => index);
  const lines = [
    loadNumber,
    ...values.map((value) => branch(true, value, `at ${value}`)),
    result(9999),
    ...values.flatMap((value) => [label(`at ${value}`), result(value)]),
  ];
  for (const value of values) assertEquals(run(lines, value), value);
  assertEquals(run(lines, count), 9999);
});

Deno.test("assembleBpf: refuses programs that cannot be", () => {
  const refuse = (lines: BpfLine[], words: string) =>
    assertThrows(() => assembleBpf(lines), RangeError, words);
  refuse([], "1 to 4096 instructions");
  refuse(Array.from({ length: 4097 }, () => result(0)), "not 4097");
  refuse([branch(true, 1, "nowhere"), result(0)], `Label "nowhere" is missing`);
  refuse([{ op: "jump", to: "nowhere" }], `Label "nowhere" is missing`);
  refuse([label("a"), label("a"), result(0)], `Label "a" stands twice`);
  refuse([label("a"), { op: "jump", to: "a" }], `Label "a" is behind the jump to it`);
  refuse([label("a"), branch(false, 1, "a"), result(0)], `Label "a" is behind the jump to it`);
});
