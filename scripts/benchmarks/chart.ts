import { type Figure, ratio, type Unit } from "./figure.ts";

/** A row of the comparison: what each server reached, in the order of the columns. */
export interface Row {
  readonly name: string;
  readonly unit: Unit;
  readonly figures: readonly (Figure | undefined)[];
}

const WIDTH = 860;
const LABEL_WIDTH = 330;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - 90;
const BAR_HEIGHT = 9;
const ROW_GAP = 10;
const TOP = 58;
const COLOURS = ["#2563eb", "#9ca3af", "#d1d5db", "#e5e7eb"];

/**
 * A chart as SVG: for every row the bars of all columns. Rows have different units, so each is drawn
 * relative to the best of its own; a longer bar is always better.
 */
export function comparisonChart(columns: readonly string[], rows: readonly Row[]): string {
  const compared = rows.filter(({ figures }) =>
    figures.filter((figure) => figure?.kind === "measured").length > 1
  );
  const rowHeight = columns.length * BAR_HEIGHT + ROW_GAP;
  const height = TOP + compared.length * rowHeight + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(10, 22, "Relative to the better of each row; longer is better", "bold"),
    ...columns.map((column, index) => legend(column, index)),
    ...compared.map((row, index) => bars(row, TOP + index * rowHeight, rowHeight)),
    "</svg>",
    "",
  ].join("\n");
}

function legend(column: string, index: number): string {
  const x = LABEL_WIDTH + index * 170;
  return `<rect x="${x}" y="33" width="12" height="12" fill="${colour(index)}"/>` +
    text(x + 18, 43, column);
}

function bars({ name, unit, figures }: Row, y: number, rowHeight: number): string {
  const best = figures.find((figure) =>
    figures.every((other) => (ratio(figure, other, unit) ?? 1) >= 1) && figure !== undefined
  );
  const drawn = figures.map((figure, index) => {
    const share = 1 / (ratio(best, figure, unit) ?? Infinity);
    const width = Math.max(1, share * BAR_WIDTH);
    const top = y + index * BAR_HEIGHT;
    return `<rect x="${LABEL_WIDTH}" y="${top}" width="${width.toFixed(1)}" ` +
      `height="${BAR_HEIGHT - 1}" fill="${colour(index)}"/>` +
      text(LABEL_WIDTH + width + 5, top + BAR_HEIGHT - 1, shown(figure, unit), "normal", 9);
  });
  return text(10, y + (rowHeight - ROW_GAP) / 2 + 4, name) + drawn.join("");
}

function shown(figure: Figure | undefined, unit: Unit): string {
  if (figure === undefined) return "–";
  if (figure.kind === "incomplete") return figure.words;
  const { value } = figure;
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`.replace(" /s", "/s");
}

function text(x: number, y: number, words: string, weight = "normal", size = 12): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-weight="${weight}" ` +
    `font-size="${size}" fill="#111827">${escaped}</text>`;
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length] ?? "black";
}
