/** A term of Seatbelt's language: a list, or a word, a text or a regular expression. */
type Term =
  | { readonly kind: "list"; readonly terms: readonly Term[] }
  | { readonly kind: "word" | "text" | "regex"; readonly value: string };

/** One rule of a profile. */
interface Rule {
  readonly allows: boolean;
  readonly operations: readonly string[];
  readonly filters: readonly Term[];
}

/** What a process wants to do. */
export interface Attempt {
  /** Such as `file-read-data`. */
  readonly operation: string;
  readonly path?: string;
  /** The port on this machine's loopback that is connected to or listened at. */
  readonly port?: number;
  /** A connection to some other machine. */
  readonly remote?: boolean;
  readonly machService?: string;
}

/** Decides what a profile allows, as far as files and network are concerned. */
export interface Profile {
  allows(attempt: Attempt): boolean;
}

/**
 * Reads a profile.
 *
 * @param definitions `NAME=VALUE` of each parameter
 * @throws {Error} for parentheses that do not balance, a parameter that is not defined, …
 */
export function readProfile(text: string, definitions: readonly string[]): Profile {
  const parameters = new Map(definitions.map((definition) => {
    const at = definition.indexOf("=");
    return [definition.slice(0, at), definition.slice(at + 1)];
  }));
  const [version, ...rules] = readTerms(text);
  if (version === undefined || words(version).join(" ") !== "version 1") {
    throw new Error("a profile starts with its version");
  }
  const read = rules.map(readRule);
  for (const { filters } of read) filters.forEach((filter) => checkParameters(filter, parameters));
  return {
    allows: (attempt) =>
      read.findLast(({ operations, filters }) =>
        operations.some((operation) => covers(operation, attempt.operation)) &&
        (filters.length === 0 || filters.some((filter) => holds(filter, attempt, parameters)))
      )?.allows ?? false,
  };
}

function readRule(term: Term): Rule {
  if (term.kind !== "list") throw new Error("a rule is a list");
  const [verdict, ...rest] = term.terms;
  if (verdict?.kind !== "word" || !["allow", "deny"].includes(verdict.value)) {
    throw new Error("a rule allows or denies");
  }
  const operations = rest.flatMap((part) => part.kind === "word" ? [part.value] : []);
  const filters = rest.filter((part) => part.kind === "list");
  if (operations.length === 0 || operations.length + filters.length !== rest.length) {
    throw new Error("a rule has operations and filters");
  }
  return { allows: verdict.value === "allow", operations, filters };
}

function covers(operation: string, attempted: string): boolean {
  if (operation === "default") return true;
  return operation.endsWith("*")
    ? attempted.startsWith(operation.slice(0, -1))
    : attempted === operation;
}

function holds(filter: Term, attempt: Attempt, parameters: Map<string, string>): boolean {
  if (filter.kind !== "list") throw new Error("a filter is a list");
  const [name, ...terms] = filter.terms;
  const inner = () => terms.map((term) => holds(term, attempt, parameters));
  const { path } = attempt;
  switch (name?.kind === "word" ? name.value : undefined) {
    case "require-all":
      return inner().every(Boolean);
    case "require-any":
      return inner().some(Boolean);
    case "require-not":
      return !inner().some(Boolean);
    case "literal":
      return terms.some((term) => path === valueOf(term, parameters));
    case "subpath":
      return terms.some((term) => {
        const tree = valueOf(term, parameters);
        return path === tree || path?.startsWith(tree === "/" ? "/" : `${tree}/`);
      });
    case "regex":
      return terms.some((term) =>
        path !== undefined && term.kind === "regex" && new RegExp(term.value, "s").test(path)
      );
    case "global-name":
      return terms.some((term) => attempt.machService === valueOf(term, parameters));
    case "local":
    case "remote":
      return holdsOfAddress(terms, attempt, parameters);
    default:
      // About something that an attempt here never is.
      return false;
  }
}

function holdsOfAddress(
  [family, address]: readonly Term[],
  { path, port }: Attempt,
  parameters: Map<string, string>,
): boolean {
  if (family?.kind !== "word" || address === undefined) throw new Error("an address is missing");
  if (family.value === "unix-socket") {
    return path !== undefined && holds(address, { operation: "", path }, parameters);
  }
  const wanted = /^(localhost|\*):(\*|[0-9]+)$/.exec(valueOf(address, parameters));
  if (wanted === null) throw new Error("an address is localhost or *, and a port");
  if (port === undefined) return false;
  return wanted[2] === "*" || Number(wanted[2]) === port;
}

function valueOf(term: Term, parameters: Map<string, string>): string {
  if (term.kind === "text") return term.value;
  const [word, name] = term.kind === "list" ? term.terms : [];
  if (word?.kind !== "word" || word.value !== "param" || name?.kind !== "text") {
    throw new Error("a value is a text or a parameter");
  }
  const value = parameters.get(name.value);
  if (value === undefined) throw new Error(`the parameter ${name.value} is not defined`);
  return value;
}

function checkParameters(term: Term, parameters: Map<string, string>): void {
  if (term.kind !== "list") return;
  const [first] = term.terms;
  if (first?.kind === "word" && first.value === "param") valueOf(term, parameters);
  else term.terms.forEach((inner) => checkParameters(inner, parameters));
}

function words(term: Term): string[] {
  return term.kind === "list" ? term.terms.flatMap(words) : [term.value];
}

/** Comments, brackets, `#"regex"`, `"text"`, words. */
const TOKEN = /;[^\n]*|\s+|([()])|#"((?:[^"\\]|\\.)*)"|"((?:[^"\\]|\\.)*)"|([^\s()"#;]+)/suy;

function readTerms(text: string): Term[] {
  const open: Term[][] = [[]];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text);
    if (token === null) throw new Error(`cannot be read: ${text.slice(at, at + 40)}`);
    const [, bracket, regex, quoted, word] = token;
    if (bracket === "(") open.push([]);
    else if (bracket === ")") {
      const terms = open.pop() ?? [];
      if (open.length === 0) throw new Error("a bracket too many is closed");
      open.at(-1)?.push({ kind: "list", terms });
    } else if (regex !== undefined) open.at(-1)?.push({ kind: "regex", value: regex });
    else if (quoted !== undefined) open.at(-1)?.push({ kind: "text", value: quoted });
    else if (word !== undefined) open.at(-1)?.push({ kind: "word", value: word });
  }
  if (open.length !== 1) throw new Error("a bracket is not closed");
  return open[0] ?? [];
}
