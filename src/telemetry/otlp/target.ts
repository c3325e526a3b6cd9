import { parseKeyPairsIntoRecord } from "@opentelemetry/core";
import type { OtelVariables } from "./variables.ts";

/** What is sent. */
export type Signal = "metrics" | "traces";

/** Where a signal is sent to, and how. */
export interface OtlpTarget {
  readonly signal: Signal;
  /** Holds no credentials. */
  readonly url: string;
  readonly encoding: "protobuf" | "json";
  readonly headers: Headers;
  /** How long an export may take, attempts to repeat it included, in milliseconds. */
  readonly timeoutMs: number;
  readonly gzip: boolean;
  /** PEM texts, where TLS needs others than the usual. */
  readonly tls: { readonly caCerts?: string[]; readonly cert?: string; readonly key?: string };
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Where the environment says that a signal goes; undefined where it says nothing, or none, or what
 * cannot be done (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
 */
export function otlpTarget(signal: Signal, variables: OtelVariables): OtlpTarget | undefined {
  const both = (name: string) => [
    `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`,
    `OTEL_EXPORTER_OTLP_${name}`,
  ];
  const url = endpoint(signal, variables);
  if (url === undefined || !isExported(signal, variables)) return undefined;
  const encoding = encodingOf(both("PROTOCOL"), variables);
  const headers = headersOf(both("HEADERS"), url, variables);
  const tls = tlsOf(both, variables);
  if (encoding === undefined || headers === undefined || tls === undefined) return undefined;
  return {
    signal,
    url: withoutCredentials(url),
    encoding,
    headers,
    timeoutMs: variables.count(both("TIMEOUT"), DEFAULT_TIMEOUT_MS),
    gzip: variables.choice(both("COMPRESSION"), ["none", "gzip"], "none") === "gzip",
    tls,
  };
}

/** The signal's own endpoint as it is, or the one of all signals with the signal's path. */
function endpoint(signal: Signal, variables: OtelVariables): URL | undefined {
  const own = variables.first(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`);
  const given = own ?? variables.first("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (given === undefined) return undefined;
  const url = URL.parse(given.value);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    variables.problem(given.name, "it must be a URL with http:// or https://; nothing is sent");
    return undefined;
  }
  if (own === undefined) url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/${signal}`;
  return url;
}

function isExported(signal: Signal, variables: OtelVariables): boolean {
  const name = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  const wanted = (variables.text(name) ?? "otlp").split(",").map((exporter) => exporter.trim());
  const foreign = wanted.some((exporter) => !["otlp", "none"].includes(exporter));
  if (foreign) variables.problem(name, "there are only otlp and none");
  return wanted.includes("otlp");
}

/** Another protocol at the same port would not be understood, so nothing is sent then. */
function encodingOf(
  names: readonly string[],
  variables: OtelVariables,
): OtlpTarget["encoding"] | undefined {
  const given = variables.first(...names);
  switch (given?.value.toLowerCase()) {
    case undefined:
    case "http/protobuf":
      return "protobuf";
    case "http/json":
      return "json";
    default:
      variables.problem(
        given?.name ?? "",
        "it can be http/protobuf or http/json, with the collector's port for HTTP (4318, not " +
          "4317) as endpoint; nothing is sent",
      );
      return undefined;
  }
}

/** Of all signals and of this one, which counts more. */
function headersOf(
  [own = "", shared = ""]: readonly string[],
  url: URL,
  variables: OtelVariables,
): Headers | undefined {
  const headers = new Headers();
  if (url.username !== "" || url.password !== "") {
    headers.set("authorization", `Basic ${btoa(decodedCredentials(url))}`);
  }
  for (const name of [shared, own]) {
    const pairs = parseKeyPairsIntoRecord(variables.text(name) ?? "");
    try {
      for (const [key, value] of Object.entries(pairs)) headers.set(key, value);
    } catch {
      variables.problem(name, "it must be NAME=VALUE,…; nothing is sent");
      return undefined;
    }
  }
  return headers;
}

function decodedCredentials({ username, password }: URL): string {
  return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
}

function withoutCredentials(url: URL): string {
  const bare = new URL(url);
  bare.username = bare.password = "";
  return bare.href;
}

/**
 * What cannot be read or used means that the other side could not be trusted as wanted, or would not
 * trust this one.
 */
function tlsOf(
  both: (name: string) => readonly string[],
  variables: OtelVariables,
): OtlpTarget["tls"] | undefined {
  const given = {
    authority: variables.first(...both("CERTIFICATE")),
    cert: variables.first(...both("CLIENT_CERTIFICATE")),
    key: variables.first(...both("CLIENT_KEY")),
  };
  const { name } = given.cert ?? given.key ?? given.authority ?? {};
  if (name === undefined) return {};
  try {
    const text = (file: typeof given.cert) => file && Deno.readTextFileSync(file.value);
    const [authority, cert, key] = [text(given.authority), text(given.cert), text(given.key)];
    const tls = {
      ...authority === undefined ? {} : { caCerts: [authority] },
      ...cert === undefined ? {} : { cert },
      ...key === undefined ? {} : { key },
    };
    Deno.createHttpClient(tls).close();
    return tls;
  } catch {
    variables.problem(
      name,
      "these certificates and keys cannot be read or used; nothing is sent",
    );
    return undefined;
  }
}
