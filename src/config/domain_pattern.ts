import { DomainPatternError, DomainRules } from "../egress/domain_rules.ts";
import * as z from "zod/mini";
import { text, type ValueType, valueType } from "./value_types.ts";

/** A pattern of hosts. */
export function domainPattern(): ValueType<string> {
  return valueType({
    ...text("PATTERN"),
    expected: "NAME, *.NAME, **.NAME, * or an address",
    schema: () => z.string().check(z.refine(isPattern)),
  });
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
