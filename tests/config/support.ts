import { Configuration, type Layer } from "../../src/config/configuration.ts";
import { environmentLayer } from "../../src/config/environment_layer.ts";
import { fileLayer } from "../../src/config/file_layer.ts";

/** What a system's file says. */
export function systemFile(text: string): Promise<Layer> {
  return fileLayer(text, "/etc/remex/config.jsonc", "system file");
}

/** Settings that come from nothing but variables. */
export function fromEnvironment(variables: Readonly<Record<string, string>>): Configuration {
  return new Configuration([environmentLayer(variables).layer]);
}
