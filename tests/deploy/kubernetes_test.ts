import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { deployPath, deployText } from "./support/deploy_files.ts";
import { checkManifests, type Manifest, readManifests } from "./support/manifests.ts";

const FILES = [...Deno.readDirSync(deployPath("kubernetes"))].map(({ name }) => name);

function manifestsOf(file: string): Manifest[] {
  return readManifests(deployText(`kubernetes/${file}`));
}

/** The member at a path, or undefined if something on the way is not there. */
function at(value: unknown, path: string): unknown {
  return path.split(".").reduce(
    (found: unknown, name) =>
      typeof found === "object" && found !== null ? Reflect.get(found, name) : undefined,
    value,
  );
}

/** A manifest with another value at a path. */
function changed(manifest: Manifest, path: string, value: unknown): Manifest {
  const copy = structuredClone(manifest);
  const [, parent = "", name = ""] = /^(.*)\.([^.]+)$/.exec(path) ?? [];
  const found = at(copy, parent);
  assert(typeof found === "object" && found !== null, path);
  Reflect.set(found, name, value);
  return copy;
}

Deno.test("kubernetes: every manifest is what the API takes", async () => {
  assertEquals(FILES.length, 3);
  await checkManifests(FILES.flatMap(manifestsOf));
});

Deno.test("kubernetes: what the API does not take is found", async () => {
  const [, set = {}] = manifestsOf("executors.yaml");
  const container = "spec.template.spec.containers.0";
  for (
    const [path, value] of [
      [`${container}.readinesProbe`, {}],
      [`${container}.securityContext.procMount`, 1],
      [`${container}.name`, undefined],
      ["spec.replicas", "three"],
      ["spec.template.spec.hostUser", false],
      ["spec.serviceName", ["remex"]],
    ] as const
  ) {
    await assertRejects(() => checkManifests([changed(set, path, value)]), Error);
  }
  assertThrows(() => readManifests("a: 1\na: 2"), Error, "unique");
});

for (const [file, kind] of [["executors.yaml", "StatefulSet"], ["one-shot.yaml", "Job"]] as const) {
  Deno.test(`kubernetes: the parts of ${file} fit each other`, () => {
    const manifest = manifestsOf(file).find((found) => found.kind === kind);
    const pod = at(manifest, "spec.template.spec");
    const container = at(pod, "containers.0");
    assertEquals(at(container, "readinessProbe.httpGet"), { path: "/readyz", port: "ws" });
    assertEquals(at(container, "livenessProbe.httpGet"), { path: "/livez", port: "ws" });
    assertEquals(at(container, "ports"), [{ name: "ws", containerPort: 7777 }]);

    const args = at(container, "args");
    assert(Array.isArray(args) && args[0] === "--grace");
    assert(Number(at(pod, "terminationGracePeriodSeconds")) > Number(args[1]));

    const [variable] = [at(container, "env.0")];
    assertEquals(variable, { name: "REMEX_WS_TOKEN_FILE", value: "/etc/remex-token/token" });
    const mounts = at(container, "volumeMounts");
    assert(Array.isArray(mounts));
    assertEquals(mounts.map(({ mountPath }) => mountPath), [
      "/workspace",
      "/tmp",
      "/etc/remex-token",
    ]);
    const claims = at(manifest, "spec.volumeClaimTemplates") ?? [];
    const volumes = at(pod, "volumes");
    assert(Array.isArray(claims) && Array.isArray(volumes));
    const names = [...claims.map(({ metadata }) => metadata.name), ...volumes.map((v) => v.name)];
    assertEquals(names.toSorted(), mounts.map(({ name }) => name).toSorted());
    assertEquals(at(volumes.at(-1), "secret.secretName"), "remex-token");

    const user = /^USER (\d+):(\d+)$/m.exec(deployText("Dockerfile"))?.slice(1).map(Number);
    const context = at(pod, "securityContext");
    assertEquals([at(context, "runAsUser"), at(context, "runAsGroup")], user);
  });
}

Deno.test("kubernetes: names lead to the pods, and the policy is about them", () => {
  const [service, set] = manifestsOf("executors.yaml");
  assertEquals(at(service, "spec.clusterIP"), "None");
  assertEquals(at(service, "metadata.name"), at(set, "spec.serviceName"));
  const labels = at(set, "spec.template.metadata.labels");
  const [job] = manifestsOf("one-shot.yaml");
  const [policy] = manifestsOf("network-policy.yaml");
  assertEquals(at(service, "spec.selector"), labels);
  assertEquals(at(set, "spec.selector.matchLabels"), labels);
  assertEquals(at(policy, "spec.podSelector.matchLabels"), labels);
  assertEquals(at(job, "spec.template.metadata.labels"), labels);
  assertEquals(at(policy, "spec.ingress.0.ports"), [{ port: 7777 }]);
});
