/**
 * Writes what documentation says of settings and requirements from the program's own tables: the
 * tables of docs/configuration.md, and the JSON Schemas that editors can use; and the table of hosts in
 * docs/sandbox.md from what scripts/test-hosts expects of them. With --check it writes nothing, and
 * fails when something is out of date.
 */
import * as z from "zod/mini";
import {
  MAXIMUM,
  MAXIMUM_MEANING,
  requirementNames,
  REQUIREMENTS,
} from "../src/config/requirements.ts";
import { settingNames, SETTINGS } from "../src/config/settings.ts";
import { type Host, HOSTS } from "../tests/hosts/hosts.ts";

const root = new URL("../", import.meta.url);

/** A document and its content as it should be. */
interface Document {
  readonly path: string;
  readonly content: string;
}

/** Puts a table between the marks that a page has for it. */
function withTable(page: string, name: string, rows: readonly (readonly string[])[]): string {
  const begin = `<!-- ${name}: written by scripts/docs -->`;
  const end = "<!-- end -->";
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`a page has no marks for ${name}`);
  return page.slice(0, from + begin.length) + `\n\n${table(rows)}\n\n` + page.slice(to);
}

/** Rows as Markdown, in columns as wide as `deno fmt` makes them. */
function table(rows: readonly (readonly string[])[]): string {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = (rows[0] ?? []).map((_, column) => width(column));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const [head = [], ...body] = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0))
  );
  return [head, widths.map((count) => "-".repeat(count)), ...body].map(line).join("\n");
}

function settingRows(): string[][] {
  return settingNames().map((name) => {
    const { commands, fallback, meaning } = SETTINGS[name];
    return [
      `\`${name}\``,
      commands.join(", "),
      fallback === undefined ? "" : `\`${fallback}\``,
      meaning,
    ];
  });
}

function requirementRows(): string[][] {
  const rows = requirementNames().map((name) => [`\`${name}\``, REQUIREMENTS[name].meaning]);
  return [...rows, [`\`${MAXIMUM}\``, MAXIMUM_MEANING]];
}

function hostRows(): string[][] {
  return HOSTS.map((host) => [host.name, host.user, MEANS[host.mechanism], enforcementOf(host)]);
}

const MEANS = { bubblewrap: "bubblewrap", landlock: "Landlock" };

function enforcementOf({ refused }: Host): string {
  const exceptions = Object.entries(refused).map(([intent, reason]) => `${intent} (${reason})`);
  return exceptions.length === 0 ? "all" : `all; refused: ${exceptions.join(", ")}`;
}

/** A JSON Schema for a file whose members are these. */
function fileSchema(title: string, members: Record<string, z.ZodMiniType>): string {
  const optional = Object.entries(members).map(([name, schema]) => [name, z.optional(schema)]);
  const schema = z.strictObject({
    $schema: z.optional(z.string()),
    ...Object.fromEntries(optional),
  });
  return JSON.stringify({ title, ...z.toJSONSchema(schema, { io: "input" }) }, null, 2) + "\n";
}

function settingsSchema(): string {
  const members = settingNames().map((name) => {
    const { type, meaning } = SETTINGS[name];
    return [name, settingSchema(type, meaning)];
  });
  return fileSchema("Settings of remex", Object.fromEntries(members));
}

/** Each setting has a type of its own, and all of them have a schema. */
function settingSchema(type: { schema(): z.ZodMiniType }, meaning: string): z.ZodMiniType {
  const schema = type.schema();
  z.globalRegistry.add(schema, { description: meaning });
  return schema;
}

function requirementsSchema(): string {
  const members = requirementNames().map((name) => {
    const { type, meaning } = REQUIREMENTS[name];
    return [name, settingSchema(type, meaning)];
  });
  const numbers = settingNames("serve").filter((name) =>
    typeof SETTINGS[name].fallback === "number"
  );
  const bounds = numbers.map((name) => [name, z.optional(SETTINGS[name].type.schema())]);
  const maximum = z.strictObject(Object.fromEntries(bounds));
  z.globalRegistry.add(maximum, { description: MAXIMUM_MEANING });
  return fileSchema("Requirements of remex", {
    ...Object.fromEntries(members),
    [MAXIMUM]: maximum,
  });
}

function documents(): Document[] {
  const sandboxPage = withTable(
    Deno.readTextFileSync(new URL("docs/sandbox.md", root)),
    "hosts",
    [["on", "as", "by", "enforced"], ...hostRows()],
  );
  let page = Deno.readTextFileSync(new URL("docs/configuration.md", root));
  page = withTable(page, "settings", [
    ["setting", "of", "built in", "what it is"],
    ...settingRows(),
  ]);
  page = withTable(page, "requirements", [
    ["requirement", "what it demands"],
    ...requirementRows(),
  ]);
  return [
    { path: "docs/configuration.md", content: page },
    { path: "docs/sandbox.md", content: sandboxPage },
    { path: "docs/config.schema.json", content: settingsSchema() },
    { path: "docs/requirements.schema.json", content: requirementsSchema() },
  ];
}

function current(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(new URL(path, root));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const check = Deno.args.includes("--check");
for (const { path, content } of documents()) {
  if (current(path) === content) continue;
  if (!check) Deno.writeTextFileSync(new URL(path, root), content);
  console.error(check ? `${path} is out of date: run scripts/docs` : `wrote ${path}`);
  if (check) Deno.exitCode = 1;
}
