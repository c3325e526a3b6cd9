import * as z from "zod/mini";

const information = z.object({ npmCache: z.string() });

/** Where Deno keeps the files of npm packages. */
export function npmCache(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
    stderr: "inherit",
  }).outputSync();
  return information.parse(JSON.parse(new TextDecoder().decode(stdout))).npmCache;
}

/** The directory of a package in the cache, which has one for each registry; undefined if it is not there. */
export function packageDirectory(
  cache: string,
  name: string,
  version: string,
): string | undefined {
  for (const { name: registry } of Deno.readDirSync(cache)) {
    const directory = `${cache}/${registry}/${name}/${version}`;
    try {
      if (Deno.statSync(directory).isDirectory) return directory;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
        throw error;
      }
    }
  }
  return undefined;
}
