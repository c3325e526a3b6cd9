import { parseKeyPairsIntoRecord } from "@opentelemetry/core";
import type { OtelVariables } from "./configuration.ts";

/** A kind of telemetry. */
export type Signal = "metrics" | "traces";

/** Where and how a signal is sent. */
export interface OtlpTarget {
  readonly signal: Signal;
  /** Holds no credentials. */
  readonly url: string;
  readonly encoding: "protobuf" | "json";
  readonly headers: Headers;
  /** How long an export may take, retries included, in milliseconds. */
  readonly timeoutMs: number;
  readonly gzip: boolean;
  /** Certificates and key in PEM format, if the environment names some. */
  readonly tls: { readonly caCerts?: string[]; readonly cert?: string; readonly key?: string };
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * The target that the environment configures for a signal; undefined if it configures none, or one that
 * is not supported (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
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

/** The signal's own endpoint, or the common endpoint with the signal's path appended. */
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
  if (foreign) variables.problem(name, "it can be otlp or none");
  return wanted.includes("otlp");
}

/** The encoding; undefined for an unsupported protocol, which another one must not replace. */
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

/** The headers of all signals and of this one, which outrank them. */
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
 * The certificates and the key; undefined if a file cannot be read or used, as the connection would then
 * not be authenticated as configured.
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
