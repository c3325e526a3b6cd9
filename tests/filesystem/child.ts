import { perform, type Request } from "./perform.ts";

// Run as a program of its own: performs the requests in a file, a JSON array, one after the other,
// and prints the answers as the last line.
const requests: Request[] = JSON.parse(await Deno.readTextFile(Deno.args[0] ?? ""));
const outcomes = [];
for (const request of requests) outcomes.push(await perform(...request));
await Deno.stdout.write(new TextEncoder().encode(`\n${JSON.stringify(outcomes)}\n`));
