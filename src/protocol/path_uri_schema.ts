import * as z from "zod/mini";
import { PathUri, PathUriError } from "./path_uri.ts";

/** A member that holds a path URI; parsing it gives a {@linkcode PathUri}. */
export const pathUriSchema = z.pipe(
  z.string(),
  z.transform((text, context): PathUri => {
    try {
      return PathUri.parse(text);
    } catch (error) {
      if (!(error instanceof PathUriError)) throw error;
      context.issues.push({ code: "custom", message: error.message, input: text });
      return z.NEVER;
    }
  }),
);
