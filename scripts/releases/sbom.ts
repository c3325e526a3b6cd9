import * as z from "zod/mini";

/** What `deno info --json` tells of the modules that a program is made of. */
const moduleGraph = z.object({
  modules: z.array(z.object({ kind: z.optional(z.string()), npmPackage: z.optional(z.string()) })),
  npmPackages: z.record(
    z.string(),
    z.object({ name: z.string(), version: z.string(), dependencies: z.array(z.string()) }),
  ),
});

/** What deno.lock tells of packages. */
const lockFile = z.object({
  npm: z.record(
    z.string(),
    z.object({
      integrity: z.string(),
      os: z.optional(z.array(z.string())),
      cpu: z.optional(z.array(z.string())),
    }),
  ),
});

const packageManifest = z.object({ license: z.optional(z.string()) });

/** What a bill of materials is of. */
export interface Program {
  readonly version: string;
  readonly denoVersion: string;
  /** Such as linux-x64. */
  readonly target: string;
  /** The SHA-256 digest of the binary, in hexadecimal digits. */
  readonly sha256: string;
  /** When the sources were last changed. */
  readonly changed: Date;
}

/** Where what is told of the packages comes from. */
export interface PackageSources {
  /** The output of `deno info --json main.ts`. */
  readonly graph: unknown;
  /** The content of deno.lock. */
  readonly lock: unknown;
  /** The text of a package's manifest. */
  readonly manifest: (name: string, version: string) => unknown;
}

/** The bill of materials of a binary, in the form of CycloneDX 1.6 (ECMA-424). */
export function billOfMaterials(program: Program, sources: PackageSources): string {
  const { version, denoVersion, target, sha256, changed } = program;
  const components = packagesOf(program, sources);
  const runtime = {
    type: "platform",
    "bom-ref": `pkg:github/denoland/deno@v${denoVersion}`,
    name: "deno",
    version: denoVersion,
    licenses: [{ license: { id: "MIT" } }],
    purl: `pkg:github/denoland/deno@v${denoVersion}`,
  };
  const own = `pkg:generic/remex@${version}?target=${target}`;
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidFrom(sha256)}`,
    version: 1,
    metadata: {
      timestamp: changed.toISOString(),
      component: {
        type: "application",
        "bom-ref": own,
        name: "remex",
        version,
        licenses: [{ license: { id: "MIT" } }],
        hashes: [{ alg: "SHA-256", content: sha256 }],
        purl: own,
      },
    },
    components: [runtime, ...components.map(({ component }) => component)],
    dependencies: [
      {
        ref: own,
        dependsOn: [
          runtime["bom-ref"],
          ...components.filter(({ direct }) => direct).map(({ component }) => component["bom-ref"]),
        ],
      },
      ...components.map(({ component, dependsOn }) => ({ ref: component["bom-ref"], dependsOn })),
    ],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

/** The packages that the program imports, with what those need on its platform. */
function packagesOf({ target }: Program, { graph, lock, manifest }: PackageSources) {
  const { modules, npmPackages } = moduleGraph.parse(graph);
  const { npm: locked } = lockFile.parse(lock);
  const [os = "", cpu = ""] = platformOf(target);
  const isFor = (id: string) => {
    const { os: systems, cpu: processors } = locked[id] ?? {};
    return (systems?.includes(os) ?? true) && (processors?.includes(cpu) ?? true);
  };
  const direct = new Set(
    modules.map(({ npmPackage }) => npmPackage).filter((id) => id !== undefined),
  );
  const found = new Set<string>();
  const waiting = [...direct];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (found.has(id) || !isFor(id)) continue;
    found.add(id);
    waiting.push(...npmPackages[id]?.dependencies ?? []);
  }
  return [...found].toSorted().map((id) => {
    const known = npmPackages[id];
    const integrity = locked[id]?.integrity;
    if (known === undefined || integrity === undefined) throw new Error(`${id} is not locked`);
    const { name, version, dependencies } = known;
    const { license } = packageManifest.parse(manifest(name, version));
    const component = {
      type: "library",
      "bom-ref": purlOf(name, version),
      name,
      version,
      hashes: [{ alg: "SHA-512", content: sha512Of(integrity) }],
      ...license === undefined ? {} : { licenses: [{ expression: license }] },
      purl: purlOf(name, version),
    };
    const dependsOn = dependencies.filter((each) => found.has(each))
      .map((each) => npmPackages[each])
      .flatMap((each) => each === undefined ? [] : [purlOf(each.name, each.version)]);
    return { component, dependsOn, direct: direct.has(id) };
  });
}

/** A target in the words of npm: the operating system and the processor. */
function platformOf(target: string): string[] {
  return target.replace("macos", "darwin").replace("windows", "win32").split("-");
}

/** A package URL (ECMA-427). */
function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** The digest of a Subresource Integrity text in hexadecimal digits. */
function sha512Of(integrity: string): string {
  const [algorithm, digest = ""] = integrity.split("-");
  if (algorithm !== "sha512") throw new Error(`no SHA-512 digest: ${integrity}`);
  return Uint8Array.fromBase64(digest).toHex();
}

/** The same for the same binary: version 8 is for values of one's own (RFC 9562, section 5.8). */
function uuidFrom(sha256: string): string {
  const digits = `${sha256.slice(0, 12)}8${sha256.slice(13, 16)}8${sha256.slice(17, 32)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
