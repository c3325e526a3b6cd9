/** What a seccomp program is given: `struct seccomp_data` of linux/seccomp.h. */
export interface SeccompData {
  readonly architecture: number;
  readonly number: number;
  readonly arguments?: readonly (number | bigint)[];
}

const MAX_INSTRUCTIONS = 4096;
const DATA_BYTES = 64;

/** Runs a program as the kernel would, and refuses what the kernel would not load. */
export function runBpf(program: Uint8Array, data: SeccompData): number {
  const instructions = decode(program);
  check(instructions);
  const input = encodeData(data);
  let accumulator = 0;
  for (let position = 0;; position++) {
    const { code, ifTrue, ifFalse, operand } = at(instructions, position);
    switch (code) {
      case 0x20:
        accumulator = input.getUint32(operand, true);
        break;
      case 0x54:
        accumulator = (accumulator & operand) >>> 0;
        break;
      case 0x05:
        position += operand;
        break;
      case 0x15:
        position += accumulator === operand ? ifTrue : ifFalse;
        break;
      case 0x25:
        position += accumulator > operand ? ifTrue : ifFalse;
        break;
      case 0x35:
        position += accumulator >= operand ? ifTrue : ifFalse;
        break;
      case 0x45:
        position += (accumulator & operand) !== 0 ? ifTrue : ifFalse;
        break;
      case 0x06:
        return operand;
    }
  }
}

interface Instruction {
  readonly code: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
  readonly operand: number;
}

function at(instructions: readonly Instruction[], position: number): Instruction {
  const instruction = instructions[position];
  if (instruction === undefined) throw new Error(`Ran out of the program at ${position}`);
  return instruction;
}

function decode(program: Uint8Array): Instruction[] {
  if (program.length % 8 !== 0) {
    throw new Error(`${program.length} bytes are no whole instructions`);
  }
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  return Array.from({ length: program.length / 8 }, (_, index) => ({
    code: view.getUint16(index * 8, true),
    ifTrue: view.getUint8(index * 8 + 2),
    ifFalse: view.getUint8(index * 8 + 3),
    operand: view.getUint32(index * 8 + 4, true),
  }));
}

/** The rules of bpf_check_classic and seccomp_check_filter in the kernel. */
function check(instructions: readonly Instruction[]): void {
  const length = instructions.length;
  if (length === 0 || length > MAX_INSTRUCTIONS) throw new Error(`${length} instructions`);
  for (const [index, { code, ifTrue, ifFalse, operand }] of instructions.entries()) {
    const where = `instruction ${index}`;
    switch (code) {
      case 0x20:
        if (operand % 4 !== 0 || operand >= DATA_BYTES) throw new Error(`${where}: bad load`);
        break;
      case 0x54:
      case 0x06:
        break;
      case 0x05:
        if (index + 1 + operand >= length) throw new Error(`${where}: jumps out`);
        break;
      case 0x15:
      case 0x25:
      case 0x35:
      case 0x45:
        if (index + 1 + Math.max(ifTrue, ifFalse) >= length) throw new Error(`${where}: jumps out`);
        break;
      default:
        throw new Error(`${where}: unknown code ${code}`);
    }
  }
  if (instructions.at(-1)?.code !== 0x06) throw new Error("The last instruction does not return");
}

function encodeData({ architecture, number, arguments: values = [] }: SeccompData): DataView {
  const view = new DataView(new ArrayBuffer(DATA_BYTES));
  view.setUint32(0, number, true);
  view.setUint32(4, architecture, true);
  for (const [index, value] of values.entries()) {
    view.setBigUint64(16 + index * 8, BigInt.asUintN(64, BigInt(value)), true);
  }
  return view;
}
