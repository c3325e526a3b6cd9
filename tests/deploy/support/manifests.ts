import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { Job } from "kubernetes-models/batch/v1/Job";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { Service } from "kubernetes-models/v1/Service";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";

/** An object that Kubernetes is asked for. */
export type Manifest = Readonly<Record<string, unknown>>;

interface Kind {
  /** @throws {Error} when a member is missing or of a wrong type */
  readonly validate: (manifest: Manifest) => void;
  /** Where its type is declared. */
  readonly module: string;
}

/** The models take anything; it is their schemas that look at it. */
const model = (make: (data: object) => { validate(): void }, module: string): Kind => ({
  validate: (manifest) => make(manifest).validate(),
  module,
});

const KINDS: Readonly<Record<string, Kind>> = {
  Job: model((data) => Object.assign(new Job(), data), "batch/v1/Job"),
  NetworkPolicy: model(
    (data) => Object.assign(new NetworkPolicy(), data),
    "networking.k8s.io/v1/NetworkPolicy",
  ),
  Service: model((data) => Object.assign(new Service(), data), "v1/Service"),
  StatefulSet: model((data) => Object.assign(new StatefulSet(), data), "apps/v1/StatefulSet"),
};

/** Reads the documents of a YAML text. @throws {Error} for bad YAML, a repeated key included */
export function readManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS();
  });
}

/**
 * Checks manifests against the schemas of the Kubernetes API, and that they have no members that it
 * does not know: the schemas do not mind those, so the compiler looks for them with the API's types.
 *
 * @throws {Error} naming what is wrong
 */
export async function checkManifests(manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) kindOf(manifest).validate(manifest);
  const program = manifests.flatMap((manifest, index) => [
    `import type { I${manifest.kind} } from "kubernetes-models/${kindOf(manifest).module}";`,
    `export const manifest${index}: I${manifest.kind} = ${JSON.stringify(manifest, null, 1)};`,
  ]);
  const file = await Deno.makeTempFile({ prefix: "remex-test-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program.join("\n"));
    const config = fileURLToPath(new URL("../../../deno.json", import.meta.url));
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--config", config, file],
      env: { NO_COLOR: "1" },
      stdout: "null",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(file);
  }
}

function kindOf({ kind }: Manifest): Kind {
  const known = KINDS[String(kind)];
  if (known === undefined) throw new Error(`no kind ${kind} is known`);
  return known;
}
