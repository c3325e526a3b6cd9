import { assertEquals } from "@std/assert";
import { fileLayer } from "../../src/config/file_layer.ts";
import { parseRequirements } from "../../src/config/requirements.ts";

Deno.test("a file of settings may name its JSON Schema", async () => {
  const text = '{ "$schema": "config.schema.json", "maxProcesses": 7 }';
  const layer = await fileLayer(text, "config.jsonc", "given file");
  assertEquals([...layer.keys()], ["maxProcesses"]);
});

Deno.test("a file of requirements may name its JSON Schema", async () => {
  const text = '{ "$schema": "requirements.schema.json", "requireTls": true }';
  const requirements = await parseRequirements(text, "requirements.jsonc");
  assertEquals(requirements.get("requireTls"), true);
});
