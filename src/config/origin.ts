/** The layers of settings, in ascending rank. */
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
  /** Counted from 1. */
  readonly line: number;
}

/** The origin of a value. */
export type Origin =
  | { readonly layer: "built in" }
  /** A share of the memory, of so many bytes, because the default would exceed it. */
  | { readonly layer: "memory"; readonly bytes: number }
  | ({ readonly layer: "requirements" | FileLayerName } & FilePosition)
  | { readonly layer: "environment"; readonly variable: string }
  | { readonly layer: "command line"; readonly option: string };

/** Whether the first origin is of a higher layer than the second. */
export function outranks(origin: Origin, other: Origin): boolean {
  return LAYERS.indexOf(origin.layer) > LAYERS.indexOf(other.layer);
}

/** A position as FILE:LINE. */
export function positionText({ file, line }: FilePosition): string {
  return `${file}:${line}`;
}

/** The configuration is wrong; the program ends with exit code 2. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}
