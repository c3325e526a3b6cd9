import { assertThrows } from "@std/assert";
import {
  createRuleset,
  landlockVersion,
  RestrictionError,
} from "../../src/os/thread_restrictions.ts";

Deno.test({
  name: "a link put in the way of a grant is not followed",
  ignore: Deno.build.os !== "linux" || landlockVersion() === 0,
  fn() {
    const directory = Deno.makeTempDirSync();
    try {
      Deno.mkdirSync(`${directory}/outside`);
      Deno.symlinkSync("outside", `${directory}/granted`);
      const rule = { path: `${directory}/granted`, rights: 4, fileRights: 4 };
      assertThrows(
        () => createRuleset({ files: 4, network: 0, scopes: 0 }, [rule]),
        RestrictionError,
        "Too many levels of symbolic links",
      );
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});
