import { assertEquals, assertRejects } from "@std/assert";
import { checkRequest, perform, wholeBody } from "../../src/http/perform.ts";
import type { Variables } from "../../src/http/proxy.ts";
import { ErrorCode, RpcError } from "../../src/protocol/errors.ts";
import { methods, type ParamsInput } from "../../src/protocol/methods.ts";
import { CERTIFICATE } from "../support/localhost_certificate.ts";

/** The header by which codings of responses are asked for. */
export const ACCEPT_ENCODING = "accept-encoding: gzip, deflate, br, zstd";

/** What a request is besides a GET without headers. */
export type Request = Omit<Partial<ParamsInput<"http/request">>, "url" | "headers"> & {
  readonly headers?: readonly (readonly [name: string, value: string, valueEnvVar?: string])[];
  readonly env?: Variables;
};

/** A whole response. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  /** One character a byte. */
  readonly body: string;
}

/** Makes a request and reads the whole response. */
export async function ask(url: string, request: Request = {}): Promise<Answer> {
  const { headers = [], env = {}, ...others } = request;
  const params = methods["http/request"].params.parse({
    method: "GET",
    requestId: "r",
    url,
    headers: headers.map(([name, value, valueEnvVar]) => ({ name, value, valueEnvVar })),
    ...others,
  });
  const end = new AbortController();
  try {
    using response = await perform(
      checkRequest(params, env),
      params.redirectPolicy,
      env,
      end.signal,
    );
    return {
      status: response.status,
      headers: response.headers.map(({ name, value }) => `${name}: ${value}`),
      body: Array.from(await wholeBody(response), (byte) => String.fromCharCode(byte)).join(""),
    };
  } finally {
    end.abort();
  }
}

/** The message of the -32603 with which a request fails. */
export async function failure(url: string, request: Request = {}): Promise<string> {
  const error = await assertRejects(() => ask(url, request), RpcError);
  assertEquals(error.code, ErrorCode.Internal);
  return error.message;
}

/** The test certificate in a file, while it lasts. */
export class CertificateFile implements Disposable {
  readonly path = Deno.makeTempFileSync();

  constructor() {
    Deno.writeTextFileSync(this.path, CERTIFICATE);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}
