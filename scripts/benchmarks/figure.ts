import { quantile } from "./statistics.ts";

/** What figures of a row are counted in. */
export type Unit = "ms" | "MiB/s" | "/s" | "MB";

/** What one server reached in one row. */
export type Figure =
  | {
    readonly kind: "measured";
    /** The median where there are many samples. */
    readonly value: number;
    /** What 95 of 100 samples do not exceed. */
    readonly p95?: number;
  }
  /** It did not get to the end; the words say how far. */
  | { readonly kind: "incomplete"; readonly words: string };

/** Times of many repetitions, in milliseconds. */
export function latency(samples: readonly number[]): Figure {
  return { kind: "measured", value: quantile(samples, 0.5), p95: quantile(samples, 0.95) };
}

/** So many in so many milliseconds, by the second. */
export function rate(count: number, milliseconds: number): Figure {
  return { kind: "measured", value: count / milliseconds * 1000 };
}

/** A figure as tables have it. */
export function figureText(figure: Figure | undefined, unit: Unit): string {
  if (figure === undefined) return "";
  if (figure.kind === "incomplete") return figure.words;
  const p95 = figure.p95 === undefined ? "" : ` (p95 ${number(figure.p95)})`;
  return `${number(figure.value)} ${unit}${p95}`.replace(" /s", "/s");
}

/** How many times as good the first is, or undefined where that cannot be said. */
export function ratio(
  first: Figure | undefined,
  second: Figure | undefined,
  unit: Unit,
): number | undefined {
  if (first?.kind !== "measured" || second?.kind !== "measured") return undefined;
  const lessIsBetter = unit === "ms" || unit === "MB";
  return lessIsBetter ? second.value / first.value : first.value / second.value;
}

/** Three digits that count. */
function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
