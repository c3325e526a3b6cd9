import { authorize, capabilityTokenCheck, digestOf } from "../../src/transport/authentication.ts";
import { assertEquals } from "@std/assert";

/** The status and challenge that an Authorization header is answered with; undefined if none. */
async function answer(authorization: string | undefined) {
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  const admission = await authorize(headers, capabilityTokenCheck(digestOf("right,token")));
  if (admission.kind === "accepted") return undefined;
  const { response } = admission;
  await response.body?.cancel();
  return [response.status, response.headers.get("www-authenticate")];
}

const WRONG_TOKEN = 'Bearer error="invalid_token", error_description="the token is wrong"';
const WRONG_FORM = 'Bearer error="invalid_token", error_description="the Authorization header ' +
  'is not of the form Bearer TOKEN"';

Deno.test("the right token is let in, however the scheme is written", async () => {
  for (
    const authorization of ["Bearer right,token", "bearer right,token", "BEARER   right,token"]
  ) {
    assertEquals(await answer(authorization), undefined);
  }
});

Deno.test("no token and a wrong one are refused with a challenge", async () => {
  assertEquals(await answer(undefined), [401, "Bearer"]);
  for (const token of ["right,tokem", "right,toke", "right,token2", "Right,token"]) {
    assertEquals(await answer(`Bearer ${token}`), [401, WRONG_TOKEN], token);
  }
});

Deno.test("what is no bearer token is refused", async () => {
  const cases = ["", "Bearer", "right,token", "Basic right,token", "Bearer right,token x"];
  for (const authorization of [...cases, "Bearer x, Bearer right,token", "Bearer\u00e4"]) {
    assertEquals(await answer(authorization), [401, WRONG_FORM], authorization);
  }
});
