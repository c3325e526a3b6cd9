/** Where settings come from, the later over the earlier. */
const LAYERS = [
  "built in",
  "memory",
  "requirements",
  "system file",
  "user file",
  "given file",
  "environment",
  "command line",
] as const;

type LayerName = typeof LAYERS[number];

/** The layers that are files. */
export type FileLayerName = Extract<LayerName, `${string} file`>;

/** A line of a file. */
export interface FilePosition {
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
}

/** Where a value was given. */
export type Origin =
  | { readonly layer: "built in" }
  /** A share of so many bytes of memory, as what is built in would be too much. */
  | { readonly layer: "memory"; readonly bytes: number }
  | ({ readonly layer: "requirements" | FileLayerName } & FilePosition)
  | { readonly layer: "environment"; readonly variable: string }
  | { readonly layer: "command line"; readonly option: string };

/** Whether a value of the first origin goes over one of the second, and does not stand beside it. */
export function outranks(origin: Origin, other: Origin): boolean {
  return LAYERS.indexOf(origin.layer) > LAYERS.indexOf(other.layer);
}

/** A place as compilers and editors write it. */
export function positionText({ file, line }: FilePosition): string {
  return `${file}:${line}`;
}

/** What is wrong with how the program is configured; ends it with exit code 2. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}
