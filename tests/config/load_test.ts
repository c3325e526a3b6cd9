import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { ConfigurationError } from "../../src/config/origin.ts";
import {
  fitIntoMemory,
  loadConfiguration,
  loadForExecutor,
  type Sources,
} from "../../src/config/load.ts";
import { hostPlaces } from "../../src/config/places.ts";
import { inDirectory } from "../support/recorded_child.ts";
import { Configuration, type Layer } from "../../src/config/configuration.ts";
import { enforceRequirements } from "../../src/config/enforce.ts";
import { parseRequirements } from "../../src/config/requirements.ts";

/** Files of a machine that has none yet. */
function placesIn(directory: string) {
  Deno.mkdirSync(join(directory, "etc"));
  return {
    directory: join(directory, "etc"),
    system: join(directory, "etc/config.jsonc"),
    user: join(directory, "user.jsonc"),
    requirements: join(directory, "etc/requirements.jsonc"),
  };
}

const nothing: Pick<Sources, "commandLine" | "environment"> = {
  commandLine: new Map(),
  environment: {},
};

Deno.test("later layers go over earlier ones, setting by setting", () =>
  inDirectory(async (directory) => {
    const places = placesIn(directory);
    const given = join(directory, "given.jsonc");
    const numbers = (number: number, names: readonly string[]) =>
      JSON.stringify(Object.fromEntries(names.map((name) => [name, number])));
    const names = ["maxConnections", "maxSessions", "maxProcesses", "concurrentRequests", "grace"];
    Deno.writeTextFileSync(places.system, numbers(1, names));
    Deno.writeTextFileSync(places.user, numbers(2, names.slice(1)));
    Deno.writeTextFileSync(given, numbers(3, names.slice(2)));
    const { configuration } = await loadConfiguration({
      commandLine: new Map([
        ["grace", { value: 5, origin: { layer: "command line", option: "--grace" } }],
      ]),
      configFile: given,
      environment: { REMEX_CONCURRENT_REQUESTS: "4", REMEX_GRACE: "4" },
      places,
    });
    assertEquals(
      [
        configuration.get("maxConnections"),
        configuration.get("maxSessions"),
        configuration.get("maxProcesses"),
        configuration.get("concurrentRequests"),
        configuration.get("grace"),
        configuration.get("retainBytes"),
      ],
      [1, 2, 3, 4, 5, 1024 * 1024],
    );
    assertEquals(configuration.nameOf("maxConnections"), `${places.system}:1: maxConnections`);
    assertEquals(configuration.nameOf("maxSessions"), `${places.user}:1: maxSessions`);
    assertEquals(configuration.nameOf("maxProcesses"), `${given}:1: maxProcesses`);
    assertEquals(configuration.nameOf("concurrentRequests"), "REMEX_CONCURRENT_REQUESTS");
    assertEquals(configuration.nameOf("grace"), "--grace");
    assertEquals(configuration.tell("retainBytes"), "--retain-bytes is 1048576 (built in)");
  }));

Deno.test("files of the system and the user need not be there", () =>
  inDirectory(async (directory) => {
    const places = placesIn(directory);
    const { configuration, requirements } = await loadForExecutor({ ...nothing, places });
    assertEquals([configuration.get("grace"), requirements], [5, undefined]);
    Deno.removeSync(join(directory, "etc"));
    await loadForExecutor({ ...nothing, places });
    await loadForExecutor({ ...nothing, places: { ...places, user: undefined } });
  }));

Deno.test("a file that is there but cannot be read is told, whichever it is", () =>
  inDirectory(async (directory) => {
    const places = placesIn(directory);
    const load = (configFile?: string) => loadForExecutor({ ...nothing, places, configFile });
    const refused = (message: string, configFile?: string) =>
      assertRejects(() => load(configFile), ConfigurationError, message);
    await refused(`--config: cannot read ${directory}/none: No such file`, `${directory}/none`);
    await refused(`--config: ${directory} is not a regular file`, directory);
    for (const file of [places.system, places.user, places.requirements]) {
      Deno.mkdirSync(file);
      await refused(`${file} is not a regular file`);
      Deno.removeSync(file);
      Deno.writeFileSync(file, Uint8Array.of(0x7b, 0xff, 0x7d));
      await refused(`${file} is not a text file`);
      Deno.removeSync(file);
    }
    for (const file of [places.system, places.requirements]) {
      Deno.symlinkSync("nowhere", file);
      await refused(`cannot read ${file}: No such file`);
      Deno.removeSync(file);
    }
    Deno.removeSync(join(directory, "etc"));
    Deno.symlinkSync("nowhere", join(directory, "etc"));
    await refused(`${directory}/etc cannot be reached`);
    Deno.removeSync(join(directory, "etc"));
    Deno.writeTextFileSync(join(directory, "etc"), "");
    await refused(`cannot read ${places.requirements}: `);
  }));

Deno.test("the user's file is where the XDG base directories say", () => {
  const user = (environment: Record<string, string>) => hostPlaces(environment, "linux").user;
  assertEquals(user({ HOME: "/h" }), "/h/.config/remex/config.jsonc");
  assertEquals(user({ HOME: "/h", XDG_CONFIG_HOME: "/x" }), "/x/remex/config.jsonc");
  assertEquals(user({ HOME: "/h", XDG_CONFIG_HOME: "x" }), "/h/.config/remex/config.jsonc");
  assertEquals(user({ HOME: "/h", XDG_CONFIG_HOME: "" }), "/h/.config/remex/config.jsonc");
  assertEquals(user({ HOME: "" }), undefined);
  assertEquals(user({}), undefined);
});

Deno.test("no variable moves the administrator's files", () => {
  const { system, requirements } = hostPlaces({ HOME: "/h", XDG_CONFIG_HOME: "/x" }, "linux");
  assertEquals([system, requirements], [
    "/etc/remex/config.jsonc",
    "/etc/remex/requirements.jsonc",
  ]);
});

const MIB = 1024 * 1024;

function shares(memory: number, layers: Layer[] = []): [number, number] {
  const configuration = fitIntoMemory(new Configuration(layers), memory);
  return [configuration.get("memoryBudget"), configuration.get("maxMessageBytes")];
}

Deno.test("what nobody decided is a share of the memory where that is small", () => {
  assertEquals(shares(64 * 1024 * MIB), [2048 * MIB, 64 * MIB]);
  assertEquals(shares(512 * MIB), [128 * MIB, 32 * MIB]);
  assertEquals(shares(256 * MIB), [64 * MIB, 16 * MIB]);
  // Shares below what may be set at all are the least that may.
  assertEquals(shares(8 * MIB), [16 * MIB, MIB]);
});

Deno.test("what somebody decided holds, whatever the memory", () => {
  const layer: Layer = new Map([
    ["maxMessageBytes", { value: 32 * MIB, origin: { layer: "command line", option: "" } }],
  ]);
  assertEquals(shares(256 * MIB, [layer]), [64 * MIB, 32 * MIB]);
});

Deno.test("what is required and what the memory allows hold together: the lesser is in force", async () => {
  const demands = `{ "maximum": { "memoryBudget": ${100 * MIB} } }`;
  const requirements = await parseRequirements(demands, "/etc/remex/requirements.jsonc");
  const required = enforceRequirements(new Configuration([]), requirements);
  assertEquals(fitIntoMemory(required, 256 * MIB).get("memoryBudget"), 64 * MIB);
  assertEquals(fitIntoMemory(required, 2048 * MIB).get("memoryBudget"), 100 * MIB);
  assertEquals(fitIntoMemory(required, 256 * MIB).origin("memoryBudget"), {
    layer: "memory",
    bytes: 256 * MIB,
  });
});
