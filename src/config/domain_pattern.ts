import { DomainPatternError, DomainRules } from "../egress/domain_rules.ts";
import { text, type ValueType } from "./value_types.ts";

/** A pattern of hosts. */
export function domainPattern(): ValueType<string> {
  return {
    ...text("PATTERN"),
    expected: "NAME, *.NAME, **.NAME, * or an address",
    accepts: (value): value is string => typeof value === "string" && isPattern(value),
  };
}

function isPattern(text: string): boolean {
  try {
    new DomainRules([[text, "allow"]]);
    return true;
  } catch (error) {
    if (error instanceof DomainPatternError) return false;
    throw error;
  }
}
