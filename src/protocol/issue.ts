import type * as z from "zod/mini";

/** What is wrong with one member of a message, in words for people. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  const member = issue.path.map(String).join(".");
  const problem = describeProblem(issue);
  return member === "" ? problem : `\`${member}\` ${problem}`;
}

function describeProblem(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is missing" : `must be of type ${issue.expected}`;
    case "invalid_value":
      return issue.input === undefined
        ? "is missing"
        : `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "invalid_union":
      return issue.discriminator === undefined
        ? "has none of the forms that it may have"
        : "is of an unknown type";
    case "too_small":
      return ownWords(issue) ?? `must be at least ${issue.minimum}`;
    case "too_big":
      return ownWords(issue) ?? `must be at most ${issue.maximum}`;
    default:
      return ownWords(issue) ?? "is not valid";
  }
}

/** The words of a schema that has its own; others get the library's placeholder. */
function ownWords({ message }: z.core.$ZodIssue): string | undefined {
  return message === "Invalid input" ? undefined : message;
}
