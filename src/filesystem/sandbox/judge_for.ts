import { deniedGlob } from "../../sandbox/intent/denied_glob.ts";
import type { JobFiles } from "./job.ts";
import { Judge } from "./judge.ts";

let last: { readonly files: string; readonly judge: Judge } | undefined;

/**
 * The judge for what is granted. The last one is kept, for most requests are granted the same.
 *
 * @param files {@linkcode JobFiles} as JSON
 */
export function judgeFor(files: string): Judge {
  if (last?.files === files) return last.judge;
  const granted: JobFiles = JSON.parse(files);
  const deniedGlobs = granted.deniedGlobs.map(({ pattern, base, names }) =>
    deniedGlob(pattern, base, names)
  );
  const judge = new Judge({ kind: "granted", ...granted, deniedGlobs });
  last = { files, judge };
  return judge;
}
