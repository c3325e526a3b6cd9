/**
 * An assembler for the part of classic BPF that seccomp filters are made of.
 *
 * Source: `struct sock_filter` in linux/filter.h, and seccomp(2).
 */

/** How a branch compares the accumulator with its value; both are unsigned and 32 bits wide. */
export type BpfTest = "equal" | "greaterThan" | "atLeast" | "anyBitOf";

/** One line of a program. Jumps go to labels and only forward. */
export type BpfLine =
  /** Loads the 32-bit word at a byte offset of the data into the accumulator. */
  | { readonly op: "load"; readonly offset: number }
  /** Keeps only these bits of the accumulator. */
  | { readonly op: "mask"; readonly bits: number }
  /** Goes to the label if the test comes out as `outcome` says, else to the next line. */
  | {
    readonly op: "branch";
    readonly test: BpfTest;
    readonly value: number;
    readonly outcome: boolean;
    readonly to: string;
  }
  | { readonly op: "jump"; readonly to: string }
  | { readonly op: "label"; readonly name: string }
  /** Ends the program with this result. */
  | { readonly op: "return"; readonly value: number };

type Branch = Extract<BpfLine, { op: "branch" }>;

/** Bytes of one instruction: u16 code, u8 jump if true, u8 jump if false, u32 operand. */
const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS: the kernel takes no longer program. */
const MAX_INSTRUCTIONS = 4096;
/** A branch has 8 bits for its distance, a jump 32. */
const MAX_BRANCH_DISTANCE = 255;

const LOAD_WORD_ABSOLUTE = 0x20;
const AND_CONSTANT = 0x54;
const JUMP_ALWAYS = 0x05;
const RETURN_CONSTANT = 0x06;
const branchCodes: Record<BpfTest, number> = {
  equal: 0x15,
  greaterThan: 0x25,
  atLeast: 0x35,
  anyBitOf: 0x45,
};

/**
 * The program as an array of `struct sock_filter`, little endian.
 *
 * @throws {RangeError} if a label is missing, doubled or behind the jump to it, or the program is
 * empty or too long.
 */
export function assembleBpf(lines: readonly BpfLine[]): Uint8Array<ArrayBuffer> {
  const { far, positions, length } = layOut(lines);
  if (length === 0 || length > MAX_INSTRUCTIONS) {
    throw new RangeError(`A BPF program has 1 to ${MAX_INSTRUCTIONS} instructions, not ${length}`);
  }
  const view = new DataView(new ArrayBuffer(length * INSTRUCTION_BYTES));
  let position = 0;
  const emit = (code: number, ifTrue: number, ifFalse: number, operand: number) => {
    const at = position++ * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, ifTrue);
    view.setUint8(at + 3, ifFalse);
    view.setUint32(at + 4, operand, true);
  };
  const emitBranch = (line: Branch, distance: number) => {
    const [ifTrue, ifFalse] = line.outcome ? [distance, 0] : [0, distance];
    emit(branchCodes[line.test], ifTrue, ifFalse, line.value);
  };
  const emitJump = (to: string) => emit(JUMP_ALWAYS, 0, 0, distanceTo(to, position, positions));

  for (const line of lines) {
    switch (line.op) {
      case "load":
        emit(LOAD_WORD_ABSOLUTE, 0, 0, line.offset);
        break;
      case "mask":
        emit(AND_CONSTANT, 0, 0, line.bits);
        break;
      case "return":
        emit(RETURN_CONSTANT, 0, 0, line.value);
        break;
      case "jump":
        emitJump(line.to);
        break;
      case "branch":
        if (far.has(line)) {
          emitBranch({ ...line, outcome: !line.outcome }, 1);
          emitJump(line.to);
        } else {
          emitBranch(line, distanceTo(line.to, position, positions));
        }
    }
  }
  return new Uint8Array(view.buffer);
}

/** Where everything comes to stand once each branch that reaches too far has got a jump. */
interface Layout {
  /** The branches that are turned around to skip a jump, which reaches any distance. */
  readonly far: ReadonlySet<BpfLine>;
  /** Instruction number of each label. */
  readonly positions: ReadonlyMap<string, number>;
  /** Number of instructions. */
  readonly length: number;
}

/** A jump added for one branch moves the targets of others, hence the repetition until all fit. */
function layOut(lines: readonly BpfLine[]): Layout {
  const far = new Set<BpfLine>();
  for (;;) {
    const positions = new Map<string, number>();
    const branches: [Branch, number][] = [];
    let length = 0;
    for (const line of lines) {
      if (line.op === "label") {
        if (positions.has(line.name)) throw new RangeError(`Label "${line.name}" stands twice`);
        positions.set(line.name, length);
        continue;
      }
      if (line.op === "branch" && !far.has(line)) branches.push([line, length]);
      length += far.has(line) ? 2 : 1;
    }
    const tooFar = branches.filter(([line, position]) =>
      distanceTo(line.to, position, positions) > MAX_BRANCH_DISTANCE
    );
    if (tooFar.length === 0) return { far, positions, length };
    for (const [line] of tooFar) far.add(line);
  }
}

/** Instructions to skip from the one at `position` to a label. */
function distanceTo(name: string, position: number, positions: ReadonlyMap<string, number>) {
  const target = positions.get(name);
  if (target === undefined) throw new RangeError(`Label "${name}" is missing`);
  const distance = target - (position + 1);
  if (distance < 0) throw new RangeError(`Label "${name}" is behind the jump to it`);
  return distance;
}
